# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the earlier tool: qemu_mem_tracer_runner."""
import os
import re
import stat
import subprocess
import time
import unittest

from harness import ARRAY, BUILD, IMAGE, QEMU, SNAPSHOT, SystemTest

PASSWORD = "correct horse battery"
RUNNER_SCRIPT = """#!/bin/bash
echo 'Ready to trace. Press enter to continue.'
read -n1
cat ~/qemu_mem_tracer_workload/data >/dev/null
echo 'Stop tracing.'
"""


class QemuMemTracerRunner(SystemTest):
    def start_runner(self, *options, workload=ARRAY, image=IMAGE, stdin=subprocess.DEVNULL):
        return subprocess.Popen([os.path.join(BUILD, "qemu_mem_tracer_runner"), *options, image, SNAPSHOT, workload, PASSWORD,
                                 QEMU], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment, cwd=self.folder,
                                start_new_session=True)  # no terminal: QEMU's monitor would be there

    def run_with_reader(self, *options, **keywords):
        process = self.start_runner(*options, **keywords)
        path = process.stdout.readline().rstrip("\n")
        self.assertRegex(path, rf"\A{re.escape(self.folder)}/trace_fifo_\d+\Z")
        self.assertAlmostEqual(int(path.rsplit("_", 1)[1]), time.time(), delta=60)
        self.assertTrue(stat.S_ISFIFO(os.stat(path).st_mode))
        with open(path, "rb") as file:
            trace = file.read()
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertFalse(os.path.exists(path))
        return trace, out, err

    def test_a_workload_is_traced(self):
        trace, out, err = self.run_with_reader()
        self.assertGreater(len(trace), 16 * 100000)
        self.assertEqual(len(trace) % 16, 0)
        self.assertRegex(out, r"\Aworkload info:\n0x[0-9a-f]+ 4 10000\ntracing_duration_in_milliseconds: \d+\n\Z")
        self.assertIn("no host password is needed any more", err)
        self.assertNotIn(PASSWORD, out + err)

    def test_options(self):
        folder = self.path("workload dir")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "w") as file:
            file.write("data")
        trace, _, _ = self.run_with_reader("--workload_dir_path", folder, "--trace_only_user_code_GMBE",
                                           "--log_of_GMBE_block_len", "3", "--log_of_GMBE_tracing_ratio", "61",
                                           workload=self.script("runner.sh", RUNNER_SCRIPT))
        self.assertEqual(len(trace), 8 * 16)
        self.assertTrue(all(trace[i] >> 6 == 3 for i in range(0, len(trace), 16)))

    def test_qemu_stays(self):
        process = self.start_runner("--dont_exit_qemu_when_done", stdin=subprocess.PIPE)
        path = process.stdout.readline().rstrip("\n")
        with open(path, "rb") as file:
            self.assertTrue(file.read(1 << 20))
            process.stdin.write("info status\nquit\n")
            process.stdin.flush()
            while file.read(1 << 20):
                pass
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("VM status: running", err)
        self.assertRegex(out, r"\Aworkload info:\n.*\ntracing_duration_in_milliseconds: \d+\n\Z")

    def test_the_password_cannot_be_read(self):
        process = self.start_runner()
        process.stdout.readline()  # it waits for a reader now
        self.qemu_pid()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read()
            except OSError:
                continue
            if f"/proc/{pid}" != f"/proc/{os.getpid()}":
                self.assertNotIn(PASSWORD.encode(), command)
                self.assertNotIn(b"battery", command)
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(err.endswith("memory_tracer: interrupted\n"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("trace_fifo")], [])

    def test_failures_leave_no_fifo(self):
        process = self.start_runner(image=self.path("gone"))
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn(f"the guest image {self.path('gone')} is not a file", err)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("trace_fifo")], [])

    def test_usage(self):
        for arguments in ([], ["a", "b", "c", "d"], ["a", "b", "c", "d", "e", "f"], ["--what"],
                          ["--log_of_GMBE_block_len", "70", "a", "b", "c", "d", "e"]):
            result = subprocess.run([os.path.join(BUILD, "qemu_mem_tracer_runner"), *arguments], capture_output=True,
                                    text=True, cwd=self.folder)
            self.assertEqual((result.returncode, len(result.stderr.splitlines())), (2, 1), result.stderr)
        result = subprocess.run([os.path.join(BUILD, "qemu_mem_tracer_runner"), "--help"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0)
        self.assertIn("HOST_PASSWORD", result.stdout)


if __name__ == "__main__":
    unittest.main()
