# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of code that this machine doesn't have: made in the guest, compiled at run time, or gone."""
import json
import os
import subprocess
import unittest

from harness import SystemTest

LOOP = """__attribute__((noinline)) void {name}(volatile int *p) {{ for (int i = 0; i < 1000; i++) p[i & 7]{operation}; }}
int main(void) {{ int a[8] = {{0}}; {name}(a); return 0; }}
"""
# Writes two functions (of so many loads) into memory of its own, tells their names as runtimes do, and calls them.
# usage: jit COUNT_OF_FIRST COUNT_OF_SECOND HOW (map, dump, protect: the memory becomes executable later)
JIT = r"""#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const unsigned char load[] = { 0x48, 0x8b, 0x07, 0xc3 }; /* mov (%rdi), %rax; ret: two loads */

static void write_map(const char *code)
{
    char path[64];
    FILE *file;

    sprintf(path, "/tmp/perf-%d.map", (int)getpid());
    file = fopen(path, "w");
    EXTRA
    fprintf(file, "%lx %x first of all(int) at x.js:3\n%lx %x second\n", (long)code, 4, (long)code + 64, 4);
    fclose(file);
}

static void write_load(FILE *file, const char *code, const char *name)
{
    struct { uint32_t id, size; uint64_t time; uint32_t pid, tid; uint64_t vma, address, bytes, number; } record = {
        0, sizeof record + strlen(name) + 1 + 4, 1, (uint32_t)getpid(), (uint32_t)getpid(), (uint64_t)code, (uint64_t)code, 4, 0 };

    fwrite(&record, sizeof record, 1, file);
    fwrite(name, strlen(name) + 1, 1, file);
    fwrite(code, 4, 1, file);
}

static void write_dump(const char *code)
{
    struct { uint32_t magic, version, size, machine, pad, pid; uint64_t time, flags; } header = {
        0x4a695444, 1, sizeof header, 62, 0, (uint32_t)getpid(), 1, 0 };
    char path[64];
    FILE *file;

    sprintf(path, "jit-%d.dump", (int)getpid());
    file = fopen(path, "w+");
    fwrite(&header, sizeof header, 1, file);
    write_load(file, code, "first of all(int) at x.js:3");
    write_load(file, code + 64, "second");
    fflush(file);
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(file), 0);
    fclose(file);
}

int main(int argc, char **argv)
{
    int protect = !strcmp(argv[3], "protect");
    char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | (protect ? 0 : PROT_EXEC), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long value = argc;

    memcpy(code, load, 4);
    memcpy(code + 64, load, 4);
    memcpy(code + 128, load, 4);
    if (protect)
        mprotect(code, 4096, PROT_READ | PROT_EXEC);
    if (!strcmp(argv[3], "dump"))
        write_dump(code);
    else
        write_map(code);
    for (int i = 0; i < atoi(argv[1]); i++)
        ((long (*)(long *))code)(&value);
    for (int i = 0; i < atoi(argv[2]); i++)
        ((long (*)(long *))(code + 64))(&value);
    ((long (*)(long *))(code + 128))(&value); /* has no name */
    return 0;
}
"""
FIRST = "first of all(int) at x.js:3"


