# SPDX-License-Identifier: GPL-2.0-or-later
"""What each option of a run changes: sampling, regions, formats, time-outs, folders, running natively, QEMU's monitor."""
import collections
import ctypes
import json
import os
import pty
import re
import socket
import struct
import subprocess
import time
import unittest

from harness import ARRAY, BUILD, COUNTER, IMAGE, QEMU, SNAPSHOT, SPEAKS, SystemTest, trace_chunks, workload

ANALYSE = ["--analysis_tool_path", COUNTER, "--print_trace_info"]
ARRAY_INCREMENTS = ["--workload_path_on_host", ARRAY, SPEAKS]
EVENTS = "num_of_GMBE_events_since_enabling_GMBEOO"
WRITTEN = "num_of_events_written_to_trace_buf"


def static_program(test, source):
    with open(test.path("main.c"), "w") as file:
        file.write(source)
    subprocess.run(["gcc", "-O1", "-static", "-o", test.path("prog"), test.path("main.c")], check=True)


def user_trace(test, *options):
    """The records of that program's user accesses."""
    fifo = test.path("fifo")
    reader, read = test.start_reader(fifo)
    test.assert_succeeds(test.tracer("run", "--fifo", fifo, "--user-only", *options, test.path("prog")))
    reader.join()
    return read[0]


class Sampling(SystemTest):
    def sample(self, length, ratio, *options):
        result = self.trace(*ANALYSE, *ARRAY_INCREMENTS, "--log_of_GMBE_block_len", str(length),
                            "--log_of_GMBE_tracing_ratio", str(ratio), *options)
        self.assert_succeeds(result)
        self.assertEqual(result.number("records"), result.number(WRITTEN))
        self.assertEqual(result.number("actual_tracing_ratio (i.e. num_of_GMBE_events_since_enabling_GMBEOO / "
                                       "num_of_events_written_to_trace_buf)"),
                         result.number(EVENTS) // result.number(WRITTEN))
        return result

    def test_the_first_block_of_each_group(self):
        for length, ratio in ((0, 3), (3, 0), (5, 4), (10, 2)):
            with self.subTest(length=length, ratio=ratio):
                result = self.sample(length, ratio)
                groups, rest = divmod(result.number(EVENTS), 1 << length + ratio)
                self.assertEqual(result.number(WRITTEN), (groups << length) + min(rest, 1 << length))

    def test_extremes(self):
        self.assertEqual(self.sample(3, 61).number(WRITTEN), 8)
        self.assertEqual(self.sample(0, 64).number(WRITTEN), 1)
        for length, ratio in ((64, 0), (61, 3)):
            result = self.sample(length, ratio)
            self.assertEqual(result.number(WRITTEN), result.number(EVENTS))
            self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)

    def test_user_only_samples_user_accesses(self):
        result = self.sample(2, 2, "--trace_only_CPL3_code_GMBE")
        self.assertEqual(result.number("by the kernel"), 0)
        # 10 accesses to each element, one access of the loop in between now and then.
        self.assertAlmostEqual(result.number("in the array"), 25000, delta=2500)

    def test_a_seed_picks_other_blocks(self):
        """Which ones it picks is the same each time; the user accesses of a static program are, too."""
        static_program(self, "static volatile int a[1000];\nint main(void) { for (int i = 0; i < 5000; i++) a[i % 1000]++; }\n")
        one, same, other = (user_trace(self, "--log_of_GMBE_block_len", "4", "--log_of_GMBE_tracing_ratio", "4",
                                       "--sample-seed", seed) for seed in ("1", "1", "2"))
        self.assertGreater(len(one), 16 * 10000 / 16 * 0.9)
        self.assertTrue(one == same)
        self.assertFalse(one == other)

    def test_a_summary_of_a_sample_says_so(self):
        """The only block that is traced here is the beginning, where the kernel loads the program; most accesses are the
        program's own."""
        static_program(self, "static volatile int a[1000];\nint main(void) { for (int i = 0; i < 3000000; i++) a[i % 1000]++; }\n")
        few = ["--log_of_GMBE_block_len", "10", "--log_of_GMBE_tracing_ratio", "50"]
        whole = json.loads(self.tracer("run", "--json", self.path("prog")).err)
        self.assertGreater(whole["user"], whole["accesses"] / 2)
        self.assertNotIn("sample", whole)
        summary = json.loads(self.tracer("run", "--json", *few, self.path("prog")).err)
        self.assertFalse({"loads", "stores", "kernel", "user", "accesses_by_bytes"} & set(summary), "told of the whole run")
        self.assertGreater(summary["accesses"], 6000000)
        sample = summary["sample"]
        self.assertGreater(sample["kernel"], sample["records"] / 2)  # or this test would show nothing
        self.assertEqual(sample["records"], summary["records_written"])
        self.assertEqual(sample["loads"] + sample["stores"], sample["records"])
        self.assertAlmostEqual(sample["share_of_accesses"], sample["records"] / summary["accesses"])
        for verb, shares in ((["run"], True), (["run", "--sink", "null"], False), (["record", "-o", self.path("trace")], False)):
            text = self.tracer(*verb, *few, self.path("prog")).err
            before, after = re.search(r"(?s)(.*)the traced sample: 1024 records, [0-9.e-]+ % of the accesses(.*)", text).groups()
            self.assertNotIn("%", before)
            self.assertEqual("of these alone, not of the whole run" in after, shares)
            self.assertEqual("%" in after, shares)

    def test_wrong_arguments(self):
        for name, value in (("log_of_GMBE_block_len", 65), ("log_of_GMBE_tracing_ratio", -1),
                            ("log_of_GMBE_block_len", -7), ("log_of_GMBE_tracing_ratio", 1000)):
            self.assert_fails(self.trace(*ANALYSE, *ARRAY_INCREMENTS, f"--{name}={value}"),
                              f"memory_tracer: --{name} must be in range [0, 64], but {value} isn't.", status=2)
        self.assert_fails(self.trace(*ANALYSE, *ARRAY_INCREMENTS, "--log_of_GMBE_block_len", "60",
                                     "--log-of-GMBE-tracing-ratio", "5"),
                          "--log_of_GMBE_block_len + --log_of_GMBE_tracing_ratio must be in range [0, 64], but 60 + 5 = 65 isn't.",
                          status=2)
        self.assert_fails(self.trace(*ANALYSE, *ARRAY_INCREMENTS, "--sample-seed", "-1"), "--sample-seed", status=2)


