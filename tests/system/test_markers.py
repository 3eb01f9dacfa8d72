# SPDX-License-Identifier: GPL-2.0-or-later
"""Markers that a workload should not execute, or that don't fit together."""
import json
import struct
import unittest

from harness import SystemTest, workload
from images import several_vcpus

WORD = 0x720000000
ACCESSES = 2000
STATUS = 5  # of the workload, when it has done everything


class Markers(SystemTest):
    def run_mode(self, mode, *options):
        """Gives the result, the accesses to the word, and the summary."""
        fifo, summary = self.path("fifo"), self.path("summary")
        thread, read = self.start_reader(fifo)
        result = self.tracer("run", "--fifo", fifo, "--user-only", "--summary", summary, *options, "--",
                             workload("markers"), mode)
        thread.join()
        self.assertEqual(result.status, STATUS, result.err)
        with open(summary) as file:
            return (result, [info for info, address in struct.iter_unpack("<QQ", read[0]) if address == WORD],
                    json.load(file))

    def test_start_and_stop_of_a_workload_are_ignored(self):
        for mode, markers in (("stop", 1), ("start", 1000), ("stop_and_start", 1000)):
            with self.subTest(mode):
                result, accesses, summary = self.run_mode(mode)
                self.assertEqual(len(accesses), ACCESSES)
                self.assertIn(f"the workload has executed {markers} start or stop markers of its own, which memory_tracer "
                              "ignores: mark regions with MEMORY_TRACER_ROI_BEGIN and _END, and --roi\n", result.err)
                self.assertNotIn("ATTENTION", result.err)
                self.assertGreater(summary["traced_ns"], 0)

    def test_so_they_are_with_roi(self):
        for mode in ("stop", "stop_and_start"):
            with self.subTest(mode):
                result, accesses, summary = self.run_mode(mode, "--roi")
                self.assertEqual(accesses, [])
                self.assertIn("start or stop markers of its own", result.err)
                self.assertLess(summary["traced_ns"], 1 << 60)

    def test_regions_without_the_option_do_nothing(self):
        result, accesses, _ = self.run_mode("never_ended")
        self.assertEqual((len(accesses), result.err.count("region")), (ACCESSES, 0), result.err)

    def test_a_region_ends_with_its_process(self):
        """Whether the process was killed inside of it (then what others do isn't recorded), or never ended it."""
        for mode, recorded in (("killed_inside", 0), ("never_ended", ACCESSES)):
            with self.subTest(mode):
                result, accesses, _ = self.run_mode(mode, "--roi")
                self.assertEqual(len(accesses), recorded)
                self.assertNotIn("ATTENTION", result.err)

    def test_a_trace_file_knows_it(self):
        trace = self.path("trace")
        self.tracer("record", "-o", trace, "--roi", "--user-only", "--", workload("markers"), "never_ended")
        metadata = json.loads(self.tracer("info", "--json", trace).out)["metadata"]
        self.assertEqual((metadata["regions"], metadata["open_regions"]), (1, 0))

    def test_the_agents_markers_of_vcpus_are_ignored(self):
        image = several_vcpus()
        result, accesses, _ = self.run_mode("vcpu", "--image", image, "--strict-order")
        self.assertEqual(len(accesses), ACCESSES)
        self.assertNotIn("all records say vCPU 0", result.err)


if __name__ == "__main__":
    unittest.main()
