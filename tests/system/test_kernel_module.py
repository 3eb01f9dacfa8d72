# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel code under test: a module whose accesses are known, built here against the guest kernel's headers."""
import os
import shutil
import unittest

from harness import COUNTER, ROOT, SPEAKS, SystemTest, workload
from images import kernel_release, module


class KernelModule(SystemTest):
    def setUp(self):
        super().setUp()
        if not os.path.exists(f"/lib/modules/{kernel_release()}/build"):
            self.skipTest(f"the archive has no headers of the guest's kernel {kernel_release()}")
        built, self.files = self.path("built"), self.path("files")
        os.mkdir(built)
        os.mkdir(self.files)
        module(os.path.join(ROOT, "tests", "workloads", "counted_array"), built)
        shutil.copy(os.path.join(built, "counted_array.ko"), self.files)

    def count(self, *options):
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", workload("kernel_array"), SPEAKS,
                            "--workload_dir_path", self.files, *options)
        self.assert_succeeds(result)
        return result

    def test_each_element_is_accessed_exactly_10_times_by_the_kernel(self):
        result = self.count()
        self.assertIn("in the array: 10000, per element from 10 to 10\nin the array by the kernel: 10000\n", result.out)
        self.assertRegex(result.out, r"workload info:\n0xffff[0-9a-f]{12} 4 1000\n")

    def test_user_only_has_none_of_it(self):
        result = self.count("--trace_only_CPL3_code_GMBE")
        self.assertIn("in the array: 0, per element from 0 to 0\n", result.out)
        self.assertGreater(result.number("by user code"), 0)
        self.assertEqual(result.number("by the kernel"), 0)


if __name__ == "__main__":
    unittest.main()
