# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload reads: our standard input, passed on as it comes, and given back as far as it wasn't read; a terminal."""
import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from harness import HEAVY_TESTS, TIMEOUT_S, TRACER, Result, SystemTest, not_sanitized

UNTRACED = ["run", "--sink", "untraced"]
AHEAD_BYTES = 64 * 1024


class Input(SystemTest):
    def run_with(self, stdin, *command, options=()):
        """Runs a command with a descriptor or bytes as its standard input; gives what it printed, as bytes, and its end."""
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        result = subprocess.run([TRACER, *UNTRACED, *options, "--", *command], env=self.environment, capture_output=True,
                                timeout=TIMEOUT_S, **given)
        return Result(result.returncode, result.stdout, result.stderr.decode())

    def open(self, text):
        with open(self.path("input"), "w") as file:
            file.write(text)
        return open(self.path("input"), "rb", buffering=0)

    def test_bytes_are_passed_on_whatever_they_are(self):
        for data in (b"", b"no line's end", os.urandom(1 << 20) + b"\0\r\n\x04\x03\x1d" * 50000):
            with self.subTest(bytes=len(data)):
                result = self.run_with(data, "sha256sum")
                self.assertEqual(result.out.split()[0].decode(), hashlib.sha256(data).hexdigest(), result.err)

    def test_they_come_when_they_are_written(self):
        process = subprocess.Popen([TRACER, *UNTRACED, "--", "sh", "-c", "while read line; do echo got $line; done; echo end"],
                                   env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        for word in ("one", "two"):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), f"got {word}\n")
        process.stdin.close()
        self.assertEqual(process.stdout.read(), "end\n")
        self.assertEqual(process.wait(TIMEOUT_S), 0)
        process.stdout.close()

    @not_sanitized
    def test_what_was_not_read_is_left(self):
        """Shells' loops read a line, and what they run reads the next one."""
        for files, has_name, command, wanted in (("host", True, ["head", "-c", "3"], 3), ("host", True, ["true"], 0),
                                                 ("host", False, ["head", "-c", "3"], 3), ("image", True, ["cat"], 10)):
            with self.subTest(files=files, has_name=has_name, command=command), self.open("1\n2\n3\n4\n5\n6\n") as file:
                if not has_name:
                    os.unlink(file.name)
                file.seek(2)
                self.assertEqual(len(self.run_with(file, *command, options=["--files", files]).out), wanted)
                self.assertEqual(file.tell(), 2 + wanted)

    def test_a_loop_over_lines(self):
        self.open("1\n2\n3\n4\n").close()
        result = subprocess.run(["bash", "-c", f"while read line; do echo $line; {TRACER} {' '.join(UNTRACED)} -- head -n 1; done "
                                 f"<{self.path('input')}"], env=self.environment, capture_output=True, text=True, timeout=TIMEOUT_S)
        self.assertEqual(result.stdout, "1\n2\n3\n4\n", result.stderr)

    def test_a_file_can_be_sought_and_mapped(self):
        program = "import mmap, sys; i = sys.stdin.buffer; i.seek(4); print(i.read(2), mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:3])"
        with self.open("abcdefgh") as file:
            self.assertEqual(self.run_with(file, "python3", "-c", program).out, b"b'ef' b'abc'\n")

    def feed(self, process, written):
        """Writes for ever, and counts."""
        try:
            while True:
                written[0] += os.write(process.stdin.fileno(), bytes(4096))
        except OSError:
            written[1] = True

    def start_fed(self, command):
        process = subprocess.Popen([TRACER, *UNTRACED, "--", "sh", "-c", command], env=self.environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        written = [0, False]
        thread = threading.Thread(target=self.feed, args=(process, written))
        thread.start()
        return process, written, thread

    def end_fed(self, process, thread):
        out, err = process.stdout.read(), process.stderr.read()
        status = process.wait(TIMEOUT_S)
        thread.join(TIMEOUT_S)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        return Result(status, out, err)

    def test_not_much_is_read_ahead(self):
        process, written, thread = self.start_fed("echo started; sleep 3")
        capacity = fcntl.fcntl(process.stdin, 1032)  # F_GETPIPE_SZ
        result = self.end_fed(process, thread)
        self.assertEqual(result.status, 0, result.err)
        self.assertLessEqual(written[0], capacity + AHEAD_BYTES)

    def test_nobody_writes_where_nobody_reads(self):
        process, written, thread = self.start_fed("exec <&-; echo closed; sleep 1000")
        thread.join(TIMEOUT_S)  # while the workload goes on
        self.assertTrue(written[1])
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assert_stopped(self.end_fed(process, thread))

    def test_the_end_of_a_reader_is_the_end(self):
        process, _, thread = self.start_fed("head -c 5 | wc -c")
        result = self.end_fed(process, thread)
        self.assertEqual((result.status, result.out), (0, "5\n"), result.err)

    def test_ctrl_c_while_much_waits(self):
        process, _, thread = self.start_fed("echo started; sleep 1000")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        self.assert_stopped(self.end_fed(process, thread))

    def test_a_run_that_fails_takes_nothing(self):
        with self.open("1\n2\n") as file:
            process = subprocess.Popen([TRACER, *UNTRACED, "--files", "image", "--", "sh", "-c", "echo started; sleep 1000"],
                                       env=self.environment, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            process.stdout.readline()
            os.kill(self.qemu_pid(), signal.SIGKILL)
            self.assertEqual(process.wait(TIMEOUT_S), 1)
            process.stdout.close()
            self.assertEqual(file.tell(), 0)

    def test_warm_ups_read_a_file_too(self):
        with self.open("1\n2\n") as file:
            file.seek(2)
            self.run_with(file, "sh", "-c", f"cat >>{self.folder}/log", options=["--files", "host", "--warm-up", "2", "--rw", self.folder])
            self.assertEqual(file.tell(), 4)
        with open(self.path("log")) as log:
            self.assertEqual(log.read(), "2\n" * 3)

    def test_a_file_that_is_written_meanwhile(self):
        with self.open("1\n2\n") as file:
            result = self.run_with(file, "sh", "-c", f"read line; echo 3 >>{file.name}; cat", options=["--files", "host", "--rw", self.folder])
            self.assertEqual(result.out, b"2\n3\n", result.err)

    def test_what_can_not_be_read_is_empty(self):
        folder = os.open("/", os.O_RDONLY)
        self.assertEqual(self.run_with(folder, "cat").out, b"")
        os.close(folder)
        result = subprocess.run(["sh", "-c", f"exec {TRACER} {' '.join(UNTRACED)} -- cat <&-"], env=self.environment,
                                capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual((result.returncode, result.stdout), (0, b""))

    if HEAVY_TESTS:
        def test_a_gigabyte(self):
            zeros = subprocess.Popen(["head", "-c", str(1 << 30), "/dev/zero"], stdout=subprocess.PIPE)
            result = subprocess.run([TRACER, *UNTRACED, "--", "wc", "-c"], env=self.environment, stdin=zeros.stdout,
                                    capture_output=True, timeout=3600)
            zeros.stdout.close()
            self.assertEqual((zeros.wait(), result.stdout), (0, b"1073741824\n"), result.stderr)


class TerminalTest(SystemTest):
    """--tty, on a terminal of which we are the other side."""

    def setUp(self):
        super().setUp()
        self.ours, self.theirs = pty.openpty()
        self.resize(33, 77)
        self.before = termios.tcgetattr(self.theirs)
        self.screen = b""

    def tearDown(self):
        os.close(self.ours)
        os.close(self.theirs)
        super().tearDown()

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start_there(self, *command, options=("--sink", "untraced")):
        return subprocess.Popen([TRACER, "run", "--tty", *options, "--", *command], env=dict(self.environment, TERM="xterm"),
                                stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True,
                                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def wait_for(self, text):
        """Until it is on the screen, behind what was waited for before."""
        deadline = time.time() + TIMEOUT_S
        while text not in self.screen:
            if time.time() > deadline:
                self.fail(f"no {text!r} on the screen: {self.screen!r}")
            if select.select([self.ours], [], [], 0.2)[0]:
                self.screen += os.read(self.ours, 65536)
        self.screen = self.screen.split(text, 1)[1]

    def wait_for_end(self, process):
        deadline = time.time() + TIMEOUT_S
        while process.poll() is None and time.time() < deadline:
            if select.select([self.ours], [], [], 0.1)[0]:
                self.screen += os.read(self.ours, 65536)
        while select.select([self.ours], [], [], 0.2)[0]:
            self.screen += os.read(self.ours, 65536)
        self.assertEqual(termios.tcgetattr(self.theirs), self.before, "the terminal isn't as it was")
        return process.wait(1)


class Terminal(TerminalTest):
    def test_it_has_a_terminal_like_ours(self):
        process = self.start_there("sh", "-c", "tty && stty size && echo $TERM && test -t 0 -a -t 1 -a -t 2; exit 5")
        for text in (b"/dev/pts/", b"33 77\r\n", b"xterm\r\n"):
            self.wait_for(text)
        self.assertEqual(self.wait_for_end(process), 5)

    def test_keys_are_its_own(self):
        process = self.start_there("sh", "-c", "trap 'caught=1; echo caught' INT; echo ready; until [ $caught ]; do sleep 0.1; done; "
                                   "read line; echo \"<$line>\"; stty raw -echo; "
                                   "echo raw; head -c 3 | od -An -tx1; stty sane")
        self.wait_for(b"ready")
        os.write(self.ours, b"\x03")
        self.wait_for(b"caught")
        os.write(self.ours, b"some words\r")
        self.wait_for(b"<some words>")
        self.wait_for(b"raw")
        os.write(self.ours, b"\x1a\x03\x04")
        self.wait_for(b"1a 03 04")
        self.assertEqual(self.wait_for_end(process), 0)

    def test_it_hears_of_another_size(self):
        process = self.start_there("sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done")
        self.wait_for(b"ready")
        self.resize(20, 100)
        self.wait_for(b"20 100")
        os.write(self.ours, b"\x1d")
        self.assertEqual(self.wait_for_end(process), 130)

    def test_the_escape_key_stops_and_keeps_what_was_traced(self):
        process = self.start_there("sh", "-c", "echo ready; exec cat", options=[])
        self.wait_for(b"ready")
        os.write(self.ours, b"some\x1d")
        self.assertEqual(self.wait_for_end(process), 130)
        self.assertIn(b"traced, until it was stopped\r\n", self.screen)

    def test_the_terminal_is_given_back_whatever_happens(self):
        process = self.start_there("sh", "-c", "echo ready; sleep 1000")
        self.wait_for(b"ready")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.wait_for_end(process), 130)
        self.assertEqual(self.wait_for_end(self.start_there("no such program")), 127)
        self.assertEqual(self.wait_for_end(self.start_there("sh", "-c", "kill -SEGV $$")), 128 + 11)

    def test_it_can_be_interrupted_until_it_has_begun(self):
        process = self.start_there("sh", "-c", "echo warm; sleep 1000", options=["--sink", "untraced", "--warm-up", "1"])
        self.wait_for(b"warm up")  # we wait for that
        os.write(self.ours, b"\x03")
        self.assertEqual(self.wait_for_end(process), 130)

    def test_the_escape_key_works_whatever_was_typed_before(self):
        process = self.start_there("sh", "-c", "stty raw -echo; echo ready; sleep 1000")
        self.wait_for(b"ready")
        for _ in range(20):
            os.write(self.ours, b"x" * 1000)
            time.sleep(0.05)
        os.write(self.ours, b"\x1d")
        self.assertEqual(self.wait_for_end(process), 130)

    def test_what_is_typed_before_it_reads_comes(self):
        process = self.start_there("sh", "-c", "stty raw -echo; echo ready; sleep 1; head -c 8000 | wc -c")
        self.wait_for(b"ready")
        for _ in range(8):
            os.write(self.ours, b"x" * 1000)
            time.sleep(0.05)
        self.wait_for(b"8000")
        self.assertEqual(self.wait_for_end(process), 0)

    def test_the_terminal_is_given_back_while_we_are_stopped(self):
        process = self.start_there("sh", "-c", "echo ready; read line; echo \"<$line>\"")
        self.wait_for(b"ready")
        raw = termios.tcgetattr(self.theirs)
        self.assertNotEqual(raw, self.before)
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            process.send_signal(number)
            self.assertTrue(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
            if number == signal.SIGTSTP:
                self.assertEqual(termios.tcgetattr(self.theirs), self.before)
            termios.tcsetattr(self.theirs, termios.TCSANOW, self.before)  # as a shell does
            process.send_signal(signal.SIGCONT)
            deadline = time.time() + TIMEOUT_S
            while termios.tcgetattr(self.theirs) != raw and time.time() < deadline:
                time.sleep(0.05)
        os.write(self.ours, b"word\r")
        self.wait_for(b"<word>")
        self.assertEqual(self.wait_for_end(process), 0)

    def test_with_the_guests_own_files(self):
        process = self.start_there("sh", "-c", "env | grep -E '^(TERM|LANG)=' | sort",
                                   options=["--sink", "untraced", "--files", "image", "--env", "LANG=C"])
        self.wait_for(b"LANG=C\r\nTERM=xterm\r\n")
        self.assertEqual(self.wait_for_end(process), 0)

    def test_there_must_be_one(self):
        self.assert_fails(self.tracer("run", "--tty", "true"), "--tty: standard input and output must be a terminal", status=2)


# A shell with job control, as far as that is needed: a leader of the terminal that gives it to what it runs, takes it back,
# reads a line itself, and gives it again.
SHELL = """
import os, signal, subprocess, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
run = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: (os.setpgid(0, 0), signal.signal(signal.SIGTTOU, signal.SIG_DFL)))
def give(group):
    os.tcsetpgrp(0, group)
give(run.pid)
input_is = os.read(3, 1)
give(os.getpgrp())
print("shell:", os.read(0, 100).decode().strip(), flush=True)
print("stopped:", os.waitpid(run.pid, os.WNOHANG | os.WUNTRACED), flush=True)
give(run.pid)
status = run.wait()
give(os.getpgrp())
print("status:", status, flush=True)
"""


class JobControl(TerminalTest):
    """Without --tty, in a shell."""

    def test_a_terminal_is_left_to_who_is_in_its_foreground(self):
        reading, writing = os.pipe()
        process = subprocess.Popen(["python3", "-c", SHELL, TRACER, *UNTRACED, "--", "sh", "-c",
                                    "echo ready; while read line; do echo \"<$line>\"; done"], env=self.environment,
                                   stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True,
                                   preexec_fn=lambda: (fcntl.ioctl(0, termios.TIOCSCTTY, 0), os.dup2(reading, 3)), pass_fds=[3])
        os.close(reading)
        self.wait_for(b"ready")
        os.write(self.ours, b"one\n")
        self.wait_for(b"<one>")
        os.write(writing, b"x")
        os.close(writing)
        time.sleep(0.5)
        os.write(self.ours, b"command\n")
        self.wait_for(b"shell: command")
        self.wait_for(b"stopped: (0, 0)")
        os.write(self.ours, b"two\n")
        self.wait_for(b"<two>")
        os.write(self.ours, b"\x04")
        self.wait_for(b"status: 0")
        process.wait(TIMEOUT_S)

    def test_a_terminal_that_is_not_our_own(self):
        process = subprocess.Popen([TRACER, *UNTRACED, "--", "sh", "-c", "read line; echo \"<$line>\""], env=self.environment,
                                   stdin=self.theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        os.write(self.ours, b"word\n")
        self.assertEqual(process.communicate(timeout=TIMEOUT_S)[0], b"<word>\n")


if __name__ == "__main__":
    unittest.main()
