# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU process: versions that this memory_tracer doesn't know (doc/install.md says which were tried), and its sandbox."""
import shutil
import time
import unittest

from harness import QEMU, SystemTest

# Passes for a newer QEMU: changes the version in the greeting on the way from descriptor 4 to the runner.
NEWER = f"""#!/usr/bin/python3
import os, re, select, socket, sys
qemu = {shutil.which(QEMU)!r}
if not any("id=qmp" in word for word in sys.argv):
    os.execv(qemu, [qemu] + sys.argv[1:])
runner = socket.socket(fileno=os.dup(4))
ours, theirs = socket.socketpair()
if os.fork():
    os.dup2(theirs.fileno(), 4)
    os.set_inheritable(4, True)
    os.execv(qemu, [qemu] + sys.argv[1:])
for number in range(3, 10):
    if number not in (runner.fileno(), ours.fileno()):
        try:
            os.close(number)
        except OSError:
            pass
greeting = ours.recv(65536)
runner.sendall(re.sub(b'"major": [0-9]+', b'"major": 98', greeting))
while True:
    for ready in select.select([runner, ours], [], [])[0]:
        data = ready.recv(65536)
        if not data:
            sys.exit()
        (ours if ready is runner else runner).sendall(data)
"""


class UnknownQemu(SystemTest):
    def test_one_that_refuses_the_plugin(self):
        """What QEMU 11.1 says to a plugin for interface 4."""
        qemu = self.script("qemu-system-x86_64", """#!/bin/sh
[ "$1" != --version ] || { echo "QEMU emulator version 98.1.0"; exit 0; }
echo "qemu-system-x86_64: Could not load plugin x.so: plugin requires API version 7, but this QEMU supports only a" \
     "minimum version of 12" >&2
exit 1
""")
        self.assert_fails(self.tracer("run", "--qemu", qemu, "--sink", "null", "--", "true"),
                          "QEMU 98.1.0 has another plugin interface", "tested with QEMU 10.0 to", "minimum version of 12")

    def test_a_newer_one_is_told_about_once(self):
        qemu = self.script("qemu-system-x86_64", NEWER)
        result = self.tracer("run", "--qemu", qemu, "--sink", "null", "--", "true")
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.err.count("is newer than those that this memory_tracer was tested with"), 1, result.err)
        self.assertIn("QEMU 98.", result.err)
        self.assertNotIn("is newer", self.tracer("run", "--qemu", qemu, "--sink", "untraced", "--", "true").err)

    def test_the_installed_one_is_not(self):
        result = self.tracer("run", "--sink", "null", "--", "true")
        self.assertEqual(result.status, 0, result.err)
        self.assertNotIn("is newer", result.err)


class Sandbox(SystemTest):
    def start_sleeping(self, qemu):
        script = self.script("workload", "#!/bin/sh\nsleep 60\n")
        return self.start("run", "--qemu", qemu, "--sink", "null", "--", script)

    def status(self, word):
        with open(f"/proc/{self.qemu_pid()}/status") as file:
            return dict(line.split(":", 1) for line in file)[word].strip()

    def stop(self, process):
        process.terminate()
        self.finish(process)

    @unittest.skipUnless(b"libseccomp.so" in open(shutil.which(QEMU), "rb").read(), "a QEMU without libseccomp")
    def test_it_is_on(self):
        process = self.start_sleeping(QEMU)
        try:
            deadline = time.time() + 60  # it is not the first thing that QEMU does
            while self.status("Seccomp") != "2" and time.time() < deadline:
                time.sleep(0.02)
            self.assertEqual((self.status("Seccomp"), self.status("NoNewPrivs")), ("2", "1"))
        finally:
            self.stop(process)

    def test_a_qemu_without_seccomp_still_works(self):
        """It refuses the option; that it lacks the library is seen in the file."""
        qemu = self.script("qemu-system-x86_64", f"""#!/bin/sh
case " $* " in *" -sandbox "*) echo "qemu: -sandbox support is not enabled in this QEMU binary" >&2; exit 1; esac
exec {shutil.which(QEMU)} "$@"
""")
        result = self.tracer("run", "--qemu", qemu, "--sink", "null", "--", "true")
        self.assertEqual((result.status, result.err.count("sandbox")), (0, 0), result.err)


if __name__ == "__main__":
    unittest.main()
