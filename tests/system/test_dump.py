# SPDX-License-Identifier: GPL-2.0-or-later
"""dump: columns and JSON, of traces whose records are known."""
import json
import os
import re
import signal
import subprocess
import unittest

from harness import BUILD, SystemTest

ALL_FIELDS = 1 + 2 + 4 + 8 + 32 + 128
COLUMNS = ("index vcpu cpl access type size address paddr page_size value time_ns task pid tid command context region object pc bytes place function offset "
           "binary instruction file line source").split()


class Dump(SystemTest):
    def make(self, name, fields, lines, vcpus=1):
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path(name), str(fields), str(vcpus), "8"],
                       input="\n".join(lines) + "\n", text=True, check=True)
        return self.path(name)

    def known(self):
        # Two places: line 9 of /a, and the function `in` that is inlined there.
        source = bytes([2, 2, *b"/a", 2, *b"in", 2, 0, 1, 9, 0, 2, 1, 3, 1, 1, 0x10, 4, 2])
        return self.make("known", ALL_FIELDS, [
            "b elf/ab12 " + b"10 1000 _ZN4list3addEi\n".hex(), "b lines/ab12 " + source.hex(),
            "b loaded " + b"400000 elf/ab12 /bin/a \"b\"\\\n".hex(), "b code 010101", "i 400010 3", "i 500010 0",
            'h 0 1 1 7b 7a 0 0 /we"ird\\\t', "t 0 4", "c 0 77 1", "r c3 ffffffffffffff00 ffffffffffffffff fedcba9876543210 1",
            "t 0 6", "c 0 99 3", "r 20 1000 100000000002000 5 2", "r e3 0 8000000000002000 0 0", "r c4 1000 3000 8000000000000001 1"])

    EXPECTED = [
        {"index": 0, "vcpu": 0, "cpl": 3, "type": "load", "size": 8, "address": "0xffffffffffffff00", "paddr": None, "io": None, "page_size": None,
         "value": "0xfedcba9876543210", "time_ns": 77, "pid": 122, "tid": 123, "command": 'we"ird\\', "context": "task",
         "pc": "0x400010", "bytes": "0f1f4000", "function": "list::add(int)", "offset": 0, "binary": '/bin/a "b"\\',
         "instruction": "nop dword ptr [rax]", "file": "/a", "line": 3},
        {"index": 1, "vcpu": 0, "cpl": 0, "type": "store", "size": 1, "address": "0x1000", "paddr": "0x2000", "io": False, "page_size": 4096,
         "value": "0x5", "time_ns": 99, "pid": 122, "tid": 123, "command": 'we"ird\\', "context": "softirq",
         "pc": "0x500010", "bytes": "0f1f4000", "function": None, "offset": None, "binary": None,
         "instruction": "nop dword ptr [rax]", "file": None, "line": None},
        {"index": 2, "vcpu": 0, "cpl": 3, "type": "store", "size": 8, "address": "0x0", "paddr": "0x2000", "io": True, "page_size": None,
         "value": "0x0", "time_ns": 99, "pid": 122, "tid": 123, "command": 'we"ird\\', "context": "softirq", "pc": None,
         "bytes": None, "function": None, "offset": None, "binary": None, "instruction": None, "file": None, "line": None},
    ]

    def rows(self, *arguments):
        result = self.tracer("dump", *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return [json.loads(line) for line in result.out.splitlines()]

    def test_json_tells_all_that_the_trace_has(self):
        trace = self.known()
        rows = self.rows("--json", trace)
        self.assertEqual(rows[:3], self.EXPECTED)
        self.assertEqual((len(rows), rows[3]["value"], rows[3]["size"]), (4, "0x8000000000000001", 16))
        self.assertEqual(self.rows("--json", "--lines", "--events", "0", trace)[0]["source"],
                         [{"function": "in", "file": "/a", "line": 3}, {"function": "list::add(int)", "file": "/a", "line": 9}])
        plain = self.make("plain", 0, ["c 0 0 1", "r 3 10 0 0 0"])
        self.assertEqual(self.rows("--json", plain),
                         [{"index": 0, "vcpu": 0, "cpl": 0, "type": "load", "size": 8, "address": "0x10"}])

    def test_columns_are_those_that_are_named_in_this_order(self):
        trace = self.known()
        self.assertEqual(self.rows("--json", "--columns", "size,index,tid", trace)[0], {"size": 8, "index": 0, "tid": 123})
        self.assertEqual(list(self.rows("--json", "--columns", "size,index", trace)[0]), ["size", "index"])
        self.assertEqual(self.rows("--json", "--columns", ",".join(COLUMNS), "--events", "..3", trace),
                         [{**row, "source": self.rows("--json", "--columns", "source", trace)[row["index"]]["source"],
                           "region": region, "object": object_name}
                          for row, region, object_name in zip(self.EXPECTED, ["unknown-kernel", "unknown-user", "unknown-user"],
                                                              ["unknown-kernel", "unknown", "unknown"])])
        text = self.tracer("dump", "--columns", ",".join(COLUMNS), trace).out.splitlines()
        self.assertEqual(text[0].split(), ["#", *COLUMNS])
        self.assertEqual(re.split("  +", text[1].strip()), [
            "0", "0", "3", "L8", "load", "8", "ffffffffffffff00", "?", "?", "fedcba9876543210", "77", '122/123 we"ird\\', "122", "123",
            'we"ird\\', "task", "unknown-kernel", "unknown-kernel", "0000000000400010", "0f1f4000", "list::add(int)+0x0",
            "list::add(int)", "0x0", '/bin/a "b"\\', "nop dword ptr [rax]", "/a", "3", "; /a:3 in in, called at /a:9"])
        self.assertEqual(re.split("  +", text[3].strip())[7:], [
            "2000io", "?", "0000000000000000", "99", '122/123 we"ird\\ (softirq)', "122", "123", 'we"ird\\', "softirq",
            "unknown-user", "unknown", "?", "?", "?", "?", "?", "?", "(unknown instruction)", "?", "?"])

    def test_columns_are_fixed(self):
        """Each column is aligned with the left or right end of its heading; unknown values are question marks."""
        lines = self.tracer("dump", self.known()).out.splitlines()
        names = lines[0].split()[1:]
        self.assertEqual(names, ["index", "vcpu", "cpl", "access", "address", "paddr", "value", "time_ns", "task", "pc", "place",
                                 "instruction"])
        for name in ("access", "task", "place", "instruction"):
            for line in lines[1:]:
                self.assertRegex(line[lines[0].index(name) - 2:], r"^  \S")
        for name in ("index", "vcpu", "cpl", "address", "time_ns", "pc"):
            for line in lines[1:]:
                self.assertRegex(line[:lines[0].index(f"{name} ") + len(name)], r"\S$")

    def test_what_is_no_column(self):
        trace = self.known()
        for wrong in ("", "index,", "nothing", "index,,pc", "Index", " index"):
            result = self.tracer("dump", "--columns", wrong, trace)
            self.assertEqual((result.status, result.out, result.err.count("\n")), (2, "", 1))
            self.assertIn("--columns", result.err)
        result = self.tracer("dump", "--columns", "pc", "--lines", trace)
        self.assertEqual((result.status, result.out), (2, ""))
        plain = self.make("plain", 0, ["c 0 0 1", "r 3 10 0 0 0"])
        for missing in ("paddr", "value", "time_ns", "task", "pid", "pc", "place", "source"):
            result = self.tracer("dump", "--columns", "index," + missing, plain)
            self.assertEqual((result.status, result.out, result.err.count("\n")), (1, "", 1))
            self.assertIn(f"'{missing}'", result.err)

    def test_every_column_is_documented(self):
        help_text = re.sub(r"\s+", " ", self.tracer("dump", "--help").out)
        with open(os.path.join(os.path.dirname(BUILD), "doc", "memory_tracer-trace.1.md")) as file:
            page = file.read()
        wrong = self.tracer("dump", "--columns", "?", self.known()).err
        self.assertEqual(re.search("some of (.*), separated", wrong).group(1).split(", "), COLUMNS)
        for name in COLUMNS:
            self.assertRegex(help_text, rf"\b{name}\b")
            self.assertIn(f"**{name}**", page)

    def test_a_reader_may_be_slow_and_may_go(self):
        many = [f"r 3 {number:x} 0 0 0" for number in range(4000)]
        trace = self.make("many", 0, [line for _ in range(20) for line in ("c 0 0 4000", *many)])
        for form in ((), ("--json",), ("--columns", "address")):
            process = self.start("dump", *form, trace)
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(process.wait(timeout=60), -signal.SIGPIPE)
            self.assertNotIn("rror", process.stderr.read())
            process.stderr.close()
            result = subprocess.run(["sh", "-c", '"$@" | { sleep 1; wc -l; }', "sh", os.path.join(BUILD, "memory_tracer"), "dump",
                                     *form, trace], stdout=subprocess.PIPE, text=True, check=True)
            self.assertEqual(int(result.stdout), 80000 + (form != ("--json",)))


if __name__ == "__main__":
    unittest.main()
