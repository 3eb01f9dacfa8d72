# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs that fail look failed: what can't be executed is refused before anything is started, and the last line tells how
a workload died and what to do about it."""
import json
import os
import signal
import subprocess
import unittest

from harness import TRACER, SystemTest

RUN = ("run", "--files", "image", "--qemu", "/usr/bin", "--sink", "untraced")


class FailureTest(SystemTest):
    def untraced(self, *arguments, cwd=None, user=None, **environment):
        """`memory_tracer run` without tracing, of what the guest need not have."""
        process = subprocess.Popen([TRACER, *RUN, *arguments], env=dict(self.environment, **environment), cwd=cwd, user=user,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self.finish(process)

    def file(self, name, contents, mode=0o755):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents.encode() if isinstance(contents, str) else contents)
        os.chmod(path, mode)
        return path

    def read_json(self, name):
        with open(self.path(name)) as file:
            return json.load(file)

    def program(self, name, source, *options):
        path = self.path(name)
        subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", path, *options], input=source, text=True, check=True)
        return path


class NothingIsStarted(FailureTest):
    """As a shell would say it. Without a guest: the image has no snapshot that could be started."""

    def setUp(self):
        super().setUp()
        self.image = self.file("no.qcow2", "")

    def refused(self, status, command, *texts, **popen):
        result = self.untraced("--image", self.image, "--", command, **popen)
        self.assert_fails(result, *texts, status=status)

    def test_not_found(self):
        self.refused(127, "no-such-command", "no-such-command is not in PATH")
        self.refused(127, "", "can't execute ''")
        self.refused(127, self.path("gone"), f"can't execute {self.path('gone')}: No such file or directory")
        self.refused(127, self.file("file", "") + "/below", "Not a directory")
        self.refused(127, "hello", "hello is not in PATH, but there is one in the current folder: ./hello",
                     cwd=os.path.dirname(self.file("here/hello", "#!/bin/sh\n")))

    def test_not_executable(self):
        os.mkfifo(self.path("fifo"))
        os.symlink("loop", self.path("loop"))
        self.refused(126, self.folder, f"can't execute {self.folder}: it is a folder")
        self.refused(126, self.file("plain", "#!/bin/sh\n", 0o644), "it is not marked as executable (chmod +x)")
        self.refused(126, self.path("fifo"), "it is a FIFO")
        self.refused(126, "/dev/null", "it is a device")
        self.refused(126, self.path("loop"), "symbolic links")
        self.refused(126, self.file("binary", b"a\0b\nc\n"), "it is neither an x86-64 program nor a script")
        self.refused(126, self.file("windows.exe", b"MZ\x90\0\x03"), "it is neither an x86-64 program nor a script")

    @unittest.skipIf(os.getuid(), "needs root")
    def test_another_user_may_not(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.temporary, 0o777)
        self.refused(126, self.file("private", "#!/bin/sh\n", 0o700), "Permission denied", user=65534)
        self.refused(126, self.file("secret", "#!/bin/sh\n", 0o711), "can't read", user=65534)

    def test_programs_for_something_else(self):
        with open("/bin/true", "rb") as file:
            good = file.read()
        for what, offset, byte in (("class", 4, 1), ("machine", 18, 183), ("type", 16, 1), ("headers", 56, 0)):
            with self.subTest(what):
                data = good[:offset] + bytes((byte,)) + good[offset + 1:]
                self.refused(126, self.file("elf", data), "can't execute " + self.path("elf") + ": it is ")
        for length in (4, 60, 100, len(good) // 2):
            with self.subTest(length=length):
                self.refused(126, self.file("elf", good[:length]), "can't execute " + self.path("elf") + ": it is ")

    def test_interpreters_and_loaders(self):
        text = self.file("text", "#!" + self.path("gone") + "\n")
        self.refused(127, text, f"can't execute {text}: its interpreter {self.path('gone')}: No such file or directory")
        self.refused(127, self.file("dos", "#!/bin/sh\r\necho\r\n"), "its interpreter /bin/sh: No such file", "CR LF")
        self.refused(126, self.file("folder", f"#! {self.folder} -x\n"), f"its interpreter {self.folder}: it is a folder")
        self.refused(126, self.file("itself", f"#!{self.path('itself')}\n"), "one another's interpreters")
        self.refused(127, self.file("outer", f"#!{text}\n"), f"its interpreter {text}: its interpreter {self.path('gone')}")
        for status, loader in ((127, self.path("gone")), (126, self.folder), (126, text)):
            program = self.program("prog", "int main(void) { return 0; }\n", "-Wl,--dynamic-linker=" + loader)
            self.refused(status, program, f"can't execute {program}: its loader {loader}: ")

    def test_a_folder_of_path_that_has_something_else_of_that_name(self):
        os.makedirs(self.path("one/hello"))
        self.file("two/hello", "#!/bin/sh\n", 0o644)
        folders = [self.path("one"), self.path("two")]
        self.refused(126, "hello", self.path("one/hello"), "it is a folder", PATH=":".join(folders))
        self.file("three/hello", b"\0")
        self.refused(126, "hello", self.path("three/hello"), PATH=":".join(folders + [self.path("three")]))

    def test_other_command_lines_keep_their_status(self):
        result = self.tracer("--dont_use_qemu", "--workload_path_on_host", self.file("text", "hello\n"))
        self.assert_fails(result, "neither an x86-64 program nor a script")


class Found(FailureTest):
    def hello(self, name):
        return self.file(name, f"#!/bin/sh\necho hello from {name}\n")

    def test_in_path_as_execvp_does(self):
        os.makedirs(self.path("one/hello"))
        self.file("two/hello", "#!/bin/sh\n", 0o644)
        self.hello("three/hello")
        self.hello("hello")
        usual = os.environ["PATH"]
        before = self.path("one") + ":" + self.path("two")
        for path, found in ((f"{before}:{self.path('three')}:{self.folder}", "three/hello"), (f"{before}::{usual}", "hello"),
                            ("", "hello"), (f"{usual}:", "hello"), (f"three:{usual}", "three/hello")):
            with self.subTest(path):
                result = self.untraced("hello", cwd=self.folder, PATH=path)
                self.assertEqual((result.status, result.out), (0, f"hello from {found}\n"), result.err)

    def test_texts_are_scripts(self):
        for contents, out in (("echo text $0 $1\n", "text {} x\n"), ("", ""), ("#!\necho none\n", "none\n"),
                              ("#!/usr/bin/env sh\necho env $1\n", "env x\n"), ("\n\0", ""),
                              ("#! /bin/sh -e\nfalse\necho\n", None)):
            with self.subTest(contents):
                path = self.file("script", contents)
                result = self.untraced(path, "x")
                self.assertEqual((result.status, result.out), (1, "") if out is None else (0, out.format(path)), result.err)


EAT_MEMORY = """#include <sys/mman.h>
int main(void)
{
    for (;;)
        if (mmap(0, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
            return 1;
}
"""


class Died(FailureTest):
    """The last line says of what. JSON has it, too."""

    def assert_last(self, result, *texts):
        last = result.err.splitlines()[-1]
        self.assertTrue(last.startswith("memory_tracer: "), result.err)
        for text in texts:
            self.assertIn(text, last)
        return last[len("memory_tracer: "):]

    def test_of_a_signal(self):
        result = self.tracer("run", "--files", "image", "--", "sh", "-c", "kill -SEGV $$")
        self.assertEqual(result.status, 128 + signal.SIGSEGV)
        self.assert_last(result, "the workload was killed by signal 11 (Segmentation fault)")
        for arguments, lines in ((["--json"], 2), (["--summary", self.path("summary")], 1)):
            with self.subTest(arguments):
                result = self.tracer("run", "--files", "image", *arguments, "--", "sh", "-c", "kill -ABRT $$")
                self.assertEqual(result.status, 128 + signal.SIGABRT)
                last = self.assert_last(result, "killed by signal 6 (Aborted)")
                self.assertEqual(len(result.err.splitlines()), lines, result.err)
        summary = self.read_json("summary")
        self.assertEqual((summary["exit_signal"], summary["out_of_memory"], summary["warnings"]), (6, 0, [last]))

    def test_recordings_say_so_too(self):
        trace = self.path("trace")
        result = self.tracer("record", "--files", "image", "-o", trace, "--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(result.status, 128 + signal.SIGTERM)
        self.assert_last(result, "killed by signal 15 (Terminated)")
        self.assert_good(trace)

    def test_what_the_workload_says_of_itself_adds_nothing(self):
        result = self.untraced("--", "sh", "-c", "echo error while loading shared libraries >&2; exit 127")
        self.assertEqual(result.status, 127)
        self.assertTrue(result.err.splitlines()[-1].endswith("s traced"), result.err)
        self.assertEqual(self.untraced("--", "sh", "-c", "sh -c 'kill -SEGV $$'; exit 4").status, 4)

    def test_of_a_library_that_the_guest_lacks(self):
        """The program's own libraries are brought along; not those of what it starts."""
        library = self.program("libanswer.so", "int answer(void) { return 42; }\n", "-shared", "-fPIC")
        os.mkdir(self.path("data"))
        self.program("data/prog", "int answer(void);\nint main(void) { return answer(); }\n", library)
        for line, text in (("~/qemu_mem_tracer_workload/prog", library + ", which isn't in the guest: with --files host"),
                           ("echo 'Error loading shared library libx.so: No such file or directory (needed by prog)' >&2; exit 127",
                            "the workload needs the library libx.so, which isn't in the guest"),
                           ("printf 'p: error while loading shared libraries: l\\033.so: file too short\\r\\n' >&2; exit 127",
                            "the workload could not load the library l\\x1b.so: file too short")):
            with self.subTest(line):
                result = self.untraced("--workload_dir_path", self.path("data"), "--", "sh", "-c", line)
                self.assertEqual(result.status, 127, result.err)
                self.assert_last(result, text)

    def test_of_memory(self):
        eater = self.program("eater", EAT_MEMORY)
        result = self.untraced("--summary", self.path("summary"), "--", eater)
        self.assertEqual(result.status, 128 + signal.SIGKILL, result.err)
        last = self.assert_last(result, "the guest ran out of memory (it has ", "image build --ram ", "--image big.qcow2")
        self.assertIn("memory_tracer: the workload was killed by signal 9 (Killed)", result.err)
        summary = self.read_json("summary")
        self.assertEqual((summary["out_of_memory"], summary["warnings"][-1]), (1, last))


class Until(FailureTest):
    SERVE = "echo on; sleep 0.5; echo up >/tmp/up; while :; do sleep 0.1; done"

    def test_the_workload_is_asked_to_end(self):
        trace = self.path("trace")
        result = self.tracer("record", "--files", "image", "-o", trace, "--summary", self.path("summary"), "--until",
                             "test -s /tmp/up", "--", "sh", "-c", "trap 'echo bye; exit 3' TERM; " + self.SERVE)
        self.assertEqual((result.status, result.out), (0, "on\nbye\n"), result.err)
        self.assertNotIn("memory_tracer:", result.err)
        self.assert_good(trace)
        self.assertEqual(self.info(trace)["metadata"]["until"], "test -s /tmp/up")
        summary = self.read_json("summary")
        self.assertEqual((summary["until_succeeded"], summary["exit_status"], summary["warnings"]), (True, 3, []))

    def test_however_it_dies(self):
        result = self.untraced("--until", "test -s /tmp/up", "--timeout", "1000", "--", "sh", "-c", self.SERVE)
        self.assertEqual((result.status, result.out), (0, "on\n"), result.err)
        self.assertNotIn("signal", result.err)

    def test_it_never_succeeds(self):
        result = self.untraced("--until", "false\n", "--", "sh", "-c", "sleep 0.5; exit 6")
        self.assertEqual(result.status, 6)
        self.assertEqual(result.err.splitlines()[-1], "memory_tracer: the workload has ended, and 'false' never succeeded")
        result = self.untraced("--until", "sleep 1000", "--timeout", "1", "--", "sleep", "1000")
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("memory_tracer: the workload was stopped after 1 s\n", result.err)
        self.assertIn("never succeeded", result.err.splitlines()[-1])

    def test_ctrl_c_while_it_hangs(self):
        process = self.start("run", "--files", "image", "--until", "sleep 1000", "--", "sh", "-c", "echo on; sleep 1000")
        self.assertEqual(process.stdout.readline(), "on\n")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assert_stopped(result)
        self.assertNotIn("signal", result.err)

    def test_wrong_usage(self):
        self.assert_fails(self.tracer("run", "--until", " ", "true"), "--until needs a command", status=2)
        result = self.trace("--dont_trace", "--until", "true", "--workload_path_on_guest", "/bin/true")
        self.assert_fails(result, "--until", status=2)


class WarmUp(FailureTest):
    def test_runs_come_before(self):
        result = self.tracer("run", "--files", "image", "--json", "--warm-up", "2", "--", "sh", "-c",
                             "echo run >>/tmp/runs; wc -l </tmp/runs; cat")
        self.assertEqual((result.status, result.out), (0, "3\n"), result.err)

    def test_what_was_read_is_read_from_memory(self):
        """So that there are fewer accesses."""
        def accesses(*options):
            result = self.tracer("run", "--files", "image", "--json", *options, "--", "perl", "-MPOSIX", "-e", "1")
            self.assertEqual(result.status, 0, result.err)
            return json.loads(result.err.splitlines()[-1])["accesses"]
        self.assertLess(accesses("--warm-up", "1"), accesses())

    def test_it_is_waited_for(self):
        result = self.untraced("--warm-up", "1", "--wait-timeout", "2", "--", "sleep", "1000")
        self.assert_fails(result, "gave up waiting for the workload to warm up after 2 s")

    def test_ctrl_c(self):
        process = self.start(*RUN, "--warm-up", "1000", "--", "sleep", "1000")
        line = process.stderr.readline()
        self.assertEqual(line, "memory_tracer: waiting for the workload to warm up\n")
        process.send_signal(signal.SIGINT)
        self.assert_fails(self.finish(process), "interrupted", status=130)

    def test_wrong_usage(self):
        for number in ("-1", "1001"):
            self.assert_fails(self.tracer("run", "--warm-up", number, "true"), "--warm-up must be in range [0, 1000]", status=2)
        self.assert_fails(self.tracer("run", "--warm-up", "x", "true"), "--warm-up", status=2)


class WithTheHostsFiles(FailureTest):
    """Likewise, where the workload sees this machine's files, each run of it its own changes of them."""

    def here(self, *arguments):
        return self.finish(self.start("run", "--files", "host", "--sink", "untraced", *arguments, cwd=self.folder))

    def test_interpreters_from_path(self):
        self.file("script", "#!/usr/bin/env python3\nimport sys\nprint(sys.argv)\n")
        self.assertEqual(self.here("./script", "x").out, "['./script', 'x']\n")
        self.file("folder/text", "echo $0; exit 3\n")
        result = self.here("--chdir", "folder", "./text")
        self.assertEqual((result.status, result.out), (3, self.path("folder/./text") + "\n"), result.err)
        self.assert_fails(self.here("--chdir", "folder", "./script"), "No such file", status=127)

    def test_until_sees_what_the_workload_has_written(self):
        result = self.here("--warm-up", "2", "--until", 'test "$(cat up)" = "$PWD"', "--", "sh", "-c",
                           "test -e up && echo again; sleep 0.3; pwd >up; sleep 1000")
        self.assertEqual((result.status, result.out), (0, ""), result.err)
        self.assertFalse(os.path.exists(self.path("up")))

    def test_of_a_library_that_this_machine_lacks(self):
        library = self.program("libanswer.so", "int answer(void) { return 42; }\n", "-shared", "-fPIC")
        self.program("prog", "int answer(void);\nint main(void) { return answer(); }\n", library)
        os.unlink(library)
        result = self.here("./prog")
        self.assertEqual(result.status, 127)
        self.assertIn(f"needs the library {library}, which its loader doesn't find on this machine", result.err.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
