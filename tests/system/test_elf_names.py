# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and lines of programs' code are those that nm, objdump and addr2line print. No guest is needed."""
import os
import re
import shutil
import subprocess
import unittest

from harness import BUILD, SystemTest

C = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int add(int *a, int i) { return a[i] + i; }
__attribute__((noinline)) int total(int *a) { int sum = 0; for (int i = 0; i < 100; i++) sum += add(a, i); return sum; }
int main(void) { int *a = calloc(100, sizeof *a); memset(a, 1, 400); printf("%d\\n", total(a)); free(a); return 0; }
"""
CPP = """#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>
namespace shop {
template <typename T> struct Basket {
    std::vector<T> things;
    void add(const T &thing) { things.push_back(thing); }
    auto cheapest() const { return std::min_element(things.begin(), things.end()); }
};
}
int main() {
    shop::Basket<int> basket;
    std::map<std::string, int> prices;
    for (int i = 0; i < 100; i++) { basket.add(i * 7 % 13); prices[std::to_string(i)] += i; }
    std::sort(basket.things.begin(), basket.things.end(), [](int a, int b) { return a > b; });
    std::printf("%d %zu\\n", *basket.cheapest(), prices.size());
}
"""


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def addr2lines_frames(program, addresses):
    """Of each, from the innermost on: (inlined function, file, line); of the outermost, "-". A name that it doesn't know is None."""
    text = run("addr2line", "-afiC", "-e", program, input="".join(f"{address:x}\n" for address in addresses))
    result = []
    for part in re.split(r"^0x[0-9a-f]{16}\n", text, flags=re.M)[1:]:
        words = re.sub(r" \(discriminator \d+\)", "", part).splitlines()
        places = [place.rsplit(":", 1) for place in words[1::2]]
        frames = [(function, file, int(number.replace("?", "0"))) for function, (file, number) in zip(words[::2], places)]
        if len(frames) > 1 and frames[0][0] == frames[-1][0]:  # it knows no name for the innermost one
            frames[0] = (None, *frames[0][1:])
        frames[-1] = ("-", *frames[-1][1:])
        result.append(frames if frames[0][1].startswith(("/", "./")) else [])
    return result


