# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with several virtual CPUs."""
import json
import os
import struct
import unittest

from harness import COUNTER, QEMU, SNAPSHOT, SPEAKS, SystemTest, workload
from images import VCPUS, several_vcpus
from test_options import EVENTS, WRITTEN

THREADS = ["--workload_path_on_host", workload("threads"), SPEAKS, "--print_trace_info"]


class SeveralVcpus(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.image = several_vcpus()

    def count(self, *options):
        result = self.trace("--analysis_tool_path", COUNTER, *THREADS, *options, image=self.image)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.number("records"), result.number(WRITTEN))
        return result

    def assert_each_has_its_own(self, result):
        for vcpu in range(VCPUS):
            self.assertIn(f"in the array by vCPU {vcpu}: 200000, elements {1024 * vcpu} to {1024 * vcpu + 999}\n",
                          result.out)
        self.assertIn("in the array: 800000,", result.out)
        self.assertEqual(result.number(EVENTS), result.number(WRITTEN))

    def test_each_pinned_thread_has_its_exact_count_on_its_vcpu(self):
        for options in ([], ["--trace_only_CPL3_code_GMBE"]):
            self.assert_each_has_its_own(self.count(*options))

    def test_each_vcpu_samples_its_own_accesses(self):
        for options in ([], ["--strict-order"]):
            result = self.count("--log_of_GMBE_block_len", "2", "--log_of_GMBE_tracing_ratio", "2", *options)
            for vcpu in range(VCPUS):
                self.assertAlmostEqual(result.number(f"in the array by vCPU {vcpu}"), 50000, delta=5000)
            # Each vCPU's last group may be unfinished.
            self.assertAlmostEqual(result.number(WRITTEN), result.number(EVENTS) / 4, delta=3 * VCPUS)

    def test_in_program_order_within_a_vcpu(self):
        """Each thread goes through its elements from the first to the last, again and again."""
        fifo = self.path("fifo")
        reader, read = self.start_reader(fifo)
        result = self.trace("--trace_fifo_path", fifo, *THREADS, "--trace_only_CPL3_code_GMBE", image=self.image)
        reader.join()
        self.assert_succeeds(result)
        array = int(result.out.split()[2], 16)
        expected = [array + 4 * i for i in range(1000) for _ in "ls"] * 100
        for vcpu in range(VCPUS):
            first = array + 4096 * vcpu
            seen = [address - 4096 * vcpu for info, address in struct.iter_unpack("<QQ", read[0])
                    if info >> 8 & 0xffff == vcpu and first <= address < first + 4000]
            self.assertTrue(seen == expected)

    def test_in_one_thread_too(self):
        """In this mode QEMU doesn't tell a plugin which vCPU makes an access; src/plugin/turns.c says how it is found."""
        for options in (["--strict-order"], ["--icount"], ["--strict-order", "--trace_only_CPL3_code_GMBE"]):
            with self.subTest(options=options):
                result = self.count(*options)
                self.assert_each_has_its_own(result)
                self.assertNotIn("all records say vCPU 0", result.err)

    def test_one_thread_keeps_the_order_across_vcpus(self):
        """What user code loads is what was stored last, by whichever vCPU. (With --files image: files that are read
        meanwhile come by DMA.)"""
        trace = self.path("turns.mtrace")
        for option in ("--strict-order", "--icount"):
            with self.subTest(option=option):
                self.assert_succeeds(self.tracer("record", "-o", trace, "--fields", "value,paddr", option, "--files", "image",
                                                 "--image=" + self.image, workload("take_turns")))
                result = self.tracer("check", trace)
                self.assertEqual(result.status, 0)
                self.assertRegex(result.out, "^[0-9]{5,} loads by user code were compared with the stores before them\n"
                                             "[^\n]*: good, [0-9]+ records\n$")
                for vcpu in "01":
                    dumped = self.tracer("dump", "--vcpu", vcpu, "--cpl", "3", trace)
                    self.assertGreater(len(dumped.out.splitlines()), 2000)

    def test_roi_and_summary(self):
        result = self.tracer("run", "--json", "--image", self.image, "true")
        summary = json.loads(result.err.splitlines()[-1])
        self.assertEqual(summary["accesses"], summary["records_written"])
        self.assertEqual(summary["accesses"], summary["loads"] + summary["stores"])

    def test_more_vcpus_than_cores_is_told(self):
        """Then the guest's kernel spins for most of the time. All on one core, as this machine may have more than vCPUs."""
        core = min(os.sched_getaffinity(0))
        for arguments in (["run", "--sink", "null", "--image", self.image, "true"],
                          ["record", "-o", self.path("trace"), "--image", self.image, "true"],
                          ["--dont_trace", "--workload_path_on_guest", "/bin/true", self.image, SNAPSHOT, QEMU]):
            process = self.start(*arguments, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
            lines = [line for line in self.finish(process).err.splitlines() if "vCPUs" in line]
            self.assertEqual(lines, [f"memory_tracer: the guest has {VCPUS} vCPUs, but there is 1 core for them: its kernel "
                                     "spins, so how many accesses are the kernel's means little"])
        process = self.start("run", "--strict-order", "--sink", "null", "--image", self.image, "true",
                             preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        self.assertNotIn("spins", self.finish(process).err)  # one thread runs all vCPUs, by design


if __name__ == "__main__":
    unittest.main()
