# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of code come from the file that was executed, even if its path has another file later. If in doubt, there is no name."""
import glob
import json
import os
import re
import shutil
import subprocess
import time
import unittest

import test_elf_names
from harness import BUILD, ROOT, SystemTest, not_sanitized
from symbols import symbols_of

LOOP = """__attribute__((noinline)) void {name}(volatile int *p) {{ for (int i = 0; i < {count}; i++) p[i & 7] {operation}; }}
"""
MAIN = """int main(void) {{ int a[8] = {{0}}; {call}(a); return 0; }}
"""


class Names(SystemTest):
    def compile(self, name, text, *options):
        with open(self.path(name + ".c"), "w") as file:
            file.write(text)
        subprocess.run(["gcc", "-O1", *options, "-o", self.path(name), self.path(name + ".c")], check=True)
        return self.path(name)

    def address(self, program, symbol):
        lines = subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        return next(int(line.split()[0], 16) for line in lines if line.split()[-1] == symbol)

    def names(self, trace, *selection):
        """How often each function is named; None: no name."""
        result = self.tracer("dump", "--cpl", "3", *selection, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        found = {}
        for line in result.out.splitlines()[1:]:
            name = re.search(r"  [0-9a-f]{16}  (\S+(?: \[\S+\])?)\+0x[0-9a-f]+ ", line[44:])
            name = name.group(1) if name else None
            found[name] = found.get(name, 0) + 1
        return found

    def two_loops(self, first, second):
        return (LOOP.format(name=first, count=1000, operation="++") + LOOP.format(name=second, count=10, operation="^= 5"))

    def test_a_program_that_was_built_again_or_is_gone(self):
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"))
        trace = self.record("a.mtrace", "--user-only", "--", program)
        before = self.names(trace)
        self.assertGreaterEqual(before["hot_loop"], 1000)
        self.assertIn("main", before)
        self.compile("prog", self.two_loops("never_called_1", "never_called_2") + MAIN.format(call="never_called_1"))
        self.assertEqual(self.names(trace), before)
        os.unlink(program)
        self.assertEqual(self.names(trace), before)

    def test_what_is_cut_out_keeps_its_names(self):
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"))
        trace = self.record("a.mtrace", "--", program)
        self.assertEqual(self.tracer("cut", "--cpl", "3", "-o", self.path("b.mtrace"), trace).status, 0)
        self.assertEqual(self.names(self.path("b.mtrace")), self.names(trace))

    def test_the_programs_that_a_script_starts(self):
        script = self.script("script", "#!/bin/sh\necho begin\ngzip -1 </etc/passwd | wc -c\n")
        names = self.names(self.record("a.mtrace", "--user-only", "--", script))
        self.assertLessEqual({"dash", "gzip", "wc"}, set(names))
        self.assertLess(names.get(None, 0), sum(names.values()) / 20)

    @not_sanitized
    def test_a_program_that_changes_during_the_run(self):
        """Which of the two was executed isn't known."""
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"))
        arguments = ["--user-only", "--rw", self.folder, "--", "sh", "-c"]
        self.assertIn("hot_loop", self.names(self.record("a.mtrace", *arguments, program)))
        names = self.names(self.record("b.mtrace", *arguments, f"{program}; echo >>{program}"))
        self.assertFalse({"hot_loop", "main", "prog"} & set(names))

    def test_a_recording_that_was_killed_has_the_kernels_names_only(self):
        trace = self.path("a.mtrace")
        process = self.start("record", "-o", trace, "--", "sh", "-c", "while :; do :; done")
        deadline = time.time() + 60
        while not (os.path.exists(trace) and os.path.getsize(trace) > 3000000) and time.time() < deadline:
            time.sleep(0.05)
        process.kill()
        process.communicate()
        for path in glob.glob(os.path.join(self.temporary, "*")):  # nobody is left who could
            shutil.rmtree(path)
        user = self.tracer("dump", "--cpl", "3", "--events", "..200000", trace)
        kernel = self.tracer("dump", "--cpl", "0", "--events", "..200000", trace)
        self.assertEqual((user.status, kernel.status), (0, 0))
        self.assertNotIn("+0x", re.sub(r"\[.*?\]", "", user.out))
        self.assertRegex(kernel.out, r"ffffffff[0-9a-f]{8}  (do_syscall_64|entry_SYSCALL\w+)\+0x")

    def test_names_of_cpp_and_of_the_linkage_table(self):
        with open(self.path("prog.cc"), "w") as file:
            file.write("#include <cstdlib>\nnamespace shop { struct Basket { int sum = 0; __attribute__((noinline)) void add(int *a) {\n"
                       "for (int i = 0; i < 100; i++) { sum += a[i & 7] + std::rand(); } } }; }\n"
                       "int main() { int a[8] = {}; shop::Basket basket; basket.add(a); return basket.sum == 1; }\n")
        subprocess.run(["g++", "-O1", "-Wl,-z,lazy", "-o", self.path("prog"), self.path("prog.cc")], check=True)
        trace = self.record("a.mtrace", "--user-only", "--", self.path("prog"))
        result = self.tracer("dump", "--cpl", "3", trace)
        self.assertGreaterEqual(len(re.findall(r" shop::Basket::add\(int\*\)\+0x", result.out)), 100)
        # Each call loads the function's address from the table.
        self.assertEqual(len(re.findall(r" rand@plt\+0x\S+ +jmp ", result.out)), 100)
        self.assertNotIn("_ZN", result.out)

    def assert_lines_are_addr2lines(self, trace, program, whole=None):
        """Of all of the program's instructions. `whole`: what has its symbols."""
        nm = subprocess.run(["nm", "-C", "--defined-only", whole or program], stdout=subprocess.PIPE, text=True, check=True).stdout
        named = {}
        for address, kind, name in re.findall(r"^([0-9a-f]+) ([tTwWi]) (.*)$", nm, re.M):
            named.setdefault(int(address, 16), set()).add(name)
        own = [symbol for symbol in symbols_of(trace) if symbol and symbol.object == program]
        told = test_elf_names.addr2lines_frames(whole or program, [symbol.address for symbol in own])
        for symbol, frames in zip(own, told):
            if symbol.function and not symbol.function.endswith("@plt"):
                self.assertIn(symbol.function, named[symbol.address - symbol.offset])
            if frames and frames[0][0] is None:  # addr2line doesn't know this name
                frames[0] = (symbol.frames[0][0], *frames[0][1:])
            if frames:
                frames[-1] = (symbol.function, *frames[-1][1:])
                self.assertEqual((symbol.file, symbol.line), frames[0][1:])
            self.assertEqual(symbol.frames, frames, hex(symbol.address))
        self.assertGreater(len([frames for frames in told if frames]), 10)
        self.assertGreater(max(map(len, told)), 1)
        return own

    def build(self, name, text, *options):
        source = self.path("prog.cc" if "std::" in text else "prog.c")
        with open(source, "w") as file:
            file.write(text)
        compiler = "g++" if "std::" in text else "gcc"
        subprocess.run([compiler, "-gdwarf-4", *options, "-o", self.path(name), source], check=True)
        return self.path(name)

    @not_sanitized
    def test_lines_are_addr2lines_and_stay(self):
        for text, *options in ((test_elf_names.CPP,), (test_elf_names.C, "-static"), (test_elf_names.C, "-static-pie")):
            with self.subTest(options=options, language="C++" if text == test_elf_names.CPP else "C"):
                program = self.build("prog", text, "-O2", *options)
                trace = self.record("a.mtrace", "--user-only", "--", program)
                own = self.assert_lines_are_addr2lines(trace, program)
                self.assertEqual(len({symbol.build_id for symbol in own}), 1)
                notes = subprocess.run(["readelf", "-n", program], stdout=subprocess.PIPE, text=True, check=True).stdout
                self.assertIn("Build ID: " + own[0].build_id, notes)
                before = symbols_of(trace)
                os.replace(program, self.path("moved"))
                self.assertEqual(symbols_of(trace), before)
                self.build("prog", "\n\n\n" + text.replace("total", "another"), "-O0")
                self.assertEqual(symbols_of(trace), before)

    @not_sanitized
    def test_lines_of_a_stripped_program(self):
        program = self.build("prog", test_elf_names.C, "-O2")
        whole = self.path("whole")
        shutil.copy(program, whole)
        subprocess.run(["objcopy", "--only-keep-debug", program, program + ".debug"], check=True)
        subprocess.run(["objcopy", "-S", "--add-gnu-debuglink=" + program + ".debug", program], check=True)
        trace = self.record("a.mtrace", "--user-only", "--", program)
        os.unlink(program + ".debug")
        self.assertIn("total", {symbol.function for symbol in self.assert_lines_are_addr2lines(trace, program, whole)})

    @not_sanitized
    def test_lines_of_all_that_one_trace_has_executed(self):
        """A program at a fixed address, one that can be loaded anywhere, one that is stripped, and a library that is loaded late."""
        fixed, anywhere = self.build("fixed", test_elf_names.C, "-O2", "-no-pie"), self.build("anywhere", test_elf_names.CPP, "-O1")
        library = self.build("late.so", test_elf_names.C.replace("int main(", "int late("), "-O2", "-shared", "-fPIC")
        loader = self.compile("loader", f'#include <dlfcn.h>\nint main(void) {{ return ((int (*)(void))dlsym(dlopen("{library}", '
                              'RTLD_NOW), "late"))(); }\n')
        stripped = self.build("stripped", test_elf_names.C.replace("total", "hidden"), "-O2")
        whole = shutil.copy(stripped, self.path("whole"))
        subprocess.run(["objcopy", "--only-keep-debug", stripped, stripped + ".debug"], check=True)
        subprocess.run(["objcopy", "-S", "--add-gnu-debuglink=" + stripped + ".debug", stripped], check=True)
        trace = self.record("a.mtrace", "--user-only", "--", "sh", "-c", f"{fixed}; {anywhere}; {loader}; {stripped}")
        for program, function in ((fixed, "total"), (anywhere, "main"), (library, "late"), (stripped, "hidden")):
            with self.subTest(os.path.basename(program)):
                own = self.assert_lines_are_addr2lines(trace, program, whole if program == stripped else None)
                self.assertIn(function, {symbol.function for symbol in own})

    @not_sanitized
    def test_dump_shows_lines(self):
        program = self.build("prog", test_elf_names.C, "-O2")
        trace = self.record("a.mtrace", "--user-only", "--", program)
        lines = re.findall(r"total\+0x\S+ +(\S+) .*?(?:  ; (.*))?$", self.tracer("dump", "--lines", trace).out, re.M)
        source = self.path("prog.c")
        self.assertIn(f"{source}:4 in add, called at {source}:5", {line for _, line in lines})
        self.assertNotIn(source, self.tracer("dump", trace).out)

    def test_what_is_merged_has_the_lines_of_all(self):
        """Each has executed another part of the same program."""
        program = self.build("prog", self.two_loops("first", "second") + "int main(int argc, char **argv)\n{ int a[8] = {0};\n"
                             "(void)argv; if (argc > 1) first(a); else second(a); return 0; }\n")
        traces = [self.record("one.mtrace", "--user-only", "--", program), self.record("two.mtrace", "--user-only", "--", program, "x")]
        self.assertEqual(self.tracer("merge", "-o", self.path("both.mtrace"), *traces).status, 0)
        one, two, both = ({(symbol.object, symbol.address): symbol for symbol in symbols_of(trace) if symbol}
                          for trace in (*traces, self.path("both.mtrace")))
        self.assertEqual(both, {**one, **two})
        for symbols, functions in ((one, {"second"}), (two, {"first"}), (both, {"first", "second"})):
            self.assertEqual({symbol.function for symbol in symbols.values() if symbol.file == self.path("prog.c")},
                             functions | {"main"})

    @not_sanitized
    def test_the_lines_that_made_most_accesses(self):
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"), "-g")
        trace = self.record("a.mtrace", "--user-only", "--", program)
        result = self.tracer("stat", "--json", trace)
        lines = json.loads(result.out)["top_lines"]
        hot = next(line for line in lines if line["function"] == "hot_loop")
        self.assertEqual((hot["file"], hot["line"]), (self.path("prog.c"), 1))
        self.assertGreaterEqual(hot["accesses"], 2000)

    def test_merged_traces_keep_their_own_names(self):
        """The second one's functions lie where the first one's do, and some instructions are the same."""
        traces, alone = [], {}
        for name, functions in (("one", ("first_loop", "first_other")), ("two", ("second_loop", "second_other"))):
            program = self.compile(name, self.two_loops(*functions) + MAIN.format(call=functions[0]), "-static")
            traces.append(self.record(name + ".mtrace", "--user-only", "--", program))
            self.assertEqual(self.address(program, functions[0]), self.address(self.path("one"), "first_loop"))
            for function, count in self.names(traces[-1]).items():
                alone[function] = alone.get(function, 0) + count
        self.assertEqual(self.tracer("merge", "-o", self.path("both.mtrace"), *traces).status, 0)
        self.assert_good(self.path("both.mtrace"))
        both = self.names(self.path("both.mtrace"))
        self.assertEqual(both, alone)
        self.assertGreaterEqual(min(both["first_loop"], both["second_loop"]), 1000)

    def make(self, name, *attachments, more=()):
        """A trace of a kernel's and a program's instruction."""
        lines = ["a " + attachment for attachment in attachments] + list(more)
        lines += ["i ffffffff81000010 0", "i 400010 3", "c 0 0 2", "r 3 1000 1000 0 1", "r c3 2000 2000 0 2"]
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path(name), "1", "1", "8"], input="\n".join(lines) + "\n",
                       text=True, check=True)
        return self.path(name)

    def test_attachments_that_make_no_sense(self):
        kernel, elf = "kallsyms ffffffff81000000 T one", "elf/1 400000 400100 main"
        good = self.make("good", kernel, elf, "loaded 0 elf/1 /bin/x", "code \x01\x02\x01\x01")
        self.assertEqual(self.names(good), {"main": 1})
        for loaded, code in (("0 elf/1 /bin/x", "\x01\x02\x7f\x01"),  # more instructions than there are
                             ("0 elf/1 /bin/x", "\x01\x02\x01\x03"),  # a line that isn't there
                             ("0 elf/1 /bin/x", "\x01\x02\x01"),      # cut
                             ("0 elf/1", "\x01\x02\x01\x01"), ("x elf/1 /bin/x", "\x01\x02\x01\x01"),
                             ("0", "\x01\x02\x01\x01")):
            with self.subTest((loaded, code)):
                bad = self.make("bad", kernel, elf, "loaded " + loaded, "code " + code)
                self.assertEqual(self.names(bad), {None: 1})
                self.assertEqual(self.tracer("merge", "-o", self.path("both"), bad, good).status, 0)
                self.assertEqual(self.names(self.path("both")), {None: 1, "main": 1})
        # A table that isn't there leaves the file's name. It goes to a terminal.
        strange = self.make("strange", kernel, "loaded 400000 elf/2 /bin/x\x1b[2J", "code \x01\x02\x01\x01")
        self.assertEqual(self.names(strange), {"x\\x1b[2J": 1})

    def test_symbols_of_what_makes_no_sense(self):
        known = ("kallsyms ffffffff81000000 T one", "elf/ab12/2 10 1000 _ZN4list3addEi", "loaded 400000 elf/ab12/2 /bin/x",
                 "code \x01\x02\x01\x01")
        # Two strings, two places (line 9 of the file, and the function inlined there), the bytes 0x10 to 0x14.
        lines = bytes([2, 2, *b"/a", 2, *b"in", 2, 0, 1, 9, 0, 2, 1, 3, 1, 1, 0x10, 4, 2])
        kernel, user = symbols_of(self.make("good", *known, more=["b lines/ab12/2 " + lines.hex()]))
        self.assertEqual(user, ("list::add(int)", 0, "/bin/x", "ab12", 0x10, "/a", 3,
                                [("in", "/a", 3), ("list::add(int)", "/a", 9)]))
        self.assertEqual(kernel, None)
        without = ("list::add(int)", 0, "/bin/x", "ab12", 0x10, None, 0, [])
        for bad in (b"", lines[:5], lines[:-1], lines[:8] + b"\xff" * 12, lines.replace(b"\x03\x01\x01", b"\x03\x02\x01")):
            self.assertEqual(symbols_of(self.make("bad", *known, more=["b lines/ab12/2 " + bad.hex()]))[1], without)
        self.assertEqual(symbols_of(self.make("none", *known[1:2]))[1], None)
        self.assertEqual(symbols_of(self.make("kernel", known[0]))[0],
                         ("one", 0x10, "kernel", None, 0xffffffff81000010, None, 0, []))

    def test_the_library_says_nothing_of_damage(self):
        path = self.make("damaged", "elf/1 400000 400100 main", "loaded 0 elf/1 /bin/x", "code \x01\x02\x01\x01")
        code = ("import os, sys; sys.path.insert(0, sys.argv[1]); from symbols import symbols_of\n"
                "print(symbols_of(sys.argv[2], lambda: os.truncate(sys.argv[2], 100))[1])")
        result = subprocess.run(["python3", "-c", code, os.path.dirname(os.path.abspath(__file__)), path], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "None\n", ""))

    def make_named(self, name, address="1010"):
        """A trace of a kernel's instruction, and five of a program's, each of which loads and stores; and then both do."""
        functions = "10 20 main\n20 30 _ZN4list3addEi\n30 40 helper.part.0\n40 50 free@plt\n50 60 face\n"
        data = "1000 1010 counter\n1010 1020 _ZN4list5countE\n1010 1020 alias\n"
        lines = bytes([2, 2, *b"/a", 5, *b"_Z1fi", 2, 0, 1, 9, 0, 2, 1, 3, 1, 1, 0x20, 1, 2])  # f(int) is inlined in list::add
        text = ["b kallsyms " + b"ffffffff81000000 T one\nffffffff82000000 D jiffies\nffffffff82000008 d next\n"
                b"ffffffff81000010 t two\t[module]\n".hex(),
                "b elf/1 " + functions.encode().hex(), "b data/1 " + data.encode().hex(), "b lines/1 " + lines.hex(),
                "b loaded " + b"400000 elf/1 /bin/x\n0 kallsyms kernel\n".hex(), "b code 01020501", "i ffffffff81000010 0"]
        text += [f"i {0x400010 + 16 * i:x} 3" for i in range(5)] + ["c 0 0 12"]
        for number in range(1, 7):
            text += [f"r {3 if number == 1 else 0xc3:x} ffffffff82000000 0 0 {number}",
                     f"r {0x23 if number == 1 else 0xe3:x} {0x400000 + int(address, 16):x} 0 0 {number}"]
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path(name), "1", "1", "8"], input="\n".join(text) + "\n", text=True,
                       check=True)
        return self.path(name)

    def selected(self, trace, *selection):
        """The numbers of the records, two for each instruction."""
        result = self.tracer("dump", *selection, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        return [int(line.split()[0]) for line in result.out.splitlines()[1:]]

    def test_functions_are_selected_by_name(self):
        trace = self.make_named("trace")
        self.assertEqual(self.selected(trace), list(range(12)))
        for name, first in (("main", 2), ("_ZN4list3addEi", 4), ("list::add", 4), ("list::add(int)", 4), ("helper", 6),
                            ("helper.part.0", 6), ("free@plt", 8), ("two", 0), ("f", 4), ("f(int)", 4)):
            for option in ("--function", "--pc") if name != "f" else ("--function",):
                with self.subTest(name=name, option=option):
                    self.assertEqual(self.selected(trace, option, name), [first, first + 1])
        self.assertEqual(self.selected(trace, "--function", "face"), [10, 11])
        self.assertEqual(self.selected(trace, "--pc", "face"), [10, 11])
        for number in ("0xface", "0face", "0000000000face", "ffffffff", "FACEFACE"):
            self.assertEqual(self.selected(trace, "--pc", number), [])
        self.assertEqual(self.selected(trace, "--function", "list::*"), [4, 5])
        self.assertEqual(self.selected(trace, "--function", "ma?n", "--function", "two"), [0, 1, 2, 3])
        self.assertEqual(self.selected(trace, "--function", "*", "--pc", "main", "--stores"), [3])
        self.assertEqual(self.selected(trace, "--function", "main", "--pc", "400020..400030"), [])
        for option, name in (("--function", "free"), ("--function", "ma"), ("--function", "m?n"), ("--pc", "ma*"), ("--pc", "counter")):
            for verb in (("dump",), ("stat",), ("cut", "-o", self.path("out"))):
                result = self.tracer(*verb, option, name, trace)
                self.assertEqual((result.status, result.out), (1, ""))
                self.assertEqual(result.err, f"memory_tracer: {trace} has no code of a function '{name}'\n")
        self.assertFalse(os.path.exists(self.path("out")))
        result = self.tracer("dump", "--pc", "1x", trace)
        self.assertEqual(result.status, 2)
        result = self.tracer("dump", "--function", "main", os.path.join(ROOT, "tests", "golden", "stream.gmbeoo"))
        self.assertEqual((result.status, result.err.count("--function can't be used")), (1, 1))

    def test_variables_are_selected_by_name(self):
        trace = self.make_named("trace")
        for name in ("alias", "list::count", "_ZN4list5countE"):
            self.assertEqual(self.selected(trace, "--address", name), list(range(1, 12, 2)))
        self.assertEqual(self.selected(trace, "--address", "counter"), [])
        self.assertEqual(self.selected(trace, "--address", "jiffies"), list(range(0, 12, 2)))
        other = self.make_named("other", "100c")
        self.assertEqual(self.selected(other, "--address", "counter", "--pc", "main"), [3])
        self.assertEqual(self.selected(other, "--address", "alias"), list(range(1, 12, 2)))  # they touch both
        result = self.tracer("dump", "--address", "main", trace)
        self.assertEqual((result.status, result.err), (1, f"memory_tracer: {trace} has no variable 'main'\n"))
        self.assertEqual(self.tracer("merge", "-o", self.path("both"), trace, other).status, 0)
        self.assertEqual(len(self.selected(self.path("both"), "--address", "counter")), 6)
        self.assertEqual(self.tracer("cut", "-o", self.path("part"), "--function", "main", trace).status, 0)
        self.assertEqual(self.selected(self.path("part"), "--address", "alias"), [1])

    def test_a_programs_variables_and_functions(self):
        program = self.compile("prog", "int counter; static int table[64];\n"
                               "__attribute__((noinline)) void count(volatile int *p) { for (int i = 0; i < 64; i++) { p[i]++; "
                               "(*(volatile int *)&counter)++; } }\n" + MAIN.format(call="count").replace("a);", "table);"))
        trace = self.record("a.mtrace", "--user-only", "--", program)
        for name in ("counter", "table"):
            self.assertEqual(len(self.selected(trace, "--address", name, "--function", "count")), 128)
        self.assertEqual(set(self.names(trace, "--pc", "count")), {"count"})
        self.assertGreaterEqual(len(self.selected(trace, "--pc", "count")), 256)
        self.assertEqual(set(self.names(trace, "--function", "count", "--function", "mai*")), {"count", "main"})

    def test_merged_kernels_keep_their_own_names(self):
        """As does what has no names, which mustn't get any."""
        one, two = self.make("1", "kallsyms ffffffff81000000 T one"), self.make("2", "kallsyms ffffffff81000000 T two")
        none = self.make("3")
        self.assertEqual(self.tracer("merge", "-o", self.path("all"), one, two, none).status, 0)
        lines = self.tracer("dump", "--cpl", "0", self.path("all")).out.splitlines()[1:]
        self.assertEqual([re.findall(r"(\w+)\+0x10", line) for line in lines], [["one"], ["two"], []])

    def test_generated_code_is_not_a_function_that_lies_below(self):
        """_init and _fini have no size."""
        program = self.compile("prog", """#include <string.h>
#include <sys/mman.h>
int main(void)
{
    static const unsigned char code[] = { 0x48, 0x8b, 0x87, 0x00, 0x08, 0x00, 0x00, 0xc3 }; /* mov rax,[rdi+0x800]; ret */
    char *p = mmap((void *)0x420000000, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(p, code, sizeof code);
    ((void (*)(char *))p)(p);
    return 0;
}
""", "-static")
        trace = self.record("a.mtrace", "--user-only", "--", program)
        self.assertEqual(self.names(trace, "--pc", "420000000..420001000"), {None: 2})
        fini = self.address(program, "_fini")
        self.assertLessEqual(set(self.names(trace, "--pc", f"{fini:x}..{fini + 4096:x}")), {"_fini"})

    @not_sanitized
    def test_a_function_without_a_size_ends_where_the_next_one_begins(self):
        program = self.compile("prog", """asm(".text\\n.type first, @function\\nfirst: mov (%rdi), %rax\\nret\\n"
    ".type second, @function\\nsecond: mov 8(%rdi), %rax\\nret\\n");
void first(long *), second(long *);
int main(void) { long a[2] = {1, 2}; for (int i = 0; i < 100; i++) { first(a); second(a); } return 0; }
""")
        names = self.names(self.record("a.mtrace", "--user-only", "--", program))
        self.assertEqual((names["first"], names["second"]), (200, 200))

    def test_the_agent_is_no_part_of_a_static_program(self):
        program = self.compile("prog", "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 0; }\n", "-static")
        trace = self.record("a.mtrace", "--user-only", "--", program)
        names = self.names(trace)
        self.assertIn("workload_progress [memory_tracer_agent]", names)
        self.assertTrue({"puts", "_IO_puts"} & set(names))
        # All that has the program's addresses is the program's.
        own = self.names(trace, "--pc", "400000..10000000")
        self.assertFalse([name for name in own if name and "[" in name])
        self.assertEqual(set(own) & {"forward", "workload_progress", "__gettextparse", "printf_positional"}, set())

    @not_sanitized
    def test_a_static_program_that_can_be_loaded_anywhere(self):
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"), "-static-pie")
        names = self.names(self.record("a.mtrace", "--user-only", "--", program))
        self.assertGreaterEqual(names["hot_loop"], 1000)
        self.assertIn("main", names)

    @not_sanitized
    def test_the_programs_that_a_shell_starts(self):
        with open(self.path("data"), "wb") as file:
            file.write(os.urandom(1000) * 10)
        trace = self.record("a.mtrace", "--user-only", "--", "sh", "-c", f"gzip -1 <{self.path('data')} | wc -c >/dev/null")
        names = self.names(trace)
        self.assertGreater(names["gzip"], 100000)
        self.assertIn("wc", names)
        self.assertFalse({"_fini", "_init"} & set(names))
        self.assertLess(names.get(None, 0), sum(names.values()) / 20)

    def test_an_unknown_program_at_the_same_addresses(self):
        """Without tasks, a program that isn't in the command line has no names, and not those of the program before it."""
        unknown = self.compile("unknown", LOOP.format(name="unknown_loop", count=1000, operation="-= 7") +
                               LOOP.format(name="more", count=1000, operation="|= 9") +
                               "int main(void) { int a[8] = {0}; unknown_loop(a); more(a); return 0; }\n", "-static")
        known = self.compile("known", LOOP.format(name="known_loop", count=1000, operation="++") +
                             LOOP.format(name="second_loop", count=100, operation="^= 3") +
                             "#include <unistd.h>\nint main(void) { int a[8] = {0}; known_loop(a); second_loop(a);\n"
                             "char *no[] = { 0 }; execve(\"" + unknown + "\", no, no); return 1; }\n", "-static")
        addresses = [self.address(unknown, name) for name in ("unknown_loop", "more")]
        self.assertEqual(addresses[0], self.address(known, "known_loop"))
        trace = self.record("a.mtrace", "--user-only", "--fields", "no-task", "--", known)
        names = self.names(trace, "--pc", f"{addresses[0]:x}..{self.address(known, 'main'):x}")
        self.assertEqual(set(names), {None})
        everything = self.names(trace)
        self.assertFalse({"unknown_loop", "more"} & set(everything))
        self.assertFalse({"known_loop", "second_loop"} & set(everything))
        # The guest's kernel tells what it executes; what both programs have at the same address stays without a name.
        self.assertIn("main", self.names(self.record("b.mtrace", "--user-only", "--", known)))

    def test_what_is_loaded_later(self):
        library = self.compile("later.so", LOOP.format(name="late_loop", count=1000, operation="+= 5"), "-shared", "-fPIC")
        program = self.compile("prog", '#include <dlfcn.h>\nint main(void) { int a[8] = {0};\n'
                               f'void *late = dlopen("{library}", RTLD_NOW);\n((void (*)(int *))dlsym(late, "late_loop"))(a);'
                               "\nreturn 0; }\n")
        trace = self.record("a.mtrace", "--user-only", "--", program)
        os.unlink(library)
        os.unlink(program)
        self.assertGreaterEqual(self.names(trace)["late_loop"], 1000)

    def test_the_names_take_little_room(self):
        program = self.compile("prog", self.two_loops("hot_loop", "other") + MAIN.format(call="hot_loop"))
        trace = self.record("a.mtrace", "--user-only", "--", program)
        with open(trace, "rb") as file:
            data = file.read()
        sizes = [size for name, size in attachments(data) if name.startswith("elf/") or name in ("loaded", "code")]
        self.assertGreaterEqual(len(sizes), 4)
        self.assertLess(sum(sizes), 500000)


def attachments(data):
    """The names and sizes of a trace file's attachments."""
    offset = 64
    while data[offset:offset + 4] == b"MTck":
        kind = int.from_bytes(data[offset + 4:offset + 8], "little")
        size = int.from_bytes(data[offset + 8:offset + 16], "little")
        if kind == 4:
            length = int.from_bytes(data[offset + 32:offset + 36], "little")
            yield data[offset + 36:offset + 36 + length].decode(), size
        offset += 32 + (size + 7) // 8 * 8


if __name__ == "__main__":
    unittest.main()