class Regions(SystemTest):
    def test_only_what_is_inside(self):
        result = self.trace(*ANALYSE, "--workload_path_on_host", workload("regions"), SPEAKS, "--roi")
        self.assert_succeeds(result)
        self.assertIn("in the array: 100200, per element from 1002 to 1002\n", result.out)
        self.assertEqual(result.number("records"), result.number(EVENTS))

    def test_without_the_option_the_marks_do_nothing(self):
        result = self.trace(*ANALYSE, "--workload_path_on_host", workload("regions"), SPEAKS,
                            "--trace_only_CPL3_code_GMBE")
        self.assert_succeeds(result)
        self.assertIn("in the array: 40200600, per element from 402006 to 402006\n", result.out)

    def test_with_sampling(self):
        result = self.trace(*ANALYSE, "--workload_path_on_host", workload("regions"), SPEAKS, "--roi",
                            "--log_of_GMBE_block_len", "3", "--log_of_GMBE_tracing_ratio", "3")
        self.assert_succeeds(result)
        groups, rest = divmod(result.number(EVENTS), 64)
        self.assertEqual(result.number(WRITTEN), groups * 8 + min(rest, 8))
        self.assertGreater(result.number(EVENTS), 100200)
        self.assertLess(result.number(EVENTS), 1000000)

    def test_no_region_at_all_is_said(self):
        result = self.tracer("run", "--roi", "true")
        self.assertEqual(result.status, 0)
        self.assertIn("has marked no region of interest", result.err)


