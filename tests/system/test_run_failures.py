# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs that fail look failed: what can't be executed is refused before anything is started, and the last line tells how
a workload died and what to do about it."""
import os
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

    def program(self, name, source, *options):
        path = self.path(name)
        subprocess.run(["gcc", "-x", "c", "-", "-o", path, *options], input=source, text=True, check=True)
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


if __name__ == "__main__":
    unittest.main()
