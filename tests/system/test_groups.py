# SPDX-License-Identifier: GPL-2.0-or-later
"""--by: the counts of one pass are the counts of each group's records alone."""
import json
import os
import random
import subprocess
import unittest

from harness import BUILD, SystemTest

PC, TASK, STORE = 1, 32, 0x20
TASKS = 5
WHAT = {"process": "processes", "thread": "threads", "function": "functions", "line": "lines_of_source", "file": "files",
        "object": "objects", "region": "regions"}


class Groups(SystemTest):
    def trace(self, name, fields, seed):
        """Three vCPUs' records by chance. Returns the path and (task, context, info, address) of each."""
        chance, records = random.Random(seed), []
        text = ["b kallsyms " + b"ffffffff81000000 T one\nffffffff81000020 T two\nffffffff81000040 T three\n".hex(),
                "b elf/1 " + b"10 20 first\n".hex(), "b elf/2 " + b"10 20 second\n".hex(),
                "b loaded " + b"400000 elf/1 /bin/one\n400000 elf/2 /bin/two\n0 kallsyms kernel\n".hex(),
                "b code 01000503", "b mapped " + b"0 400000 0 5 7 1 /bin/one\n0 400000 0 5 8 2 /bin/two\n".hex(),
                "b same_code " + bytes([1, 1, 0, 2]).hex(), "i 400010 3"]
        text += [f"i ffffffff810000{offset:02x} 0" for offset in (0, 4, 0x20, 0x24, 0x44)]
        for task in range(1, TASKS + 1):
            process = min(task, 4)  # the last one is a thread of the one before
            text.append(f"h 0 1 {task:x} {task + 100:x} {process + 100:x} {task:x} {process:x} 0 {process:x} /t{task}")
        text += ["h 0 6 1 400000 401000 5 0 5 7 //bin/one", "h 0 6 2 400000 401000 5 0 5 8 //bin/two"]
        text += [f"h 0 6 {memory} {begin:x} {begin + 0x2000:x} {3 if begin % 0x4000 else 1} 0 0 0 /"  # neighbours differ
                 for memory in range(1, 5) for begin in range(0, 1 << 16, 0x2000)]
        for _ in range(400):
            vcpu, count, task, context = chance.randrange(3), chance.randrange(1, 60), chance.randrange(TASKS + 1), \
                chance.choice((0, 0, 0, 1, 2))
            text += [f"t {vcpu} {task << 2 | context}", f"c {vcpu} 0 {count}"]
            at = chance.randrange(1 << 14)
            for _ in range(count):
                at += chance.choice((0, 0, 1, 4, 8, 60, 64, 4090, -4096 * 2))
                at = max(at, 0) & 0xffff
                info = chance.randrange(4) | chance.choice((0, STORE)) | chance.choice((0, 0xc0, 0xc0))
                records.append((task, context, info, at))
                text.append(f"r {info:x} {at:x} 0 0 {chance.randrange(1, 7) if fields & PC else 0:x}")
        path = self.path(name)
        subprocess.run([os.path.join(BUILD, "make_trace"), path, str(fields), "3", "512"], input="\n".join(text) + "\n", text=True,
                       check=True)
        return path, records

    def stat(self, *arguments):
        result = self.tracer("stat", "--json", *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return json.loads(result.out)

    @staticmethod
    def figures(records):
        """Of (info, address): accesses, loads, stores, user, lines, pages."""
        stores = sum(1 for info, _ in records if info & STORE)
        touched = {byte for info, address in records for byte in range(address, address + (1 << (info & 7)))}
        return (len(records), len(records) - stores, stores, sum(1 for info, _ in records if info >> 6 == 3),
                len({byte >> 6 for byte in touched}), len({byte >> 12 for byte in touched}))

    def test_threads_and_processes_by_a_model(self):
        for fields in (PC | TASK, TASK):
            trace, records = self.trace("trace", fields, 1)
            for what, number in (("thread", lambda task: task), ("process", lambda task: min(task, 4))):
                expected = {}
                for task, context, info, address in records:
                    key = "(interrupts)" if context == 1 else "(softirqs)" if context == 2 else \
                        f"t{number(task)}" if task else "(unknown)"
                    expected.setdefault(key, []).append((info, address))
                with self.subTest(fields=fields, by=what):
                    rows = self.stat("--by", what, trace)[WHAT[what]]
                    self.assertEqual({row["command"]: tuple(row[name] for name in ("accesses", "loads", "stores", "user", "lines", "pages"))
                                      for row in rows},
                                     {key: self.figures(group) for key, group in expected.items()})

    def test_one_pass_is_what_each_group_alone_comes_to(self):
        """--brief has a state for each group, which gets its records alone."""
        for seed in (2, 3):
            trace, _ = self.trace("trace", PC | TASK, seed)
            for selection in ([], ["--events", "333..9000"], ["--cpl", "3"], ["--stores"]):
                whole = self.stat(*selection, trace)
                for what, name in WHAT.items():
                    with self.subTest(seed=seed, by=what, selection=selection):
                        result = self.stat("--by", what, *selection, trace)
                        rows = result.pop(name)
                        self.assertEqual(rows, self.stat("--brief", "--by", what, *selection, trace)[name])
                        self.assertEqual(sum(row["accesses"] for row in rows), whole["accesses"])
                        self.assertEqual(result, whole)

    def test_the_memory_decides_which_function_it_is(self):
        trace, _ = self.trace("trace", PC | TASK, 4)
        names = {row["function"] for row in self.stat("--by", "function", trace)["functions"]}
        self.assertEqual(names, {"first", "second", "one", "two", "three", "(unknown)"})
        for function in ("first", "second", "one"):
            alone = self.stat("--function", function, trace)["accesses"]
            self.assertEqual([row["accesses"] for row in self.stat("--by", "function", trace)["functions"]
                              if row["function"] == function], [alone])

    def test_groups_that_are_equal_are_in_the_order_of_their_names(self):
        trace, _ = self.trace("trace", PC | TASK, 5)
        rows = [row for row in self.stat("--by", "function", trace)["functions"]]
        self.assertEqual(rows, sorted(rows, key=lambda row: (-row["accesses"], row["function"])))


if __name__ == "__main__":
    unittest.main()