class Formats(SystemTest):
    def test_compact_records_hold_the_same(self):
        """A static program's user accesses are the same in each run."""
        static_program(self, "static volatile int a[1000];\nint main(void) { for (int i = 0; i < 1000; i++) a[i]++; }\n")
        trace, compact = user_trace(self), user_trace(self, "--record-format", "compact")
        expected = b"".join(struct.pack("<Q", address & (1 << 48) - 1 | (info & 255) << 48)
                            for info, address in struct.iter_unpack("<QQ", trace))
        self.assertGreater(len(compact), 2000 * 8)
        self.assertTrue(compact == expected)

    def test_kernel_addresses_fit(self):
        fifo = self.path("fifo")
        reader, read = self.start_reader(fifo)
        result = self.trace("--trace_fifo_path", fifo, "--workload_path_on_guest", "/bin/true", "--print_trace_info",
                            "--record-format", "compact")
        reader.join()
        self.assert_succeeds(result)
        self.assertEqual(len(read[0]), 8 * result.number(WRITTEN))
        kernel = [word for (word,) in struct.iter_unpack("<Q", read[0]) if not word >> 54 & 3]
        self.assertTrue(kernel)
        self.assertTrue(all(word >> 48 & 7 <= 4 for word in kernel))
        self.assertTrue(any(word >> 47 & 1 for word in kernel))

    def test_an_unknown_format(self):
        self.assert_fails(self.trace("--dont_trace", "--workload_path_on_guest", "/bin/true", "--record-format", "pdf"),
                          "--record-format must be gmbeoo or compact, but pdf isn't.", status=2)


class Timeout(SystemTest):
    def test_the_workload_and_its_children_are_stopped(self):
        script = self.script("workload", "#!/bin/bash\n(setsid bash -c 'while :; do :; done' &)\nwhile :; do :; done\n")
        result = self.trace(*ANALYSE, "--workload_path_on_host", script, "--timeout", "1")
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(result.err, "memory_tracer: the workload was stopped after 1 s\n")
        self.assertGreaterEqual(result.number("tracing_duration_in_milliseconds"), 900)
        self.assertEqual(result.number("records"), result.number(WRITTEN))

    def test_of_run(self):
        result = self.tracer("run", "--sink", "null", "--timeout", "1", "sleep", "100")
        self.assertEqual(result.status, 0, result.err)
        self.assertTrue(result.err.endswith("memory_tracer: the workload was stopped after 1 s\n"), result.err)

    def test_a_workload_that_ends_in_time(self):
        result = self.trace(*ANALYSE, "--workload_path_on_guest", "/bin/true", "--timeout", "60")
        self.assert_succeeds(result)
        self.assertEqual(result.err, "")

    def test_not_with_a_workload_that_speaks(self):
        self.assert_fails(self.trace(*ANALYSE, *ARRAY_INCREMENTS, "--timeout", "1"), "can't both be used", status=2)

    def test_negative(self):
        self.assert_fails(self.trace(*ANALYSE, "--workload_path_on_guest", "/bin/true", "--timeout=-1"), "timeout", status=2)


