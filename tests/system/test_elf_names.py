# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and lines of programs' code, without a guest: those that nm, objdump and addr2line tell."""
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


if __name__ == "__main__":
    unittest.main()
