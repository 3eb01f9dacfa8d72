# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing hangs, and a run that is stopped keeps its records: blocked outputs, signals, a stopped QEMU."""
import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import time
import unittest

from harness import COUNTER, IMAGE, QEMU, SNAPSHOT, TRACER, SystemTest, not_sanitized

LOOP = ["sh", "-c", "echo started; while :; do :; done"]
F_SETPIPE_SZ = 1031


class Stopping(SystemTest):
    def start_tracing(self, *arguments, **popen):
        """Starts a run of LOOP, and waits until it has said that it has begun."""
        process = self.start(*arguments, "--", *LOOP, **popen)
        self.assertEqual(process.stdout.readline(), "started\n")
        return process

    @not_sanitized
    def test_each_signal_ends_the_trace_and_keeps_it(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number):
                process = self.start_tracing("run")
                process.send_signal(number)
                result = self.finish(process)
                self.assert_stopped(result)
                self.assertIn("s traced, until it was stopped\n", result.err)
                self.assertRegex(result.err, r"lost records +0\n")

    def test_what_is_ignored_stays_so(self):
        """nohup, and background jobs of scripts."""
        process = subprocess.Popen(["sh", "-c", 'trap "" HUP INT; exec "$0" run -- sh -c "echo started; sleep 3; echo ended"', TRACER],
                                   env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "started\n")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual((result.status, result.out), (0, "ended\n"), result.err)

    def test_results_that_nobody_reads(self):
        tool = self.script("tool", "#!/usr/bin/env python3\nimport signal, sys\ndef output(*a):\n"
                           "  print('-----begin analysis output-----' + 'x' * 1000000 + '-----end analysis output-----', flush=True)\n"
                           "signal.signal(signal.SIGUSR1, output)\nprint('Ready to analyze', flush=True)\n"
                           "f = open(sys.argv[1], 'rb')\nwhile f.read(1 << 20): pass\n")
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        process = subprocess.Popen([TRACER, "--analysis_tool_path", tool, "--workload_path_on_guest", "/bin/true", IMAGE, SNAPSHOT,
                                    QEMU], env=self.environment, stdin=subprocess.DEVNULL, stdout=writing,
                                   stderr=subprocess.DEVNULL)
        os.close(writing)
        select.select([reading], [], [], 60)  # it prints, and nobody reads
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 130)

    def test_a_recording_is_complete_and_says_so(self):
        path = self.path("trace")
        process = self.start_tracing("record", "-o", path)
        process.send_signal(signal.SIGINT)
        self.assert_stopped(self.finish(process))
        self.assertGreater(self.assert_good(path)["records"], 1000)
        info = self.info(path)
        self.assertTrue(info["complete"])
        self.assertEqual(info["metadata"]["ended_by"], "interrupted")

    def test_a_tool_is_asked_for_its_output(self):
        workload = self.script("workload", "#!/bin/sh\necho started\nwhile :; do :; done\n")
        process = self.start("--analysis_tool_path", COUNTER, "--workload_path_on_host", workload, "--print_trace_info", IMAGE,
                             SNAPSHOT, QEMU)
        self.assertEqual(process.stderr.readline(), "started\n")
        process.send_signal(signal.SIGTERM)
        result = self.finish(process)
        self.assert_stopped(result)
        self.assertEqual(result.number("analysis output:\nrecords"), result.number("num_of_events_written_to_trace_buf"))

    def test_a_guest_that_does_not_answer(self):
        """QEMU is stopped, so neither the agent nor QMP answers: what is in the ring is kept all the same."""
        path = self.path("trace")
        process = self.start_tracing("record", "-o", path)
        os.kill(self.qemu_pid(), signal.SIGSTOP)
        line = process.stderr.readline()
        while line and "QEMU has been stopped (SIGSTOP)" not in line:
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        self.assert_stopped(self.finish(process))
        self.assertGreater(self.assert_good(path)["records"], 1000)
        self.assertTrue(self.info(path)["complete"])

    def test_a_qemu_that_is_stopped_is_not_waited_for_without_end(self):
        process = self.start_tracing("run", "--wait-timeout", "3")
        os.kill(self.qemu_pid(), signal.SIGSTOP)
        result = self.finish(process)
        self.assertEqual(result.status, 1)
        self.assertIn("QEMU has been stopped (SIGSTOP) for 3 s", result.err.splitlines()[-1])

    def test_a_second_signal_gives_up_at_once(self):
        tool = self.script("tool", "#!/usr/bin/env python3\nimport signal, sys\nsignal.signal(signal.SIGUSR1, lambda *a: None)\n"
                           "print('Ready to analyze', flush=True)\nf = open(sys.argv[1], 'rb')\nwhile f.read(1 << 20): pass\n")
        workload = self.script("workload", "#!/bin/sh\necho started\nwhile :; do :; done\n")
        process = self.start("--analysis_tool_path", tool, "--workload_path_on_host", workload, IMAGE, SNAPSHOT, QEMU)
        self.assertEqual(process.stderr.readline(), "started\n")
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted: stopping", process.stderr.readline())
        time.sleep(3)  # now it waits for an output that never comes
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        result = self.finish(process, 30)
        self.assertEqual((result.status, result.err.splitlines()[-1]), (130, "memory_tracer: interrupted"))

    def test_the_guest_panics_or_reboots(self):
        for command in ("echo c >/proc/sysrq-trigger", "echo b >/proc/sysrq-trigger"):
            with self.subTest(command):
                path = self.path("trace")
                result = self.tracer("record", "-o", path, "sh", "-c", command)
                self.assertEqual(result.status, 1, result.err)
                self.assertIn("the guest has rebooted", result.err.splitlines()[-1])
                self.assertGreater(self.assert_good(path)["records"], 1000)
                self.assertIn("the guest has rebooted", self.info(path)["metadata"]["ended_by"])

    def test_the_guest_shuts_down(self):
        result = self.tracer("run", "sh", "-c", "echo o >/proc/sysrq-trigger; sleep 100")
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("the guest has shut down", result.err.splitlines()[-1])


