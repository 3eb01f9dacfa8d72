# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of code that several programs have at the same address: each process has its own."""
import ast
import csv
import ctypes
import io
import json
import os
import struct
import subprocess
import unittest

import symbols
from harness import BUILD, SystemTest, workload

# The loops' code is the same, byte for byte, in all that is built of this; their names and source lines differ.
PROGRAM = """{lines}__attribute__((noinline)) void {name}(volatile int *p) {{ for (int i = 0; i < {count}; i++) p[i & 7]++; }}
int main(int argc, char **argv) {{ int a[8] = {{0}}; for (int i = 0; i < argc; i++) {name}(a); (void)argv; return 0; }}
"""
COUNT = 200


def addresses_of(path):
    """The pc of each record, as the library tells it (mt_pc_at)."""
    library = ctypes.CDLL(symbols.LIBRARY)
    for function in ("mt_trace_open", "mt_reader_new"):
        getattr(library, function).restype = ctypes.c_void_p
    library.mt_reader_next.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.mt_reader_next.restype = ctypes.POINTER(ctypes.c_size_t)
    library.mt_pc_at.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.mt_pc_at.restype = ctypes.c_uint64
    trace = ctypes.c_void_p(library.mt_trace_open(path.encode(), 0, None))
    reader = ctypes.c_void_p(library.mt_reader_new(trace, 4 | 64, None))
    while batch := library.mt_reader_next(reader, None):
        for i in range(batch[0]):
            yield library.mt_pc_at(trace, batch, i)
    library.mt_reader_free(reader)
    library.mt_trace_close(trace)


def numpy_column(path, name, rows):
    """A column of 8 bytes of an array in a .npy file."""
    sizes = {"<u8": 8, "<u4": 4, "<u2": 2, "u1": 1, "?": 1}
    with open(path, "rb") as file:
        data = file.read()
    description = ast.literal_eval(data[10:512].decode().strip())["descr"]
    offset = sum(sizes[kind] for field, kind in description[:[field for field, _ in description].index(name)])
    size = sum(sizes[kind] for _, kind in description)
    return [struct.unpack_from("<Q", data, 512 + row * size + offset)[0] for row in range(rows)]


