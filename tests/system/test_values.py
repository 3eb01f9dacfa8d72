# SPDX-License-Identifier: GPL-2.0-or-later
"""Values that are read from where QEMU keeps them (src/plugin/values.c) are those that QEMU returns when it is asked."""
import re
import unittest

from harness import SystemTest, workload
from images import VCPUS, several_vcpus

SHELL = ["bash", "-c", "seq 300 | gzip | sha256sum"]


class Values(SystemTest):
    def compared(self, *arguments):
        """Records with each value compared. Gives the records, and how many values of each vCPU were compared, up to which size."""
        self.environment["MEMORY_TRACER_VALUES"] = "compare"
        trace = self.path("values.mtrace")
        result = self.tracer("record", "--verbose", "-o", trace, *arguments)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.tracer("check", trace).status, 0)
        found = re.findall(r"libgmbe: (\d+) values of vCPU (\d+) were compared, of up to (\d+) bytes\n", result.err)
        return self.info(trace)["records"], {int(vcpu): (int(values), int(size)) for values, vcpu, size in found}

    def test_each_is_what_qemu_tells(self):
        """But those of QEMU's helpers, and the first ones, by which the place is found."""
        for options in (["--fields", "value"], ["--fields", "value,paddr"], ["--fields", "value", "--icount"],
                        ["--fields", "value", "--log-of-GMBE-tracing-ratio", "1"]):
            with self.subTest(options=options):
                records, values = self.compared(*options, "--", *SHELL)
                self.assertEqual(list(values), [0])
                self.assertEqual(values[0][1], 16)
                self.assertGreater(values[0][0], 0.9 * records)
                self.assertLessEqual(values[0][0], records)

    def test_of_each_vcpu(self):
        for options in ([], ["--strict-order"], ["--icount"]):
            with self.subTest(options=options):
                records, values = self.compared("--fields", "value", *options, "--image", several_vcpus(), "--",
                                                workload("threads"))
                self.assertEqual(list(values), list(range(VCPUS)))
                self.assertGreater(min(compared for compared, _ in values.values()), 100000)
                self.assertGreater(sum(compared for compared, _ in values.values()), 0.9 * records)


if __name__ == "__main__":
    unittest.main()
