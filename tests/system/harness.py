# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared by the system tests: runs memory_tracer on the default guest, and checks that it leaves nothing behind."""
import json
import os
import pwd
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("MEMORY_TRACER_BUILD", os.path.join(ROOT, "build")))
TRACER = os.path.join(BUILD, "memory_tracer")
IMAGE = os.environ.get("MEMORY_TRACER_IMAGE") or os.path.join(
    os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "memory_tracer", "default.qcow2")
SNAPSHOT = "ready_for_memory_tracer"
QEMU = "qemu-system-x86_64"
COUNTER = os.path.join(BUILD, "count_array_accesses_copying")  # the example, which copies what it reads for us
ARRAY = os.path.join(BUILD, "array_increments")
SPEAKS = "--dont_add_communications_with_host_to_workload"
TIMEOUT_S = 120
HEAVY_TESTS = "MEMORY_TRACER_HEAVY_TESTS" in os.environ  # ./check --all: they take minutes each, and more packages

# A shell's background job ignores SIGINT, nohup's SIGHUP, and so would what we start; tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)


def workload(name):
    return os.path.join(BUILD, "workload_" + name)


def boot_image(source, image):
    """Assembles a boot sector of tests/workloads."""
    elf = image + ".elf"
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x7c00,--build-id=none,-e,_start", "-o", elf,
                    os.path.join(ROOT, "tests", "workloads", source)], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", elf, image], check=True)
    os.unlink(elf)


# Told where something takes long, as it may on a slow or busy machine.
PATIENCE = ("memory_tracer: waiting for", "memory_tracer: reading the guest kernel's symbols")


class Result:
    """How a program ended. `all_err` is its standard error; `err` is without the lines that only slow machines get."""

    def __init__(self, status, out, err):
        self.status, self.out, self.all_err = status, out, err or ""  # None: it was not for us
        self.err = "".join(line for line in self.all_err.splitlines(keepends=True) if not line.startswith(PATIENCE))

    def number(self, label):
        """The number after `label` in what was printed."""
        found = re.search(re.escape(label) + r":? (\d+)", self.out)
        if not found:
            raise AssertionError(f"no '{label}' in {self.out!r}; stderr: {self.err!r}")
        return int(found.group(1))


def read_to_end(path, into):
    with open(path, "rb") as file:
        into.append(file.read())


def not_sanitized(test):
    """Marks a test that runs as built only, not with sanitizers: it takes long, and other tests cover the same code of the runner."""
    test.not_sanitized = True
    return test


class SystemTest(unittest.TestCase):
    """Each test has a folder of its own, which is the temporary folder of the programs that it starts: they must leave it empty."""
    tracer_path = TRACER

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mt_system_test.")
        self.temporary = os.path.join(self.folder, "tmp")
        os.mkdir(self.temporary)
        self.copy = self.path("copy_of_trace")  # of what COUNTER has read
        self.environment = dict(os.environ, TMPDIR=self.temporary, LC_ALL="C.UTF-8", COPY_OF_TRACE=self.copy)
        self.streams = []  # what was read from FIFOs: checked in the end

    def tearDown(self):
        try:
            self.assert_no_leftovers()
            for read in self.streams:
                for records in filter(None, read):
                    check_stream(records)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def assert_no_leftovers(self):
        deadline = time.time() + 10
        while self.processes() and time.time() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.processes(), [], "processes left behind")
        self.assertEqual(os.listdir(self.temporary), [], "temporary files left behind")

    def processes(self):
        """The command lines of the processes that this test has started, directly or not, and that still run."""
        mark = f"TMPDIR={self.temporary}\0".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if mark not in file.read() + b"\0":
                        continue
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found.append((int(pid), file.read().replace(b"\0", b" ").decode(errors="replace")))
            except OSError:
                continue
        return found

    def qemu_pid(self):
        """The pid of the QEMU that this test has started, once it runs."""
        deadline = time.time() + 30
        while time.time() < deadline:
            for pid, command in self.processes():
                if "-loadvm" in command:
                    return pid
            time.sleep(0.02)
        self.fail("QEMU was not started")

    def start_reader(self, fifo):
        """Makes a FIFO and starts to read it to its end. Gives the thread and the list that will hold what it read."""
        read = []
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
        self.streams.append(read)
        thread = threading.Thread(target=read_to_end, args=(fifo, read))
        thread.start()
        return thread, read

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, name, text):
        """Writes an executable script and returns its path."""
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def start(self, *arguments, **popen):
        return subprocess.Popen([self.tracer_path] + list(arguments), env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)

    def finish(self, process, timeout_s=TIMEOUT_S):
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
            self.fail(f"memory_tracer hung; stdout: {out!r} stderr: {err!r}")
        return Result(process.returncode, out, err)

    def tracer(self, *arguments):
        return self.finish(self.start(*arguments))

    def trace(self, *options, image=IMAGE, snapshot=SNAPSHOT, qemu=QEMU):
        """The positional command line."""
        result = self.tracer(*options, image, snapshot, qemu)
        if result.status == 0 and COUNTER in options:
            self.assertEqual(self.assert_good(self.copy)["records"], result.number("records"))
        return result

    def assert_succeeds(self, result):
        self.assertEqual(result.status, 0, result.err)
        self.assertNotIn("ATTENTION", result.err)

    def assert_fails(self, result, *texts, status=1):
        """It ended with one line on stderr that has all of `texts`."""
        lines = result.err.splitlines()
        self.assertEqual(result.status, status, result.err)
        self.assertEqual(len(lines), 1, result.err)
        self.assertTrue(lines[0].startswith("memory_tracer: "), result.err)
        for text in texts:
            self.assertIn(text, lines[0])

    def assert_stopped(self, result, reason="interrupted", status=130):
        """The run was stopped while it traced; it has kept its records, and says why it was stopped."""
        self.assertEqual(result.status, status, result.err)
        self.assertIn(f"memory_tracer: {reason}: stopping; what was traced is kept", result.err)
        self.assertEqual(result.err.splitlines()[-1], f"memory_tracer: {reason}")

    def assert_good(self, trace):
        """`memory_tracer check` finds nothing wrong with it. Gives what it says."""
        result = self.tracer("check", "--json", trace)
        self.assertEqual(result.status, 0, result.out + result.err)
        return json.loads(result.out)

    def record(self, name, *arguments, status=0):
        """`memory_tracer record`; every trace must be a good one. Gives the file's path."""
        path = self.path(name)
        result = self.tracer("record", "-o", path, *arguments)
        self.assertEqual(result.status, status, result.err)
        self.assertNotIn("ATTENTION", result.err)
        self.assertEqual(int(re.search(r"bytes in the file +(\d+)", result.err).group(1)), os.path.getsize(path))
        self.assert_good(path)
        return path

    def info(self, trace):
        result = self.tracer("info", "--json", trace)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)