class Folder(SystemTest):
    def make(self):
        folder = self.path("a folder")
        os.makedirs(os.path.join(folder, "sub folder", "empty"))
        for name, mode, text in (("plain", 0o644, "plain\n"), ("with space", 0o600, "x" * 100000),
                                 ("sub folder/run me", 0o755, "#!/bin/sh\necho ran\n"), ("\u00fcml\u00e4ut\nline", 0o444, ""),
                                 ("-dash", 0o640, "d")):
            path = os.path.join(folder, name)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, mode)
        os.symlink("plain", os.path.join(folder, "link"))
        os.symlink("/no/such/target", os.path.join(folder, "dangling"))
        os.link(os.path.join(folder, "plain"), os.path.join(folder, "hard link"))
        os.mkfifo(os.path.join(folder, "a fifo"))
        os.chmod(os.path.join(folder, "sub folder"), 0o711)
        return folder

    def test_it_arrives_as_it_is(self):
        folder = self.make()
        script = self.script("workload", """#!/bin/bash
cd ~/qemu_mem_tracer_workload || exit 1
find . ! -type d -printf '%P|%y|%m|%l|%n|%s|%U\\0' | sort -z | tr '\\0\\n' '\\n?'
find . -type d -printf '%P|%y|%m\\0' | sort -z | tr '\\0' '\\n'
sha256sum 'with space'; './sub folder/run me'
""")
        result = self.tracer("run", "--sink", "untraced", "--workload_dir_path", folder, script)
        self.assertEqual(result.status, 0, result.err)
        here = subprocess.run(["bash", "-c", """cd "$1"
find . ! -type d -printf '%P|%y|%m|%l|%n|%s|0\\0' | LC_ALL=C.UTF-8 sort -z | tr '\\0\\n' '\\n?'
find . -type d -printf '%P|%y|%m\\0' | LC_ALL=C.UTF-8 sort -z | tr '\\0' '\\n'
sha256sum 'with space'; './sub folder/run me'""", "bash", folder], capture_output=True, text=True, check=True).stdout
        self.assertEqual(result.out, here)

    def test_a_large_one(self):
        folder = self.path("large")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "wb") as file:
            for _ in range(64):
                file.write(os.urandom(1 << 20))
        checksum = subprocess.run(["sha256sum", os.path.join(folder, "data")], capture_output=True, text=True).stdout[:64]
        result = self.tracer("run", "--sink", "untraced", "--workload-dir-path", folder, "--", "sh", "-c",
                             "sha256sum ~/qemu_mem_tracer_workload/data")
        self.assertEqual(result.out[:64], checksum, result.err)

    def test_wrong_folders(self):
        result = self.trace("--dont_trace", "--workload_path_on_guest", "/bin/true", "--workload_dir_path", self.path("no"))
        self.assert_fails(result, f"the workload's folder {self.path('no')} is not a folder")

    def test_holes_stay_holes(self):
        folder = self.path("sparse")
        os.mkdir(folder)
        with open(os.path.join(folder, "huge"), "wb") as file:
            file.truncate(6 << 30)  # larger than the guest's disk
            file.seek(5 << 30)
            file.write(b"data" * 100000)
        result = self.tracer("run", "--sink", "untraced", "--workload_dir_path", folder, "--", "sh", "-c",
                             "cd ~/qemu_mem_tracer_workload; stat -c %s huge; tail -c +5368709121 huge | head -c 8; echo; "
                             "du -m huge | cut -f1")
        self.assertEqual((result.status, result.out), (0, "6442450944\ndatadata\n1\n"), result.err)

    def test_what_cannot_be_read(self):
        folder = self.path("loop")
        os.mkdir(folder)
        os.symlink("loop", os.path.join(folder, "loop"))  # a link is no more than a link
        result = self.tracer("run", "--sink", "untraced", "--workload_dir_path", folder, "true")
        self.assertEqual(result.status, 0, result.err)

    def test_ctrl_c_while_it_is_packed(self):
        folder = self.path("large")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 1 << 30)
            file.write(b"x" * (400 << 20))
        process = self.start("run", "--workload_dir_path", folder, "true")
        time.sleep(0.15)
        process.send_signal(2)
        self.assert_fails(self.finish(process, 20), "interrupted", status=130)


class SpecialFiles(SystemTest):
    """Given where a regular file belongs, they are refused before the run; nothing waits for somebody to open them."""

    def setUp(self):
        super().setUp()
        self.fifo, self.socket = self.path("special.fifo"), self.path("special.socket")
        os.mkfifo(self.fifo, 0o777)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)

    def tearDown(self):
        self.listener.close()
        super().tearDown()

    def specials(self):
        for path in (self.fifo, self.socket, "/dev/zero", self.folder):
            with self.subTest(path=path):
                yield path

    def refused(self, process, *texts, status=1):
        self.assert_fails(self.finish(process, 30), *texts, status=status)

    def test_image(self):
        for path in self.specials():
            self.refused(self.start("run", "--image", path, "true"), "is not a file", path)

    def test_workload(self):
        for path in self.specials():
            self.refused(self.start("--dont_trace", "--workload_path_on_host", path, IMAGE, SNAPSHOT, QEMU),
                         "is not a file", path)

    def test_a_scripts_interpreter(self):
        script = self.script("script", f"#!{self.fifo}\n")
        self.refused(self.start("run", script), "it is a FIFO", self.fifo, status=126)

    def test_analysis_tool(self):
        for path in self.specials():
            self.refused(self.start("--analysis_tool_path", path, "--workload_path_on_guest", "/bin/true", IMAGE, SNAPSHOT,
                                    QEMU), "is not a file", path)

    def test_folder(self):
        for path in (self.fifo, self.socket, "/dev/zero"):
            self.refused(self.start("run", "--workload_dir_path", path, "true"), "is not a folder", path)

    def test_what_is_in_the_folder(self):
        folder = self.path("folder")
        os.mkdir(folder)
        os.rename(self.fifo, os.path.join(folder, "fifo"))
        os.rename(self.socket, os.path.join(folder, "socket"))
        os.symlink("/dev/zero", os.path.join(folder, "zero"))
        result = self.finish(self.start("run", "--sink", "untraced", "--workload_dir_path", folder, "--", "sh", "-c",
                                        "cd ~/qemu_mem_tracer_workload && stat -c '%F' *"), 60)
        self.assertEqual((result.status, result.out), (0, "fifo\nsymbolic link\n"), result.err)

    def test_trace_file(self):
        for path in self.specials():
            self.refused(self.start("record", "-o", path, "true"), "must be a regular file", path)
        self.refused(self.start("record", "-o", self.path("no/folder"), "true"), "No such file or directory")