class GuestCode(SystemTest):
    def compile(self, name, text, *options):
        with open(self.path(name + ".c"), "w") as file:
            file.write(text)
        subprocess.run(["gcc", "-O1", *options, "-o", self.path(name), self.path(name + ".c")], check=True)
        return self.path(name)

    def record_noting(self, name, *arguments):
        """The trace, and what is said of files without names."""
        trace = self.path(name)
        result = self.tracer("record", "-o", trace, *arguments)
        self.assertEqual(result.status, 0, result.err)
        return trace, [line for line in result.err.splitlines() if "no names" in line]

    def functions(self, trace, *selection):
        result = self.tracer("stat", "--json", "--by", "function", *selection, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        return {row["function"]: row["loads"] for row in json.loads(result.out)["functions"]}

    def missing(self, trace):
        return {row["path"]: row["why"] for row in json.loads(self.tracer("info", "--json", trace).out).get("files_without_names", [])}

    def test_a_program_that_the_workload_has_built_or_changed(self):
        program = self.compile("prog", LOOP.format(name="old_loop", operation="++"))
        other = self.compile("other", LOOP.format(name="new_loop", operation="^= 5"))
        script = f"cp {other} {program}; {program}; cp {other} {self.path('made')}; {self.path('made')}"
        trace, said = self.record_noting("a.mtrace", "--user-only", "--", "sh", "-c", script)
        self.assertEqual((said, self.missing(trace)), ([], {}))
        functions = self.functions(trace)
        self.assertEqual(functions["new_loop"], 2 * 1001)
        self.assertNotIn("old_loop", functions)
        files = json.loads(self.tracer("stat", "--json", "--by", "file", "--function", "new_loop", trace).out)["files"]
        self.assertEqual({row["file"] for row in files}, {program, self.path("made")})
        self.assertFalse(os.path.exists(self.path("made")))

    def test_files_that_cannot_be_had_are_told(self):
        program = self.compile("prog", LOOP.format(name="the_loop", operation="++"))
        made, rw = self.path("made"), self.path("rw")
        os.mkdir(rw)
        script = f"cp {program} {made}; {made}; rm {made}; cp {program} {rw}/gone; {rw}/gone; rm {rw}/gone; cp {program} {rw}/new; {rw}/new"
        trace, said = self.record_noting("a.mtrace", "--user-only", "--rw", rw, "--", "sh", "-c", script)
        missing = self.missing(trace)
        self.assertEqual(set(missing), {made, rw + "/gone", rw + "/new"})
        self.assertIn("only the guest had it", missing[made])
        self.assertIn("no longer on this machine", missing[rw + "/gone"])
        self.assertIn("changed", missing[rw + "/new"])
        self.assertEqual(len(said), 3)
        for path in missing:
            self.assertEqual(sum(f"{path}: {missing[path]}" in line for line in said), 1)
        self.assertNotIn("the_loop", self.functions(trace))
        self.assertIn(f"{missing[made]}", self.tracer("info", trace).out)
        trace, said = self.record_noting("b.mtrace", "--user-only", "--", program)
        self.assertEqual((said, self.missing(trace)), ([], {}))

    def test_the_guests_own_programs(self):
        trace, said = self.record_noting("a.mtrace", "--user-only", "--files", "image", "--", "sh", "-c", "ls / | sort >/dev/null")
        self.assertEqual((said, self.missing(trace)), ([], {}))
        functions = self.functions(trace)
        self.assertLess(functions.get("(unknown)", 0), sum(functions.values()) / 20)

    def test_so_they_are_where_the_workload_sees_this_machines_files(self):
        """In a guest that a user has installed, programs run beside the workload, and this machine has other files at their paths."""
        trace, said = self.record_noting("a.mtrace", "--user-only", "--user", "root", "--", "sh", "-c",
                                         "/proc/1/root/usr/bin/cksum /etc/passwd > /dev/null")
        self.assertEqual((said, self.missing(trace)), ([], {}))
        functions = self.functions(trace, "--process", "cksum")
        self.assertLess(functions.get("(unknown)", 0), sum(functions.values()) / 20)

    def assert_generated(self, trace, first, second):
        functions = self.functions(trace, "--cpl", "3")
        self.assertEqual((functions.get(FIRST), functions.get("second")), (2 * first, 2 * second))
        self.assertEqual(self.functions(trace, "--function", "second"), {"second": 2 * second})

    def test_code_that_a_process_has_made(self):
        program = self.compile("jit", JIT.replace("EXTRA", ""))
        for how in ("map", "dump", "protect"):
            with self.subTest(how):
                trace, said = self.record_noting("a.mtrace", "--user-only", "--", program, "30", "7", how)
                self.assertEqual(said, [])
                self.assert_generated(trace, 30, 7)
                table = json.loads(self.tracer("stat", "--json", "--top", "100000", trace).out)["top_functions"]
                self.assertEqual({each["function"]: each["accesses"] for each in table if each["function"] in (FIRST, "second")},
                                 {FIRST: 60, "second": 14})
        self.assertEqual(self.tracer("cut", "--cpl", "3", "-o", self.path("part"), trace).status, 0)
        self.assert_generated(self.path("part"), 30, 7)
        self.assertEqual(self.tracer("merge", "-o", self.path("both"), trace, self.path("part")).status, 0)
        self.assert_generated(self.path("both"), 60, 14)

    def test_each_process_has_its_own(self):
        """Both write their code to the same address."""
        program = self.compile("jit", JIT.replace("EXTRA", ""))
        other = self.compile("other", JIT.replace("EXTRA", "").replace("second", "another"))
        trace, _ = self.record_noting("a.mtrace", "--user-only", "--", "sh", "-c", f"{program} 3 5 map & {other} 4 9 map; wait")
        functions = self.functions(trace)
        self.assertEqual([functions[name] for name in (FIRST, "second", "another")], [2 * 7, 2 * 5, 2 * 9])

    def test_maps_that_make_no_sense_are_harmless(self):
        """What overlaps has no name; odd lines are left out."""
        odd = ('fputs("\\n \\nx y z\\n-1 4 a\\n1 -4 b\\n10\\n10 4\\n10 4 \\nffffffffffffffff ffff overflow\\nffffffff81000000 1000 kernel\\n'
               '0 0 nothing\\n\\xff\\xfe\\x01\\n", file); fprintf(file, "%lx 20 overlapping\\n", (long)code + 60); '
               'for (int i = 0; i < 300000; i++) fprintf(file, "%x 8 f%d\\n", 4096 + i * 16, i);'
               'for (int i = 0; i < 100000; i++) fputc(\'x\', file); fputc(10, file);')
        program = self.compile("jit", JIT.replace("EXTRA", odd))
        trace, said = self.record_noting("a.mtrace", "--user-only", "--", program, "3", "5", "map")
        functions = self.functions(trace)
        self.assertEqual((functions[FIRST], "second" in functions, "overlapping" in functions), (6, False, False))
        self.assert_good(trace)


if __name__ == "__main__":
    unittest.main()
