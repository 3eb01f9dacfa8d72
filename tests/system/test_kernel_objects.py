# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel's accesses go to: the guest's own view (/proc/slabinfo) and a trace's agree."""
import os
import subprocess
import unittest

from harness import BUILD, SystemTest, workload
from images import several_vcpus

FILES = 400
NAMES = 1000
# Makes inodes and dentries, and frees them, so that slabs come and go; then leaves a dentry for each of NAMES names.
COMMANDS = f"""mkdir /tmp/d; for i in $(seq {FILES}); do : > /tmp/d/$i; done; rm -r /tmp/d; sync
echo 2 > /proc/sys/vm/drop_caches; for i in $(seq {NAMES}); do test -e /nonexistent_$i; done; cat /proc/slabinfo"""


class KernelObjects(SystemTest):
    def record(self, *command, options=()):
        trace = self.path("trace")
        result = self.tracer("record", "-o", trace, "--user", "root", *options, "--", *command)
        self.assertEqual(result.status, 0, result.err)
        return trace, result.out

    def lines(self, *arguments):
        run = subprocess.run([os.path.join(BUILD, "list_kernel_objects"), *arguments], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        return [line.split("\t") for line in run.stdout.splitlines()]

    def objects(self, trace):
        """By region and name: how many accesses, to how many objects, of how many bytes."""
        return {(region, name): [int(number) for number in numbers] for region, name, *numbers in self.lines(trace)}

    def accesses(self, objects, region):
        return sum(numbers[0] for (of, _), numbers in objects.items() if of == region)

    def assert_slabs(self, trace, slabinfo):
        """All caches are known, and so is how many slabs each has: but for what happens after they are printed."""
        told = {name: int(slabs) for name, slabs in self.lines(trace, "--slabs")}
        caches = [line.split() for line in slabinfo.splitlines() if " : slabdata " in line and line[0] != "#"]
        slabs = {words[0]: int(words[14]) for words in caches}
        self.assertGreater(sum(slabs.values()), 1000)
        self.assertLessEqual(set(told), set(slabs))
        other = {name: (told.get(name, 0), count) for name, count in slabs.items() if told.get(name, 0) != count}
        self.assertLess(len(other), 5, other)
        for mine, its in other.values():
            self.assertLess(abs(mine - its), 3, other)
        return {words[0]: int(words[3]) for words in caches}

    def test_slabs_are_those_of_slabinfo(self):
        trace, out = self.record("bash", "-c", COMMANDS, options=["--files", "image"])
        sizes = self.assert_slabs(trace, out)
        objects = self.objects(trace)
        slabs = {name: numbers for (region, name), numbers in objects.items() if region == "slab"}
        self.assertGreater(len(slabs), 40)
        self.assertEqual({name: numbers[2] for name, numbers in slabs.items()}, {name: sizes[name] for name in slabs})
        self.assertGreaterEqual(slabs["dentry"][1], NAMES)
        self.assertLess(slabs["dentry"][1], NAMES + FILES + 1000)
        self.assertGreater(self.accesses(objects, "direct-map"), 0)

    def test_so_they_are_on_several_vcpus(self):
        for options in ([], ["--strict-order"]):
            trace, out = self.record("bash", "-c", COMMANDS, options=["--files", "image", "--image", several_vcpus(),
                                                                      *options])
            self.assert_slabs(trace, out)
            os.unlink(trace)

    def test_all_of_the_kernels_memory_has_names(self):
        trace, out = self.record(workload("page_tables"), options=["--fields", "paddr"])
        objects = self.objects(trace)
        for region, name in (("kernel-stack", f"stack of {int(out)}"), ("kernel-stack", "interrupt stack of CPU 0"),
                             ("kernel-data", "jiffies"), ("vmemmap", "vmemmap"),
                             ("device", "Local APIC"), ("module", "overlay"), ("page-table", "page-table")):
            self.assertGreater(objects.get((region, name), [0])[0], 0, (region, name))
        # Kernels from 6.2 on have it in the latter, those from 6.15 on don't.
        self.assertGreater(sum(objects.get(("per-cpu", name), [0])[0] for name in ("current_task", "pcpu_hot")), 0)
        self.assertEqual(objects["kernel-stack", f"stack of {int(out)}"][1:], [1, 16384])
        self.assertGreaterEqual(objects["page-table", "page-table"][1], 200)
        self.assertLess(objects["page-table", "page-table"][1], 400)
        self.assertLess(self.accesses(objects, "unknown-kernel"), 10)

    def test_a_part_keeps_them(self):
        trace, _ = self.record("true")
        part, merged = self.path("part"), self.path("merged")
        self.assertEqual(self.tracer("cut", "--events", "1000..", "-o", part, trace).status, 0)
        whole = self.objects(trace)
        of_part = self.objects(part)
        self.assertGreater(self.accesses(of_part, "slab"), self.accesses(whole, "slab") - 1000)
        self.assertEqual(self.tracer("merge", "-o", merged, trace, part).status, 0)
        of_merged = self.objects(merged)
        self.assertEqual(self.accesses(of_merged, "slab"),
                         self.accesses(whole, "slab") + self.accesses(of_part, "slab"))
        jiffies = "kernel-data", "jiffies"
        self.assertEqual(of_merged[jiffies][0], whole[jiffies][0] + of_part[jiffies][0])


if __name__ == "__main__":
    unittest.main()