class SummaryFile(SystemTest):
    """That it can't be written is told before the run: the workload's output isn't there."""

    def refused(self, path, *texts):
        result = self.finish(self.start("run", "--summary", path, "echo", "ran"), 30)
        self.assert_fails(result, "can't write the summary", *texts)
        self.assertEqual(result.out, "")

    def test_where_it_cannot_be_written(self):
        self.refused(self.path("no such folder/summary"), "No such file or directory")
        self.refused(self.folder, "a folder")
        self.refused("/proc/summary", "No such file or directory")

    def test_a_fifo_that_nobody_reads(self):
        os.mkfifo(self.path("fifo"))
        self.refused(self.path("fifo"), "nobody reads it")

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path("socket"))
            self.refused(self.path("socket"), "a socket")

    def test_a_device(self):
        result = self.tracer("run", "--summary", "/dev/null", "echo", "ran")
        self.assertEqual((result.status, result.out, result.err), (0, "ran\n", ""))
        result = self.tracer("run", "--summary", "/dev/full", "echo", "ran")
        self.assertEqual(result.out, "ran\n")
        self.assert_fails(result, "No space left on device")

    def test_an_older_one_stays_if_the_run_fails(self):
        path = self.path("summary")
        with open(path, "w") as file:
            file.write("old\n")
        self.assertNotEqual(self.tracer("run", "--summary", path, "--image", self.path("gone"), "true").status, 0)
        with open(path) as file:
            self.assertEqual(file.read(), "old\n")
        self.assertEqual(self.tracer("run", "--summary", path, "true").status, 0)
        with open(path) as file:
            self.assertIn("accesses", file.read())
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("summary")], ["summary"])


class LeftBehind(SystemTest):
    """After SIGKILL nobody can clean up: the next run does."""

    def start_and_kill(self, *arguments):
        """Kills a run once it has a temporary folder with a file in it."""
        process = self.start(*arguments)
        deadline = time.time() + 60
        while not any(files for _, _, files in os.walk(self.temporary)) and time.time() < deadline:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        left = os.listdir(self.temporary)
        self.assertEqual(len(left), 1)
        return left[0]

    def test_the_next_run_removes_it(self):
        folder = self.path("data")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "wb") as file:
            file.write(b"x" * (200 << 20))  # being packed when the run is killed
        self.start_and_kill("run", "--workload_dir_path", folder, "true")
        self.assertEqual(self.tracer("run", "--sink", "untraced", "true").status, 0)
        self.assertEqual(os.listdir(self.temporary), [])

    def test_not_that_of_a_run_that_goes_on(self):
        script = self.script("workload", "#!/bin/sh\nsleep 3\n")
        going_on = self.start("run", "--sink", "untraced", script)
        self.qemu_pid()
        folders = sorted(os.listdir(self.temporary))
        self.assertGreater(len(folders), 0)
        self.assertEqual(self.tracer("run", "--sink", "untraced", "true").status, 0)
        self.assertEqual(sorted(os.listdir(self.temporary)), folders)
        self.assertEqual(self.finish(going_on).status, 0)