class Output(SystemTest):
    def run_into(self, stdout, stderr=subprocess.PIPE, command=("yes",)):
        return subprocess.Popen([TRACER, "run", "--", *command], env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=stderr, text=True)

    def test_a_reader_that_has_seen_enough(self):
        process = self.run_into(subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), "y\n")
        process.stdout.close()
        process.stdout = None
        result = self.finish(process)
        self.assertEqual(result.status, 128 + signal.SIGPIPE, result.err)
        self.assertEqual(result.err.count("can't write to standard output: Broken pipe"), 1, result.err)
        self.assertIn(", until it was stopped\n", result.err)

    @not_sanitized
    def test_what_can_not_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = self.finish(self.run_into(full, command=("echo", "hello")))
            self.assertEqual(result.status, 1)
            self.assertIn("can't write to standard output: No space left on device", result.err)
            process = self.run_into(subprocess.PIPE, stderr=full, command=("true",))
            self.assertEqual(self.finish(process).status, 1)  # the summary is lost
        result = subprocess.run(["sh", "-c", 'exec "$0" run -- echo hello >&-', TRACER], env=self.environment,
                                capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 1)
        self.assertIn("can't write to standard output: Bad file descriptor", result.stderr)
        result = subprocess.run(["sh", "-c", 'exec "$0" --dont_trace --workload_path_on_guest /bin/true "$@" >/dev/full', TRACER,
                                 IMAGE, SNAPSHOT, QEMU], env=self.environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 1)

    def test_a_limit_on_the_size_of_files(self):
        with open(self.path("output"), "w") as file:
            process = self.run_into(file)
            self.qemu_pid()
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
            result = self.finish(process)
            reason = "can't write to standard output: File too large"
            self.assertEqual((result.status, result.err.splitlines()[-1]), (1, f"memory_tracer: {reason} (ulimit -f is 64)"))
            self.assertIn(f"memory_tracer: {reason}: stopping; what was traced is kept", result.err)

    def blocked_pipe(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
        self.addCleanup(os.close, reading)
        return writing

    @not_sanitized
    def test_blocked_outputs_block_nothing_else(self):
        for name in ("stdout", "stderr"):
            with self.subTest(name):
                writing = self.blocked_pipe()
                command = ("yes",) if name == "stdout" else ("sh", "-c", "yes >&2")
                process = self.run_into(**{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, name: writing},
                                        command=command)
                os.close(writing)
                self.qemu_pid()
                time.sleep(5)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(60), 130)
                self.assert_no_leftovers()

    def test_a_slow_reader_gets_everything(self):
        process = self.run_into(subprocess.PIPE, command=("seq", "300000"))
        time.sleep(4)
        result = self.finish(process)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.out, "".join(f"{i}\n" for i in range(1, 300001)))


class Helpers(SystemTest):
    def test_a_qemu_img_that_hangs(self):
        folder = self.path("bin")
        os.mkdir(folder)
        os.symlink("/usr/bin/" + QEMU, os.path.join(folder, QEMU))
        path = os.path.join(folder, "qemu-img")
        with open(path, "w") as file:
            file.write("#!/bin/sh\nsleep 1000\n")
        os.chmod(path, 0o755)
        process = self.start("--dont_trace", "--workload_path_on_guest", "/bin/true", IMAGE, SNAPSHOT, folder)
        deadline = time.time() + 30
        while not any("sleep 1000" in command for _, command in self.processes()) and time.time() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assert_fails(self.finish(process, 30), "interrupted", status=130)

    def test_the_summary_as_json(self):
        """It says how the run ended."""
        process = self.start("run", "--json", "--", *LOOP)
        self.assertEqual(process.stdout.readline(), "started\n")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        summary = json.loads(next(line for line in result.err.splitlines() if line.startswith("{")))
        self.assertEqual((result.status, summary["ended_by"]), (130, "interrupted"))
        self.assertEqual(summary["accesses"], summary["records_written"])


if __name__ == "__main__":
    unittest.main()