class OrdinaryUserTest(SystemTest):
    """Starts programs as a user other than root, from a copy of the files of a run, which that user can read."""

    INSTALLED = ["memory_tracer", "memory_tracer_agent", "libgmbe.so"]
    USER = "nobody"

    @classmethod
    def setUpClass(cls):
        cls.installed = tempfile.mkdtemp(prefix="mt_installed.")
        cls.addClassCleanup(shutil.rmtree, cls.installed)
        os.chmod(cls.installed, 0o755)
        for name in cls.INSTALLED:
            shutil.copy(os.path.join(BUILD, name), cls.installed)
        cls.image = os.path.join(cls.installed, "image")
        for suffix in ("", ".json"):
            shutil.copyfile(IMAGE + suffix, cls.image + suffix)
        # He has made it: see src/image/own_images.c.
        status = os.stat(cls.image)
        seconds, ns = divmod(status.st_mtime_ns, 10 ** 9)
        cls.own_image = f"{status.st_dev} {status.st_ino} {status.st_size} {seconds}.{ns:09d}\n"

    def setUp(self):
        super().setUp()
        entry = pwd.getpwnam(self.USER)
        self.ids = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [entry.pw_gid, 3]}
        self.home = self.path("home")
        os.makedirs(os.path.join(self.home, "data", "memory_tracer"))
        with open(os.path.join(self.home, "data", "memory_tracer", "images"), "w") as file:
            file.write(self.own_image)
        os.chmod(self.folder, 0o755)
        self.give(self.home)
        self.give(self.temporary)
        self.environment.update(HOME=self.home, XDG_DATA_HOME=os.path.join(self.home, "data"), MEMORY_TRACER_IMAGE=self.image,
                                XDG_CACHE_HOME=os.path.join(self.home, "cache"))

    def give(self, path):
        """Makes the user the owner of a folder and of all that is in it."""
        for folder, folders, files in os.walk(path):
            for name in [folder] + [os.path.join(folder, name) for name in folders + files]:
                os.chown(name, self.ids["user"], self.ids["group"])


def trace_chunks(data):
    """The offset and the type of each chunk of a trace file (doc/trace_format.md)."""
    chunks, offset = [], 64
    while data[offset:offset + 4] == b"MTck":
        kind, payload = struct.unpack_from("<IQ", data, offset + 4)
        chunks.append((offset, kind))
        offset += 32 + (payload + 7) // 8 * 8
    return chunks


def check_stream(records):
    """The same for what was read from a FIFO."""
    result = subprocess.run([TRACER, "check", "-"], input=records, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        raise AssertionError(result.stdout.decode())