class Native(SystemTest):
    def test_the_protocol_is_the_same(self):
        for positional in (["x", "y", "z"], []):
            result = self.tracer("--dont_use_qemu", "--workload_path_on_host", ARRAY, SPEAKS, "--print_trace_info", *positional)
            self.assert_succeeds(result)
            self.assertRegex(result.out,
                             r"\Aworkload info:\n0x[0-9a-f]+ 4 10000\ntracing_duration_in_milliseconds: \d+\n\Z")

    def test_a_workload_that_does_not_speak(self):
        script = self.script("workload", "#!/bin/sh\necho $HOME $1; pwd; exit 3\n")
        result = self.tracer("--dont_use_qemu", "--workload_path_on_host", script, "x", "y", "z")
        self.assertEqual(result.status, 0, result.err)
        self.assertIn(os.environ["HOME"], result.err)
        self.assertIn(os.getcwd(), result.err)
        self.assertIn("exited with status 3", result.err)

    def test_timeout(self):
        script = self.script("workload", "#!/bin/bash\n(setsid sleep 1000 &)\nsleep 1000\n")
        result = self.tracer("--dont_use_qemu", "--workload_path_on_host", script, "--timeout", "1")
        self.assertEqual(result.status, 0, result.err)

    def test_it_takes_the_workload_along_when_it_dies(self):
        script = self.script("workload", "#!/bin/bash\n(setsid sleep 1000 &)\nsleep 1000\n")
        for number in (2, 9):
            process = self.start("--dont_use_qemu", "--workload_path_on_host", script)
            deadline = time.time() + 10
            while sum("sleep 1000" in command for _, command in self.processes()) < 2 and time.time() < deadline:
                time.sleep(0.05)
            process.send_signal(number)
            process.communicate()
            while self.processes() and time.time() < deadline:
                time.sleep(0.05)
            self.assertEqual(self.processes(), [])
        for name in os.listdir(self.temporary):  # after SIGKILL nobody can
            os.rmdir(os.path.join(self.temporary, name))

    def test_what_is_not_there(self):
        self.assert_fails(self.tracer("--dont_use_qemu", "--workload_path_on_guest", "no-such-program"),
                          "can't execute no-such-program: No such file or directory")

    def test_what_it_cannot_be_used_with(self):
        for arguments in (["--dont_trace"], ["--analysis_tool_path", COUNTER], ["--workload_dir_path", self.folder]):
            self.assert_fails(self.tracer("--dont_use_qemu", "--workload_path_on_host", ARRAY, *arguments), status=2)