class Elf(SystemTest):
    def compile(self, name, text, *options):
        source = self.path(name + (".cc" if text == CPP else ".c"))
        with open(source, "w") as file:
            file.write(text)
        subprocess.run(["g++" if text == CPP else "gcc", "-g", "-O2", *options, "-o", self.path(name), source], check=True)
        return self.path(name)

    def functions(self, program):
        """(address, end, shown name) of each."""
        found = []
        for line in run(os.path.join(BUILD, "list_names"), program).splitlines():
            linker, shown = line.split("\t")
            found.append((int(linker.split()[0], 16), int(linker.split()[1], 16), shown))
        return found

    def assert_names_are_nms(self, program, functions):
        """Each has one of the names that nm tells for its address, and none is missing."""
        told = {}
        for line in run("nm", "-C", "--defined-only", program).splitlines():
            address, kind, name = line.split(" ", 2)
            if kind in "tTwWi":
                told.setdefault(int(address, 16), set()).add(name)
        named = {address: name for address, _, name in functions if not name.endswith("@plt")}
        for address, name in named.items():
            self.assertIn(name, told[address])
        sized = {int(line.split()[0], 16) for line in run("nm", "-S", "--defined-only", program).splitlines()
                 if len(line.split()) == 4 and line.split()[2] in "tTwWi" and not line.endswith(" _.stapsdt.base")}
        self.assertEqual(sorted(sized - set(named))[:5], [])
        self.assertGreaterEqual(len(sized), 3)

    def test_functions_are_nms(self):
        for text, *options in ((C,), (C, "-static"), (C, "-no-pie"), (CPP,), (CPP, "-static-pie")):
            with self.subTest(options=options, language="C++" if text == CPP else "C"):
                program = self.compile("program", text, *options)
                self.assert_names_are_nms(program, self.functions(program))

    def test_entries_of_the_linkage_table_are_objdumps(self):
        for options in (("-Wl,-z,lazy",), ("-Wl,-z,lazy", "-fcf-protection=full", "-Wl,-z,ibtplt"), ("-no-pie", "-Wl,-z,now")):
            with self.subTest(options):
                program = self.compile("program", CPP, *options)
                text = run("objdump", "-dC", "-j", ".plt", "-j", ".plt.sec", "-j", ".plt.got", program)
                told = {(int(address, 16), name) for address, name in re.findall(r"^([0-9a-f]+) <(.*@plt)>:$", text, re.M)}
                found = {(address, name) for address, _, name in self.functions(program) if name.endswith("@plt")}
                self.assertLessEqual(told, found)  # objdump doesn't name those of .plt beside .plt.sec
                self.assertTrue(told)

    def test_a_static_program_calls_what_its_choosers_are_named(self):
        names = {name for _, _, name in self.functions(self.compile("program", C, "-static"))}
        self.assertLessEqual({"strlen@plt", "strlen"}, names)

    def strip(self, program, link=True):
        debug = program + ".debug"
        run("objcopy", "--only-keep-debug", program, debug)
        run("strip", "--strip-all", program)
        if link:
            run("objcopy", "--add-gnu-debuglink=" + debug, program)
        return debug

    def test_a_stripped_programs_names_are_in_its_debug_file(self):
        for options in ((), ("-Wl,--build-id=none",)):
            for folder in ("", ".debug"):
                with self.subTest(options=options, folder=folder):
                    program = self.compile("program", C, *options)
                    whole = self.functions(program)
                    debug = self.strip(program)
                    if folder:
                        os.makedirs(self.path(folder), exist_ok=True)
                        os.replace(debug, os.path.join(self.path(folder), os.path.basename(debug)))
                    self.assertEqual(self.functions(program), whole)
                    shutil.rmtree(self.path(".debug"), ignore_errors=True)

    def test_a_debug_file_of_another_build_is_not_used(self):
        for options in ((), ("-Wl,--build-id=none",)):
            with self.subTest(options):
                program = self.compile("program", C, *options)
                self.strip(program)
                other = self.compile("other", C.replace("total", "another"), *options)
                os.replace(self.strip(other, link=False), program + ".debug")
                self.assertNotIn("another", {name for _, _, name in self.functions(program)})

    def test_compressed_symbols_of_a_stripped_program(self):
        program = self.compile("program", C)
        whole = self.functions(program)
        symbols = self.strip(program, link=False)
        os.replace(symbols, self.path("symbols"))
        run("objcopy", "-S", "--remove-section", ".comment", "--keep-symbol=total", "--keep-symbol=main", self.path("symbols"))
        run("xz", "-9", self.path("symbols"))
        run("objcopy", "--add-section", ".gnu_debugdata=" + self.path("symbols.xz"), program)
        names = {(address, name) for address, _, name in self.functions(program)}
        for function in ("total", "main"):
            self.assertIn(next((address, name) for address, _, name in whole if name == function), names)
        with open(self.path("bad"), "wb") as file:
            file.write(b"\xfd7zXZ\0no more")
        run("objcopy", "--update-section", ".gnu_debugdata=" + self.path("bad"), program)
        self.assertNotIn("total", {name for _, _, name in self.functions(program)})

    def instructions(self, program):
        """(address, bytes) of each."""
        text = run("objdump", "-d", "-j", ".text", "--insn-width=15", program)
        return [(int(address, 16), len(code.split()))
                for address, code in re.findall(r"^ +([0-9a-f]+):\t((?:[0-9a-f]{2} )+)", text, re.M)]

    def frames(self, program, instructions):
        """Of each, from the innermost on: (inlined function or "-", file, line)."""
        text = run(os.path.join(BUILD, "list_names"), program, "--lines", stderr=subprocess.DEVNULL,
                   input="".join(f"{address:x} {size}\n" for address, size in instructions))
        result = []
        for line in text.splitlines():
            words = line.split("\t")[:-1]
            places = [place.rsplit(":", 1) for place in words[1::2]]
            result.append([(function, file, int(number)) for function, (file, number) in zip(words[::2], places)])
        return result

    def assert_lines_are_addr2lines(self, program, inlined=True):
        instructions = self.instructions(program)
        found, told = self.frames(program, instructions), addr2lines_frames(program, [address for address, _ in instructions])
        for (address, _), own, others in zip(instructions, found, told):
            if others and others[0][0] is None:
                others[0] = (own[0][0], *others[0][1:])
            self.assertEqual(own, others, hex(address))
        self.assertGreater(len([frames for frames in found if frames]), 20)
        if inlined:
            self.assertGreater(max(map(len, found)), 1)

    def test_lines_are_addr2lines(self):
        # In DWARF 5, binutils 2.40 names another file for some lines; lines of such files aren't compared below.
        for text, *options in ((C, "-no-pie"), (C, "-static-pie"), (C, "-gdwarf-3", "-O3"), (CPP, "-gdwarf-4"),
                               (CPP, "-gdwarf-4", "-O3", "-gz=zlib"), (CPP, "-gdwarf-4", "-O0")):
            with self.subTest(options=options, language="C++" if text == CPP else "C"):
                self.assert_lines_are_addr2lines(self.compile("program", text, *options), inlined="-O0" not in options)

    def test_lines_of_split_debug_information(self):
        for version in ("-gdwarf-4", "-gdwarf-5"):
            with self.subTest(version):
                program = self.compile("program", CPP, version)
                instructions = self.instructions(program)
                whole = self.frames(program, instructions)
                split = self.compile("program", CPP, version, "-gsplit-dwarf")
                self.assertEqual(self.instructions(split), instructions)
                self.assertEqual(self.frames(split, instructions), whole)

    def test_lines_of_dwarf_5(self):
        program = self.compile("program", CPP, "-gdwarf-5")
        instructions = self.instructions(program)
        found, told = self.frames(program, instructions), addr2lines_frames(program, [address for address, _ in instructions])
        lines = len(CPP.splitlines())
        for own, others in zip(found, told):
            self.assertEqual([line for _, _, line in own], [line for _, _, line in others])
            for (_, file, line), (_, other, _) in zip(own, others):
                if line <= lines or other != self.path("program.cc"):
                    self.assertEqual(file, other)
        self.assertGreater(max(map(len, found)), 2)

    def test_lines_of_a_stripped_program_are_in_its_debug_file(self):
        program = self.compile("program", CPP, "-gdwarf-4")
        whole = self.frames(program, self.instructions(program))
        debug = self.strip(program)
        self.assert_lines_are_addr2lines(program)
        self.assertEqual(self.frames(program, self.instructions(program)), whole)
        os.unlink(debug)
        self.assertEqual(self.frames(program, self.instructions(program)), [])

    def test_relative_paths_begin_in_the_compilers_folder(self):
        program = self.compile("program", C, "-gdwarf-4")
        run("gcc", "-g", "-gdwarf-4", "-O2", "-o", program, "program.c", cwd=self.folder)
        self.assert_lines_are_addr2lines(program)


if __name__ == "__main__":
    unittest.main()
