# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's resource limits are the workload's. If one is too low for memory_tracer, one line says which."""
import subprocess

from harness import TRACER, OrdinaryUserTest, SystemTest


class Limits(SystemTest):
    def limited(self, limits, *arguments, **popen):
        command = ["bash", "-c", f'ulimit {limits}; exec "$0" "$@"', self.environment.get("TRACER", TRACER), *arguments]
        return self.finish(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True, **popen))

    def test_soft_ones_are_the_workloads_alone(self):
        shell = "ulimit -S -n; ulimit -S -v; ulimit -S -f"
        for limits, wanted in (("-S -n 12", "12\nunlimited\nunlimited\n"), ("-S -v 100000", "unlimited\n100000\nunlimited\n"),
                               ("-S -f 3", "unlimited\nunlimited\n3\n")):
            with self.subTest(limits):
                result = self.limited(limits, "run", "--", "bash", "-c", shell)
                self.assertEqual(result.status, 0, result.err)
                for line, value in zip(result.out.splitlines(), wanted.splitlines()):
                    if value != "unlimited":  # what it is else is this machine's matter
                        self.assertEqual(line, value)

    def test_hard_ones_are_told(self):
        for limits, text in (("-n 4", "Too many open files (ulimit -n is 4)"),
                             ("-n 20", "at most 20 files may be open (ulimit -n), but a guest needs 64 or more"),
                             ("-f 0", "File too large (ulimit -f is 0)"), ("-f 10", "File too large (ulimit -f is 10)"),
                             # QEMU may lack it for a thread's stack, which is "Resource temporarily unavailable".
                             ("-v 200000", "(ulimit -v is 200000"), ("-v 1000000", "(ulimit -v is 1000000"),
                             ("-d 100000", "(ulimit -d is 100000")):
            with self.subTest(limits):
                result = self.limited(limits, "run", "--", "true")
                self.assert_fails(result, text)

    def test_what_we_write_is_limited_too(self):
        result = self.limited("-S -f 100", "record", "-o", self.path("trace"), "--", "true")
        self.assert_fails(result, "File too large (ulimit -f is 100)")
        result = self.limited("-S -f 10", "run", "--sink", "null", "--", "sh", "-c", "head -c 20000 /dev/zero >file")
        self.assertEqual(result.status, 128 + 25, result.err)  # SIGXFSZ, there


class LimitsOfOrdinaryUser(OrdinaryUserTest):
    limited = Limits.limited

    def test_processes_and_threads(self):
        self.environment["TRACER"] = self.installed + "/memory_tracer"
        result = self.limited("-u 1", "run", "--", "true", cwd="/", **self.ids)
        self.assert_fails(result, "Resource temporarily unavailable (ulimit -u is 1)")
