# SPDX-License-Identifier: GPL-2.0-or-later
"""record --embed-debug: the debug information of programs outlives them."""
import json
import os
import re
import subprocess
import unittest

from harness import BUILD, SystemTest
from test_live_names import LOOP

LIBRARY = """struct basket { int count; long never_used; };
struct basket of_library;
int never_called(int argument) { return argument + 1; }
void add(int number) { of_library.count += number; }
"""


class EmbedDebug(SystemTest):
    def build(self, loop):
        """A program with its own debug information, and a library with a separate debug file."""
        library, program = self.path("basket.so"), self.path("prog")
        for name, text in (("basket.c", LIBRARY),
                           ("prog.c", "void add(int);\n" + loop.replace("return 0;", "add(1); return 0;"))):
            with open(self.path(name), "w") as file:
                file.write(text)
        for command in (["gcc", "-g", "-O1", "-shared", "-fPIC", "-o", library, self.path("basket.c")],
                        ["objcopy", "--only-keep-debug", library, library + ".debug"],
                        ["objcopy", "--strip-debug", "--add-gnu-debuglink", library + ".debug", library],
                        ["gcc", "-g", "-O1", "-o", program, self.path("prog.c"), library]):
            subprocess.run(command, check=True, cwd=self.folder)
        return program, library

    def info(self, trace, *options):
        result = self.tracer("info", "--json", *options, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        return json.loads(result.out)

    def extracted(self, folder, build_id):
        with open(os.path.join(folder, ".build-id", build_id[:2], build_id[2:] + ".debug"), "rb") as file:
            return file.read()

    def build_id(self, path):
        notes = subprocess.run(["readelf", "-n", path], stdout=subprocess.PIPE, text=True, check=True).stdout
        return re.search(r"Build ID: ([0-9a-f]+)", notes).group(1)

    def test_it_is_what_it_was_when_the_programs_are_gone(self):
        program, library = self.build(LOOP)
        ids = {self.build_id(program): program, self.build_id(library): library + ".debug"}
        contents = {}
        for build_id, path in ids.items():
            with open(path, "rb") as file:
                contents[build_id] = file.read()
        path = self.path("a.mtrace")
        result = self.tracer("record", "-o", path, "--embed-debug", "--user-only", "--json", "--", program)
        self.assertEqual(result.status, 0, result.err)
        summary = json.loads(result.err)
        self.assert_good(path)
        self.build(LOOP.replace("hot_loop", "another_loop"))
        for gone in (library, library + ".debug"):
            os.unlink(gone)

        files = {each["id"]: each for each in self.info(path, "--extract-debug", self.path("debug"))["debug_files"]}
        self.assertEqual(files[self.build_id_of(path, "prog", files)]["path"], program)
        self.assertEqual(sum(each["bytes"] for each in files.values()), summary["debug_bytes"])
        self.assertLess(summary["debug_bytes"], summary["trace_bytes"])
        for build_id, content in contents.items():
            self.assertEqual(self.extracted(self.path("debug"), build_id), content)
        debug_file = next(os.path.join(self.path("debug"), ".build-id", each[:2], each[2:] + ".debug")
                          for each, path_ in ids.items() if path_ != program)
        text = subprocess.run(["readelf", "--debug-dump=info", debug_file], stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("never_used", text)
        self.assertIn("never_called", text)

        # What is made of a trace has it, too: each file once.
        self.assertEqual(self.tracer("cut", "-o", self.path("cut"), "--events", "..10", path).status, 0)
        self.assertEqual(self.tracer("merge", "-o", self.path("merged"), self.path("cut"), path).status, 0)
        for derived in ("cut", "merged"):
            self.assertEqual([(each["id"], each["path"]) for each in self.info(self.path(derived))["debug_files"]],
                             [(each["id"], each["path"]) for each in files.values()])

    def build_id_of(self, trace, name, files):
        return next(each for each, file in files.items() if os.path.basename(file["path"]) == name)

    def make(self, text):
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path("made"), "1", "1", "100"],
                       input=text + "i 401000 3\nc 0 0 1\nr c3 1000 0 0 1\n", text=True, check=True)
        return self.path("made")

    def test_what_a_trace_says_is_not_a_path(self):
        hostile = ["../../evil", "ab/../../../evil", "/evil", "abc", "..", "xxh3-../../evil", "ab cd"]
        trace = self.make("".join(f"a debug/{name} text\n" for name in hostile if " " not in name) +
                          "a debug/abcdef inside\na debug/xxh3-0123456789abcdef hashed\n")
        info = self.info(trace, "--extract-debug", self.path("out"))
        self.assertEqual([each["id"] for each in info["debug_files"]], ["abcdef", "xxh3-0123456789abcdef"])
        found = [os.path.relpath(os.path.join(folder, name), self.folder)
                 for folder, _, names in os.walk(self.folder) for name in names]
        self.assertEqual(sorted(name for name in found if name != "made"),
                         ["out/.build-id/ab/cdef.debug", "out/xxh3-0123456789abcdef.debug"])
        self.assertEqual(self.extracted(self.path("out"), "abcdef"), b"inside")

    def test_what_a_trace_has_twice(self):
        trace = self.make("a debug/abcdef first\na debug/abcdef second\n")
        info = self.info(trace, "--extract-debug", self.path("out"))
        self.assertEqual([each["id"] for each in info["debug_files"]], ["abcdef"])
        self.assertEqual(self.extracted(self.path("out"), "abcdef"), b"first")

    def test_what_is_in_the_way(self):
        trace = self.make("a debug/abcdef text\n")
        for name, make in (("folder", os.mkdir), ("FIFO", os.mkfifo), ("trace", lambda path: os.link(trace, path))):
            place = os.path.join(self.path(name), ".build-id", "ab")
            os.makedirs(place)
            make(os.path.join(place, "cdef.debug"))
            with self.subTest(name):
                result = self.tracer("info", "--extract-debug", self.path(name), trace)
                self.assert_fails(result, "can't write " + os.path.join(place, "cdef.debug"))
                self.assertEqual(os.listdir(place), ["cdef.debug"])

    def test_a_trace_without_any(self):
        result = self.tracer("info", "--extract-debug", self.path("out"), self.make(""))
        self.assert_fails(result, "has no debug information in it")
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