class Monitor(SystemTest):
    def run_with_input(self, text, *options):
        # In a session of its own there is no terminal: the monitor is on standard error then.
        process = subprocess.Popen([os.path.join(BUILD, "memory_tracer"), *options, IMAGE, SNAPSHOT, QEMU],
                                   env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(text, timeout=60)
        finally:
            process.kill()
        return process.returncode, out, err

    def test_the_guest_goes_on_until_somebody_quits(self):
        status, out, err = self.run_with_input("info status\ninfo version\nquit\n", *ANALYSE, *ARRAY_INCREMENTS,
                                               "--dont_exit_qemu_when_done")
        self.assertEqual(status, 0, err)
        self.assertRegex(err, r"(?s)\A[^\n]*QEMU [^\n]* monitor .*\(qemu\) .*VM status: running")
        self.assertRegex(out, r"\Aworkload info:\n(?s:.*)per element from 10 to 10\ntrace info:\n(num_of.*\n|actual.*\n)+\Z")

    def test_the_end_of_the_input_quits(self):
        status, out, err = self.run_with_input("info status\n", "--dont_trace", "--workload_path_on_guest", "/bin/true",
                                               "--dont_exit_qemu_when_done")
        self.assertEqual(status, 0, err)
        self.assertIn("VM status: running", err)
        self.assertRegex(out, r"\Atracing_duration_in_milliseconds: \d+\n\Z")

    def test_ctrl_c(self):
        process = self.start("--dont_trace", "--workload_path_on_guest", "/bin/true", "--dont_exit_qemu_when_done", IMAGE,
                             SNAPSHOT, QEMU)
        del process  # its standard input is /dev/null: it ends by itself
        reading, writing = os.pipe()
        process = subprocess.Popen([os.path.join(BUILD, "memory_tracer"), "--dont_trace", "--workload_path_on_guest",
                                    "/bin/true", "--dont_exit_qemu_when_done", IMAGE, SNAPSHOT, QEMU], stdin=reading,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment,
                                   start_new_session=True)
        self.assertRegex(process.stdout.readline(), "tracing_duration")
        time.sleep(0.5)
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
        os.close(reading)
        os.close(writing)
        self.assertEqual(process.returncode, 130, err)
        self.assertTrue(err.endswith("memory_tracer: interrupted\n"), err)

    def test_standard_output_holds_nothing_but_the_labels(self):
        """--dont_use_nographic: the monitor's banner, prompt and echo are not for scripts."""
        qemu = self.script("qemu-system-x86_64", f"#!/bin/sh\nexec {QEMU} -display vnc=unix:{self.path('vnc')} \"$@\"\n")
        process = subprocess.Popen([os.path.join(BUILD, "memory_tracer"), *ANALYSE, *ARRAY_INCREMENTS, "--dont_use_nographic",
                                    IMAGE, SNAPSHOT, qemu], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment, start_new_session=True)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertTrue(out.startswith("workload info:\n0x"), out)
        self.assertNotIn("qemu", out.lower())
        self.assertIn("QEMU", err)  # the monitor's banner

    def test_the_monitor_from_the_beginning_on_a_terminal(self):
        """--dont_use_nographic: here with a display that needs no screen."""
        qemu = self.script("qemu-system-x86_64", f"#!/bin/sh\nexec {QEMU} -display vnc=unix:{self.path('vnc')} \"$@\"\n")
        script = self.script("workload", "#!/bin/sh\nsleep 2\n")
        ours, theirs = pty.openpty()
        process = subprocess.Popen([os.path.join(BUILD, "memory_tracer"), "--dont_trace", "--dont_use_nographic",
                                    "--workload_path_on_host", script, IMAGE, SNAPSHOT, qemu], stdin=theirs,
                                   stdout=theirs, stderr=theirs, env=self.environment)
        os.close(theirs)
        os.write(ours, b"info status\r")
        text = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:
                break
            if not data:
                break
            text += data
        os.close(ours)
        self.assertEqual(process.wait(30), 0, text)
        self.assertIn(b"VM status: running", text)
        self.assertIn(b"tracing_duration_in_milliseconds: ", text)


class Icount(SystemTest):
    SLOW = """#!/usr/bin/env python3
import sys, time
bytes_, kernel, records, began = 0, 0, 0, time.time()
with open(sys.argv[1], 'rb', buffering=0) as fifo:
    while True:
        data = fifo.read(1 << 20)
        if not data: break
        infos = data[0::16]  # reads are multiples of 16 bytes but for the last one
        records += len(infos)
        kernel += sum(infos.count(bytes([i])) for i in range(64))
        time.sleep(float(sys.argv[2]))
print(records, kernel)
"""

    def kernel_share(self, pause, *options):
        """The kernel's share of the accesses, with a reader that sleeps for `pause` seconds after each MiB."""
        fifo = self.path("fifo")
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
        reader = subprocess.Popen([self.script("reader", self.SLOW), fifo, str(pause)], stdout=subprocess.PIPE, text=True)
        result = self.tracer("run", "--fifo", fifo, *options, "--", os.path.join(BUILD, "qsort_ints"), "100000")
        records, kernel = map(int, reader.communicate()[0].split())
        self.assert_succeeds(result)
        self.assertIn(f"{records}\n", result.err)
        return kernel / records

    def test_the_kernels_share_does_not_depend_on_the_readers_speed(self):
        fast, slow = self.kernel_share(0, "--icount"), self.kernel_share(0.03, "--icount")
        self.assertLess(abs(slow / fast - 1), 0.1)  # runs differ by up to 4 %, whoever reads: where files lie in memory, and so on
        # In real time there are more timer interrupts per instruction, the slower the machine is, and the reader.
        # Otherwise the bound above would show nothing.
        self.assertGreater(self.kernel_share(0.03) / slow - 1, 0.1)

    def test_user_only_runs_repeat_bit_for_bit(self):
        static_program(self, "#include <stdlib.h>\nint main(void) { int n = 3000, *a = malloc(n * 4);\n"
                             "for (int i = 0; i < n; i++) a[i] = rand(); for (int i = 1; i < n; i++)\n"
                             "for (int j = i; j && a[j] < a[j - 1]; j--) { int t = a[j]; a[j] = a[j - 1]; a[j - 1] = t; }\n"
                             "return a[0] > a[1]; }\n")
        for options in (["--icount"], []):
            self.assertTrue(user_trace(self, *options) == user_trace(self, *options))

    def modes(self, path):
        """How many instructions of user code there are of each mode."""
        class Instruction(ctypes.Structure):
            _fields_ = [("pc", ctypes.c_uint64), ("cpl", ctypes.c_uint8), ("length", ctypes.c_uint8),
                        ("bytes", ctypes.c_uint8 * 15), ("mode", ctypes.c_uint8)]
        library = ctypes.CDLL(os.path.join(BUILD, "libmemory_tracer.so"))
        library.mt_trace_open.restype = ctypes.c_void_p
        library.mt_trace_instruction.restype = ctypes.POINTER(Instruction)
        trace = ctypes.c_void_p(library.mt_trace_open(path.encode(), 0, None))
        instructions = [library.mt_trace_instruction(trace, number + 1).contents
                        for number in range(library.mt_trace_instructions(trace))]
        counts = collections.Counter((one.mode, bytes(one.bytes[:one.length])) for one in instructions if one.cpl == 3)
        kernel = {one.mode for one in instructions if one.cpl == 0}
        library.mt_trace_close(trace)
        return counts, kernel

    def test_instructions_tell_their_mode(self):
        with open(self.path("main.S"), "w") as file:
            file.write(".globl _start\n_start: mov $0x12345678, %eax\npush %eax\nmov $1, %eax\nxor %ebx, %ebx\nint $0x80\n")
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-o", self.path("prog"), self.path("main.S")], check=True)
        trace = self.path("modes.mtrace")
        self.assert_succeeds(self.tracer("record", "-o", trace, "--", "sh", "-c", self.path("prog")))
        counts, kernel = self.modes(trace)
        self.assertEqual(counts[2, b"\x50"], 1)  # push %eax; the agent's are of 64 bits
        self.assertEqual({mode for mode, _ in counts}, {2, 3})
        self.assertEqual(kernel, {3})

    def chunks_of_a_user_only_recording(self):
        """Those of instructions and of blocks."""
        path = self.path("prog.mtrace")
        self.assert_succeeds(self.tracer("record", "-o", path, "--user-only", "--fields", "no-task", self.path("prog")))
        with open(path, "rb") as file:
            data = file.read()
        chunks = trace_chunks(data)
        ends = [offset for offset, _ in chunks[1:]] + [len(data)]
        return [data[offset:end] for (offset, kind), end in zip(chunks, ends) if kind in (2, 3)]

    def test_the_chunks_of_user_only_recordings_repeat_byte_for_byte(self):
        """Some blocks, so that there are chunks of instructions between them."""
        static_program(self, "#include <stdlib.h>\nstatic int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }\n"
                             "int main(void) { int n = 60000, *a = malloc(n * 4);\n"
                             "for (int i = 0; i < n; i++) a[i] = rand() >> 2; qsort(a, n, 4, compare); return a[0] > a[1]; }\n")
        chunks = self.chunks_of_a_user_only_recording()
        self.assertGreater(len(chunks), 4)
        self.assertEqual(self.chunks_of_a_user_only_recording(), chunks)

    def test_snapshots_fit_or_are_refused(self):
        run = ["--dont_trace", "--workload_path_on_guest", "/bin/true"]
        self.assert_succeeds(self.trace(*run, "--icount", snapshot=SNAPSHOT + "_icount"))
        self.assert_fails(self.trace(*run, snapshot=SNAPSHOT + "_icount"), "was made with --icount")
        self.assert_fails(self.trace(*run, "--icount", snapshot="gone"), "no snapshot 'gone_icount'")


if __name__ == "__main__":
    unittest.main()