class ProcessNames(SystemTest):
    def compile(self, name, text, *options):
        with open(self.path(name + ".c"), "w") as file:
            file.write(text)
        subprocess.run(["gcc", "-O1", "-g", *options, "-o", self.path(name), self.path(name + ".c")], check=True)
        return self.path(name)

    def program(self, name, lines=""):
        return self.compile(name, PROGRAM.format(name=name + "_loop", count=COUNT, lines=lines), "-no-pie")

    def counts(self, trace, *options):
        """(loads, stores) by name."""
        result = self.tracer("stat", "--json", "--by", options[0], *options[1:], trace)
        self.assertEqual((result.status, result.err), (0, ""))
        kind = {"function": "functions", "line": "lines_of_source", "file": "files"}[options[0]]
        return {row[options[0]]: (row["loads"], row["stores"]) for row in json.loads(result.out)[kind]}

    def functions_at(self, trace):
        """How many accesses the library names by each function (mt_symbol_at)."""
        library = ctypes.CDLL(symbols.LIBRARY)
        for function in ("mt_trace_open", "mt_reader_new"):
            getattr(library, function).restype = ctypes.c_void_p
        library.mt_reader_next.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        library.mt_reader_next.restype = ctypes.POINTER(ctypes.c_size_t)
        library.mt_symbol_at.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        library.mt_symbol_at.restype = ctypes.POINTER(symbols.MtSymbol)
        trace = ctypes.c_void_p(library.mt_trace_open(trace.encode(), 0, None))
        reader = ctypes.c_void_p(library.mt_reader_new(trace, 4 | 64, None))
        found = {}
        while batch := library.mt_reader_next(reader, None):
            for i in range(batch[0]):
                symbol = library.mt_symbol_at(trace, batch, i)
                name = symbols.text(symbol.contents.function) if symbol else None
                found[name] = found.get(name, 0) + 1
        library.mt_reader_free(reader)
        library.mt_trace_close(trace)
        return found

    def assert_own_functions(self, trace, expected):
        """`expected`: how often each program's loop was called, by program. It also returns: a load of the stack."""
        functions, at = self.counts(trace, "function"), self.functions_at(trace)
        for program, calls in expected.items():
            name = os.path.basename(program) + "_loop"
            self.assertEqual(functions[name], (calls * (COUNT + 1), calls * COUNT))
            self.assertEqual(at[name], calls * (2 * COUNT + 1))

    def assert_own_names(self, trace, expected):
        self.assert_own_functions(trace, expected)
        functions = self.counts(trace, "function")
        lines, files = self.counts(trace, "line"), self.counts(trace, "file")
        shown = self.tracer("dump", "--cpl", "3", trace).out
        for program, calls in expected.items():
            name = os.path.basename(program) + "_loop"
            with self.subTest(name):
                self.assertEqual(shown.count(f"  {name}+0x"), calls * (2 * COUNT + 1))
                with open(program + ".c") as file:
                    line = next(number for number, text in enumerate(file, 1) if name in text)
                self.assertEqual(lines[f"{program}.c:{line}"], functions[name])
                self.assertGreater(sum(files[program]), calls * (2 * COUNT + 1))
                for option in ("--function", "--pc"):
                    selected = self.counts(trace, "function", option, name)
                    self.assertEqual(selected, {name: functions[name]})

    def test_two_programs_at_the_same_address(self):
        one, two = self.program("one"), self.program("two", lines="\n\n\n")
        nm = [subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True).stdout for program in (one, two)]
        self.assertEqual(sorted(nm[0].replace("one_loop", "two_loop").split("\n")), sorted(nm[1].split("\n")))
        trace = self.record("a.mtrace", "--user-only", "--", "sh", "-c", f"{one}; {two} x; {one} & {two}; wait")
        expected = {one: 2, two: 3}
        self.assert_own_names(trace, expected)
        for program in (one, two):
            os.unlink(program)
        self.assert_own_functions(trace, expected)
        self.assertEqual(self.tracer("cut", "--cpl", "3", "-o", self.path("part.mtrace"), trace).status, 0)
        self.assert_own_functions(self.path("part.mtrace"), expected)
        self.assertEqual(self.tracer("merge", "-o", self.path("both.mtrace"), trace, self.path("part.mtrace")).status, 0)
        self.assert_own_functions(self.path("both.mtrace"), {program: 2 * count for program, count in expected.items()})
        self.assert_good(self.path("both.mtrace"))

    MAPPED = ("0 400000 0 5 7 1 /bin/one\n0 400000 0 5 8 2 /bin/two\n0 400000 0 5 9 0 /bin/gone\n0 500000 0 5 7 1 /bin/one\n"
              "0 600000 0 5 7 1 /bin/one\n0 600000 0 5 8 2 /bin/two\n")

    LOADED = "400000 elf/1 /bin/one\n400000 elf/2 /bin/two\n"

    def make(self, name, records, changes=(), mapped=MAPPED, same=bytes([1, 1, 0, 2, 2, 1, 0, 2]), vcpus=1, loaded=LOADED,
             code=bytes([3, 0])):
        """The instructions 1 at 400010, 2 at 500010, 3 at 600010: all could be of `one` or `two`, which loads where it is.
        `records`: (task, instruction...), each a chunk; or a change."""
        text = ["b elf/1 " + b"10 20 first\n".hex(), "b elf/2 " + b"10 20 second\n".hex(),
                "b loaded " + loaded.encode().hex(), "b code " + code.hex(),
                "b mapped " + mapped.encode().hex(), "b same_code " + same.hex(),
                "i 400010 3", "i 500010 3", "i 600010 3", *changes]
        for record in records:
            if isinstance(record, str):
                text.append(record)
                continue
            task, *instructions = record
            text += [f"t 0 {task << 2}", f"c 0 0 {len(instructions)}"] + [f"r c3 1000 1000 0 {number:x}" for number in instructions]
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path(name), "33", str(vcpus), "8"], input="\n".join(text) + "\n",
                       text=True, check=True)
        return self.path(name)

    @staticmethod
    def task(number, memory):
        return f"h 0 1 {number:x} {number + 100:x} {number + 100:x} 0 {number:x} 0 {memory:x} /t{number}"

    def names(self, trace, *selection):
        """Of each record."""
        result = self.tracer("dump", *selection, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        return [line.split("+0x")[0].split()[-1] if "+0x" in line else None for line in result.out.splitlines()[1:]]

    def test_the_memory_decides_at_each_record(self):
        one, two, gone = ("5 7 //bin/one", "5 8 //bin/two", "5 9 //bin/gone")
        changes = [self.task(1, 1), self.task(2, 2), self.task(3, 3), f"h 0 6 1 400000 401000 5 0 {one}",
                   f"h 0 6 2 400000 401000 5 0 {two}", f"h 0 6 3 400000 401000 5 0 {gone}",
                   "h 0 9 4 2 /", self.task(4, 4),       # begins as a copy of the second one
                   self.task(5, 5),                        # nothing is known of its memory
                   self.task(7, 7), "h 0 6 7 400000 401000 5 0 0 0 /"]  # has made code itself
        execute = ["h 0 3 1 6 //bin/two", f"h 0 6 6 400000 401000 5 0 {two}"]  # another program
        records = [(1, 1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (7, 1), (1, 1), *execute, (1, 1, 1)]
        trace = self.make("trace", records, changes)
        expected = ["first", "first", "second", None, "second", None, None, "first", "second", "second"]
        self.assertEqual(self.names(trace), expected)
        for name in ("first", "second"):
            self.assertEqual(self.names(trace, "--function", name), [name] * expected.count(name))
            self.assertEqual(self.names(trace, "--process", "101", "--pc", name), [name] * {"first": 3, "second": 2}[name])
        self.assertEqual(self.names(trace, "--events", "7.."), expected[7:])
        self.assertEqual({name: loads for name, (loads, _) in self.counts(trace, "function").items()},
                         {"first": 3, "second": 4, "(unknown)": 3})
        self.assertEqual({name: loads for name, (loads, _) in self.counts(trace, "function", "--address", "1000..1001").items()},
                         {"first": 3, "second": 4, "(unknown)": 3})
        found = self.functions_at(trace)
        self.assertEqual(found, {"first": 3, "second": 4, None: 3})
        self.assertEqual(self.tracer("merge", "-o", self.path("both"), trace, trace).status, 0)
        self.assertEqual(self.functions_at(self.path("both")), {name: 2 * count for name, count in found.items()})

    def test_what_several_files_could_be_has_no_name(self):
        one, two = "5 7 //bin/one", "5 8 //bin/two"
        changes = [self.task(1, 1), f"h 0 6 1 600000 601000 5 0 {one}", f"h 0 6 1 600000 601000 5 0 {two}",
                   f"h 0 6 1 500000 501000 5 0 {one}"]
        # The third one may be of both; the second one's bytes aren't the file's.
        self.assertEqual(self.names(self.make("trace", [(1, 3, 2)], changes)), [None, None])
        self.assertEqual(self.names(self.make("trace", [(1, 3)], changes, same=bytes([3, 2]))), ["two"])

    def test_a_file_at_another_address_keeps_its_names(self):
        """QEMU translates the file's page once, and tells the address where that process had it."""
        one, two, gone = ("5 7 //bin/one", "5 8 //bin/two", "5 9 //bin/gone")
        changes = [self.task(1, 1), f"h 0 6 1 600000 601000 5 0 {one}", f"h 0 6 1 400000 401000 5 0 {two}",
                   self.task(2, 2), f"h 0 6 2 400000 401000 5 0 {two}",
                   self.task(3, 3), f"h 0 6 3 600000 601000 5 0 {one}", f"h 0 6 3 400000 401000 5 0 {gone}",
                   self.task(4, 4), f"h 0 6 4 600000 601000 5 0 {one}"]
        trace = self.make("trace", [(1, 1), (2, 1), (3, 1), (4, 1)], changes, same=bytes([1, 1]))
        self.assertEqual(self.names(trace), ["first", None, None, None])
        # By the bytes, it may also be the other file's, which lies there.
        trace = self.make("trace", [(1, 1), (2, 1)], changes)
        self.assertEqual(self.names(trace), [None, "second"])

    def addresses(self, trace, *selection):
        """The pc of each record as dump says it. CSV, npy and the library say the same."""
        result = self.tracer("dump", "--json", "--columns", "pc", *selection, trace)
        self.assertEqual((result.status, result.err), (0, ""))
        pcs = [int(json.loads(line)["pc"], 16) for line in result.out.splitlines()]
        table = self.tracer("convert", "--to", "csv", *selection, trace)
        self.assertEqual([int(row["pc"], 16) for row in csv.DictReader(io.StringIO(table.out))], pcs)
        array = self.path("npy")
        self.assertEqual(self.tracer("convert", "--to", "npy", "-o", array, *selection, trace).status, 0)
        self.assertEqual(numpy_column(array, "pc", len(pcs)), pcs)
        if not selection:
            self.assertEqual(list(addresses_of(trace)), pcs)
        return pcs

    def test_a_file_at_another_address_is_there(self):
        """An instruction lies where its process has mapped the file, wherever it was recorded."""
        one, gone = "5 7 //bin/one", "5 9 //bin/gone"
        changes = [self.task(1, 1), f"h 0 6 1 400000 401000 5 0 {one}", self.task(2, 2), f"h 0 6 2 700000 701000 5 0 {one}",
                   self.task(3, 3), f"h 0 6 3 700000 701000 5 0 {one}", f"h 0 6 3 800000 801000 5 0 {one}",  # which of them?
                   self.task(4, 4), f"h 0 6 4 700000 701000 5 0 {one}", f"h 0 6 4 400000 401000 5 0 {gone}",  # or is it that?
                   self.task(5, 5), f"h 0 6 5 700000 700010 5 0 {one}",  # a part where the instruction isn't
                   "h 0 9 6 2 /", self.task(6, 6), self.task(7, 7)]
        mapped = "0 400000 0 5 7 1 /bin/one\n0 700000 0 5 7 3 /bin/one\n0 800000 0 5 7 4 /bin/one\n0 400000 0 5 9 0 /bin/gone\n"
        loaded = "400000 elf/1 /bin/one\n400000 elf/2 /bin/two\n700000 elf/1 /bin/one\n800000 elf/1 /bin/one\n"
        records = [(task, 1) for task in range(1, 8)] + ["h 0 3 1 8 //bin/one", f"h 0 6 8 800000 801000 5 0 {one}", (1, 1)]
        trace = self.make("trace", records, changes, mapped=mapped, same=b"", loaded=loaded, code=bytes([1, 1]))
        expected = [0x400010, 0x700010, 0x400010, 0x400010, 0x400010, 0x700010, 0x400010, 0x800010]
        self.assertEqual(self.addresses(trace), expected)
        for begin in (0x400000, 0x700000, 0x800000):
            own = [pc for pc in expected if begin <= pc < begin + 0x1000]
            where = f"{begin:x}..{begin + 0x1000:x}"
            self.assertEqual(self.addresses(trace, "--pc", where), own)
            self.assertEqual(self.addresses(trace, "--pc", where, "--function", "first"),
                             [pc for pc in own if pc != 0x400010] + [0x400010] * (4 if begin == 0x400000 else 0))
        self.assertEqual(self.addresses(trace, "--pc", "400010"), [0x400010] * 5)
        self.assertEqual(self.tracer("merge", "-o", self.path("both"), trace, trace).status, 0)
        self.assertEqual(self.addresses(self.path("both")), 2 * expected)

    def test_processes_at_random_addresses(self):
        """Their own functions, and those of the C library, are recorded where the processes say that they are."""
        program = workload("moved")
        trace = self.path("moved.mtrace")
        result = self.tracer("record", "-o", trace, "--user-only", "--", "sh", "-c", f"{program}; {program} & {program}; wait")
        self.assertEqual(result.status, 0, result.err)
        said = [line.split() for line in result.out.splitlines()]
        self.assertEqual(len(said), 3)
        self.assertEqual(len({where for line in said for where in line[1:]}), 9)
        vdso = [{pc - int(begin, 16) for pc in self.addresses(trace, "--process", pid, "--pc", f"{begin}..{int(begin, 16) + 8192:x}")}
                for pid, _, _, begin in said]
        self.assertGreater(len(vdso[0]), 5)
        self.assertEqual(vdso[1:], vdso[:1] * 2)
        for pid, touch, lsearch, _ in said:
            for function, begin in (("touch", int(touch, 16)), ("lsearch", int(lsearch, 16))):
                with self.subTest(pid=pid, function=function):
                    rows = self.tracer("dump", "--json", "--process", pid, "--function", function, "--columns",
                                       "pc,offset,bytes,address,function", trace).out.splitlines()
                    rows = [row for row in map(json.loads, rows) if row["function"] == function]
                    self.assertGreaterEqual(len(rows), 601 if function == "touch" else 63)
                    self.assertEqual({int(row["pc"], 16) - row["offset"] for row in rows}, {begin})
                    last = max(row["offset"] for row in rows)
                    selected = self.addresses(trace, "--process", pid, "--pc", f"{begin:x}..{begin + last + 1:x}")
                    self.assertEqual(selected, [int(row["pc"], 16) for row in rows])
                    if function == "touch":
                        self.assert_operand_is_relative(rows)

    def assert_operand_is_relative(self, rows):
        """mov with an operand relative to rip."""
        rows = [row for row in rows if row["bytes"].startswith(("8b05", "8905"))]
        self.assertEqual(len(rows), 600)
        for row in rows:
            code = bytes.fromhex(row["bytes"])
            self.assertEqual(int(row["address"], 16), int(row["pc"], 16) + len(code) + int.from_bytes(code[2:], "little", signed=True))

    def test_attachments_that_make_no_sense(self):
        changes = [self.task(1, 1), "h 0 6 1 400000 401000 5 0 5 7 //bin/one"]
        for mapped, same in (("x", b"\1\1"), ("0 400000 0 5 7 99 /bin/one", b"\1\x63"), ("0 400000 0 5 7 1", b"\1\1"),
                             (self.MAPPED, b"\1"), (self.MAPPED, b"\xff" * 40), (self.MAPPED, b"\1\x63")):
            with self.subTest((mapped, same)):
                trace = self.make("bad", [(1, 1)], changes, mapped=mapped, same=same)
                self.assertEqual(self.names(trace), [None])
                self.assertEqual(self.tracer("merge", "-o", self.path("both"), trace, trace).status, 0)
                self.assertEqual(self.names(self.path("both")), [None, None])


if __name__ == "__main__":
    unittest.main()
