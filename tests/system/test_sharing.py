# SPDX-License-Identifier: GPL-2.0-or-later
"""`sharing` against closed forms, and against a naive model of the same definitions."""
import json
import random
import subprocess
import unittest

from test_cache import IO, MAKE_TRACE, PADDR, PC, STORE, UNKNOWN, USER, CacheTest

WORD = 2  # size_shift
TASK = 32


class Naive:
    """All lines of one size, as memory_tracer-sharing(1) defines the figures."""

    def __init__(self, bytes_of_line, rows):
        self.read, self.written, self.holders, self.writers = {}, {}, {}, {}
        self.invalidations, self.pairs, self.ping_pongs = {}, {}, 0
        for vcpu, info, address, *_ in rows:
            touched = range(address, address + (1 << (info & 7)))
            for line in sorted({byte // bytes_of_line for byte in touched}):
                words = {byte // 4 for byte in touched if byte // bytes_of_line == line}
                (self.written if info & STORE else self.read).setdefault(line, {}).setdefault(vcpu, set()).update(words)
                holders = self.holders.setdefault(line, set())
                if info & STORE:
                    for other in holders - {vcpu}:
                        self.invalidations[line] = self.invalidations.get(line, 0) + 1
                        self.pairs[vcpu, other] = self.pairs.get((vcpu, other), 0) + 1
                    holders.clear()
                    writers = self.writers.setdefault(line, [])
                    if not writers or writers[-1] != vcpu:
                        self.ping_pongs += writers[-2:-1] == [vcpu]
                        writers.append(vcpu)
                holders.add(vcpu)

    def kind(self, line):
        read, written = self.read.get(line, {}), self.written.get(line, {})
        vcpus = set(read) | set(written)
        if len(vcpus) < 2:
            return "own"
        if not written:
            return "read"
        for vcpu, words in written.items():
            for other in vcpus - {vcpu}:
                if words & (read.get(other, set()) | written.get(other, set())):
                    return "true"
        return "false"

    def row(self, line_bytes):
        kinds = {line: self.kind(line) for line in self.holders}
        count = list(kinds.values()).count
        return {"line_bytes": line_bytes, "lines": len(kinds), "read_shared": count("read"), "true_shared": count("true"),
                "false_shared": count("false"), "invalidations": sum(self.invalidations.values()),
                "false_invalidations": sum(number for line, number in self.invalidations.items() if kinds[line] == "false"),
                "ping_pongs": self.ping_pongs}


class Sharing(CacheTest):
    def sharing(self, *arguments):
        return self.analyze("sharing", *arguments)

    def take_turns(self, addresses, turns=10):
        return [(vcpu, WORD | STORE | USER, address, vcpu + 1) for _ in range(turns) for vcpu, address in enumerate(addresses)]

    def test_true_sharing(self):
        result = self.sharing(self.make("a", self.take_turns([0x1000, 0x1000]), vcpus=2))
        # The first store takes it from nobody; a ping-pong needs two before it.
        for size in result["sizes"]:
            self.assertEqual((size["lines"], size["true_shared"], size["false_shared"], size["invalidations"], size["ping_pongs"]), (1, 1, 0, 19, 18))
        self.assertEqual([(pair["by"], pair["of"], pair["invalidations"]) for pair in result["pairs"]], [(0, 1, 9), (1, 0, 10)] * 2)
        self.assertEqual(result["words"], [{"address": "0x1000", "vcpus": 2, "writers": 2}])
        self.assertEqual([(side["vcpu"], side["stores"], side["words_written"], side["storer"]) for side in result["sides"] if side["line_bytes"] == 64],
                         [(0, 10, "1", "0x401000"), (1, 10, "1", "0x402000")])

    def test_false_sharing(self):
        result = self.sharing(self.make("a", self.take_turns([0x1000, 0x1004]), vcpus=2))
        self.assertEqual([(line["kind"], line["invalidations"]) for line in result["top_lines"]], [("falsely", 19), ("falsely", 19)])
        self.assertEqual(([size["false_invalidations"] for size in result["sizes"]], result["words"]), ([19, 19], []))
        # Neighbours of 64 bytes share nothing but a line of 128 bytes.
        result = self.sharing(self.make("b", self.take_turns([0x1000, 0x1040]), vcpus=2))
        self.assertEqual([(size["lines"], size["false_shared"], size["invalidations"]) for size in result["sizes"]], [(2, 0, 0), (1, 1, 19)])

    def test_what_is_only_read_is_not_invalidated(self):
        rows = [(vcpu, WORD, 0x1000) for vcpu in (0, 1)] * 5
        result = self.sharing(self.make("a", rows, vcpus=2))
        self.assertEqual([(size["read_shared"], size["invalidations"]) for size in result["sizes"]], [(1, 0), (1, 0)])
        self.assertEqual(result["top_lines"], [])
        # Three readers' copies, then one store: two copies go.
        rows = [(vcpu, WORD, 0x1000) for vcpu in range(3)] + [(1, WORD | STORE, 0x1000)] * 2
        self.assertEqual([size["invalidations"] for size in self.sharing(self.make("b", rows, vcpus=3))["sizes"]], [2, 2])

    def test_against_a_naive_model(self):
        chance = random.Random(4)
        rows = []
        while len(rows) < 12000:
            vcpu = chance.randrange(4)
            rows += [(vcpu, chance.choice((0, 1, 2, 3, 4)) | chance.choice((0, 0, STORE)), 0x1000 + 64 * chance.randrange(300) + chance.randrange(64))
                     for _ in range(chance.randrange(1, 30))]
            rows += [(vcpu, WORD | STORE, 0x40000 + 128 * chance.randrange(200) + 16 * vcpu), (vcpu, WORD, 0x80000 + 64 * chance.randrange(9))]
        result = self.sharing(self.make("random", rows, vcpus=4))
        for size in (64, 128):
            naive = Naive(size, rows)
            self.assertEqual(next(row for row in result["sizes"] if row["line_bytes"] == size), naive.row(size))
            self.assertEqual({(pair["by"], pair["of"]): pair["invalidations"] for pair in result["pairs"] if pair["line_bytes"] == size}, naive.pairs)
        self.assertTrue(all(result["sizes"][0].values()))

    def test_sides_against_a_naive_model(self):
        chance = random.Random(5)
        rows = [(chance.randrange(3), chance.choice((0, 2, 3, 4, 5, 6, 7)) | chance.choice((0, 0, STORE)),
                 0x1000 + chance.choice((chance.randrange(1024), chance.randrange(32) * 32 + 30)), chance.choice((1, 1, 1, 2, 3))) for _ in range(8000)]
        rows += [(vcpu, WORD, 0x8000 + 64 * line, instruction) for line in range(8) for vcpu, instruction in ((0, 1 + line % 2), (1, 1))] * 9
        # Of these stores of vCPU 0, most are by the second instruction; the others are to both 64-byte lines.
        rows += [(0, WORD | STORE, 0x9000 + 128 * block + 8 * half, 2) for block in range(4) for half in (0, 9, 0)] * 3
        rows += [(0, WORD | STORE, 0x903e + 128 * block, 1) for block in range(4)] * 8 + [(1, WORD, 0x9000 + 128 * block, 3) for block in range(4)]
        sides = self.sharing("--top", "1000", self.make("a", rows, vcpus=3))["sides"]
        for bytes_of_line in (64, 128):
            uses, words = {}, {}
            for vcpu, info, address, instruction in rows:
                for line in range(address // bytes_of_line, (address + (1 << (info & 7)) - 1) // bytes_of_line + 1):
                    uses.setdefault((line * bytes_of_line, vcpu, info & STORE), []).append(("0x401000", "0x402000", "0xffffffff81000000")[instruction - 1])
                    first, last = max(address - line * bytes_of_line, 0), min(address + (1 << (info & 7)) - line * bytes_of_line, bytes_of_line) - 1
                    key = line * bytes_of_line, vcpu, info & STORE
                    words[key] = words.get(key, 0) | sum(1 << word for word in range(first // 4, last // 4 + 1))
            own, majorities = [side for side in sides if side["line_bytes"] == bytes_of_line], 0
            self.assertTrue(own)
            for side in own:
                for info, count, bits, who in ((0, "loads", "words_read", "loader"), (STORE, "stores", "words_written", "storer")):
                    key = int(side["address"], 16), side["vcpu"], info
                    self.assertEqual((side[count], int(side[bits], 16)), (len(uses.get(key, [])), words.get(key, 0)))
                    for pc in set(uses.get(key, [])):
                        if 2 * uses[key].count(pc) > len(uses[key]):
                            self.assertEqual(side[who], pc, (side, uses[key]))
                            majorities += 1
            self.assertGreater(majorities, 40)

    def test_a_long_trace_has_stretches(self):
        """Of two vCPUs they have 4 M records each. What a pattern that comes again adds is the same each time but the first."""
        chance = random.Random(6)
        rows = []
        while len(rows) < 20000:
            vcpu = chance.randrange(2)
            rows += [(vcpu, chance.choice((0, 2, 3, 4)) | chance.choice((0, 0, STORE)), 0x1000 + 64 * chance.randrange(300) + chance.randrange(64),
                      chance.choice((1, 1, 1, 1, 2, 3))) for _ in range(chance.randrange(1, 30))]
        times = 450
        path = self.make("long", rows, vcpus=2, times=times)
        expected = self.tracer("sharing", "--json", path)
        result = json.loads(expected.out)
        self.assertEqual(result["accesses"], len(rows) * times)
        for size in (64, 128):
            once, twice = (Naive(size, rows * times) for times in (1, 2))
            first, second, row = once.row(size), twice.row(size), next(row for row in result["sizes"] if row["line_bytes"] == size)
            for figure in first:
                self.assertEqual(row[figure], first[figure] + (times - 1) * (second[figure] - first[figure]), figure)
            self.assertEqual({(pair["by"], pair["of"]): pair["invalidations"] for pair in result["pairs"] if pair["line_bytes"] == size},
                             {pair: once.pairs[pair] + (times - 1) * (twice.pairs[pair] - once.pairs[pair]) for pair in once.pairs})
        uses = {}
        for vcpu, info, address, instruction in rows:
            for line in range(address // 64, (address + (1 << (info & 7)) - 1) // 64 + 1):
                uses.setdefault((f"{64 * line:#x}", vcpu, info & STORE), []).append(instruction)
        majorities = [(side[who], count.count(1) / len(count)) for side in result["sides"] if side["line_bytes"] == 64
                      for who, info in (("loader", 0), ("storer", STORE)) for count in [uses[side["address"], side["vcpu"], info]]]
        self.assertEqual({loader for loader, share in majorities if share > 0.5}, {"0x401000"})
        for selection in ([], ["--events", "499000..9000000"], ["--vcpu", "1"], ["--stores"], ["--address", "0x1000..0x1fff"]):
            one = self.tracer("sharing", "--json", "--top", "400", *selection, path)
            for jobs in ("2", "3"):
                with self.subTest(selection, jobs=jobs):
                    more = self.tracer("sharing", "--json", "--top", "400", *selection, "--jobs", jobs, path)
                    self.assertEqual((more.status, more.err, more.out), (one.status, "", one.out))

    def test_whether_the_order_is_exact(self):
        for vcpus, metadata, exact in ((1, None, True), (2, None, False), (2, {"strict_order": True}, True), (2, {"strict_order": False}, False),
                                       (2, {"icount": "shift=0"}, True)):
            lines = ([f"m {json.dumps(metadata)}"] if metadata else []) + ["c 0 0 1", "r 3 0 0 0 0"]
            subprocess.run([MAKE_TRACE, self.path("a"), str(PC), str(vcpus), "65536"], input="\n".join(lines) + "\n", text=True, check=True)
            with self.subTest(vcpus=vcpus, metadata=metadata):
                result = self.sharing(self.path("a"))
                self.assertEqual((result["order_is_exact"], result["order"].split(":")[0]), (exact, "exact" if exact else "estimate"))

    def tasks(self, name, rows, fields=PC | TASK, order=()):
        """A trace of one vCPU, of (task's event, info, address[, physical address]) tuples. Tasks 1 and 2 are threads of one
        process, with memory 1; task 3 is another process, with memory 2. `order`: changes behind so many records."""
        lines = [f"h 0 1 1 a a 0 0 0 1 0 /first", "h 0 1 2 b a 0 0 1 1 0 /second", "h 0 1 3 14 14 0 0 0 2 0 /other"]
        for i, (event, info, address, *paddr) in enumerate(rows):
            lines += [change for at, change in order if at == i]
            lines += [f"t 0 {event}", "c 0 0 1", f"r {info:x} {address:x} {paddr[0] if paddr else 0:x} 0 0"]
        subprocess.run([MAKE_TRACE, self.path(name), str(fields), "1", "64"], input="\n".join(lines) + "\n", text=True, check=True)
        return self.path(name)

    def test_between_threads_and_processes(self):
        rows = [(event, WORD | STORE | USER, address) for _ in range(10) for event, address in ((4, 0x1000), (8, 0x1004), (12, 0x1000))]
        path = self.tasks("a", rows)
        for between, lines, sharers, invalidations in (("vcpu", [], [], 0), ("thread", ["falsely"] * 2, [2, 2], 19), ("process", [], [], 0)):
            result = self.sharing("--between", between, path)
            with self.subTest(between):  # the other process's line at that address is another one
                self.assertEqual([line["kind"] for line in result["top_lines"]], lines)
                self.assertEqual([line["sharers"] for line in result["top_lines"]], sharers)
                self.assertEqual([(size["lines"], size["invalidations"]) for size in result["sizes"]], [(2, invalidations)] * 2)
                self.assertEqual(result["lines_by"], "address spaces and virtual addresses")
        result = self.sharing("--between", "thread", path)
        self.assertEqual([(pair["by"], pair["by_name"], pair["of"], pair["of_name"], pair["invalidations"]) for pair in result["pairs"]],
                         [(10, "first", 11, "second", 9), (11, "second", 10, "first", 10)] * 2)
        self.assertEqual([(side["id"], side["name"], side["words_written"]) for side in result["sides"][:2]], [(10, "first", "1"), (11, "second", "2")])

    def test_the_kernel_is_the_same_in_all_processes(self):
        path = self.tasks("a", [(event, WORD | STORE, 0xffffffff82000000) for _ in range(5) for event in (4, 12, 13)])
        result = self.sharing("--between", "process", path)
        self.assertEqual([line["kind"] for line in result["top_lines"]], ["truly"] * 2)
        self.assertEqual([(side["id"], side["name"], side["stores"]) for side in result["sides"][:3]],
                         [(0, "(interrupts)", 5), (10, "first", 5), (20, "other", 5)])

    def test_by_physical_addresses(self):
        # The same memory at two virtual addresses; others' memory at one virtual address; a device; one that isn't known.
        rows = [(4, WORD | STORE | USER, 0x1000, 0x7000), (12, WORD | STORE | USER, 0x5000, 0x7000)] * 5
        rows += [(4, WORD | STORE | USER, 0x9000, 0x8000), (12, WORD | STORE | USER, 0x9000, 0x9000)] * 5
        rows += [(4, WORD, 0x9000, IO | 0x8000), (4, WORD, 0x9000, UNKNOWN), (4, 3, 0x9ffc, 0xaffc)]
        result = self.sharing("--between", "process", self.tasks("a", rows, fields=PC | PADDR | TASK))
        self.assertEqual((result["lines_by"], result["left_out"], result["accesses"]), ("physical addresses", 2, 23))
        self.assertEqual([(line["address"], line["virtual_address"], line["invalidations"]) for line in result["top_lines"]],
                         [("0x7000", "0x1000", 9)] * 2)
        self.assertEqual(result["sizes"][0]["lines"], 4)  # the page behind 0xafff isn't known
        by_vcpus = self.sharing(self.make("b", [(vcpu, WORD | STORE, 0x1000 * vcpu, 0, 0x7000) for vcpu in (0, 1)] * 5, fields=PADDR, vcpus=2))
        self.assertEqual([(line["address"], line["vcpus"]) for line in by_vcpus["top_lines"]], [("0x7000", 2)] * 2)

    def test_memory_after_exec(self):
        # Thread 1 executes a program between its two stores: the second is in other memory.
        rows = [(4, WORD | STORE | USER, 0x1000), (4, WORD | STORE | USER, 0x1000), (12, WORD | STORE | USER, 0x1000)]
        self.assertEqual(self.sharing(self.tasks("a", rows))["sizes"][0]["lines"], 2)
        self.assertEqual(self.sharing(self.tasks("b", rows, order=[(1, "h 0 3 1 3 //bin/x")]))["sizes"][0]["lines"], 3)

    def test_memory_after_exec_with_a_selection(self):
        # What is left out in between doesn't move the exec.
        rows = [(4, WORD | info | USER, 0x1000) for info in (STORE, 0, 0, 0, STORE)]
        trace = self.tasks("a", rows, order=[(4, "h 0 3 1 3 //bin/x")])
        self.assertEqual([self.sharing(trace, *options)["sizes"][0]["lines"] for options in ([], ["--stores"])], [2, 2])

    def test_memory_after_exec_in_a_group(self):
        # What other processes do in between doesn't move the exec.
        rows = [(event, WORD | STORE | USER, 0x1000) for event in (4, 12, 12, 12, 4)]
        trace = self.tasks("a", rows, order=[(4, "h 0 3 1 3 //bin/x")])
        self.assertEqual([group["sizes"][0]["lines"] for group in self.sharing("--by", "process", trace)["processes"]], [1, 2])

    def test_groups_know_tasks_too(self):
        rows = [(event, WORD | STORE | USER, 0x1000) for _ in range(3) for event in (4, 8, 12)]
        result = self.sharing("--between", "thread", "--by", "process", self.tasks("a", rows))
        self.assertEqual([(group["pid"], group["sizes"][0]["true_shared"], group["sizes"][0]["invalidations"]) for group in result["processes"]],
                         [(10, 1, 5), (20, 0, 0)])

    def test_between_whom(self):
        path = self.make("a", [(0, 3, 0)])
        self.assert_fails(self.tracer("sharing", "--between", "cpus", path), "--between", status=2)
        self.assert_fails(self.tracer("sharing", "--between", "thread", path), "doesn't tell which task")
        self.assertEqual(self.sharing(path)["lines_by"], "virtual addresses")

    def test_jobs_between_threads(self):
        chance = random.Random(9)
        rows = [(chance.choice((4, 5, 8, 12)), WORD | chance.choice((0, STORE)) | USER, 0x1000 + 4 * chance.randrange(400)) for _ in range(600)]
        for fields in (PC | TASK, PC | TASK | PADDR):
            path = self.tasks("a", [(*row, row[2]) for row in rows], fields=fields)
            one, two = (self.tracer("sharing", "--between", "thread", "--jobs", jobs, path) for jobs in ("1", "2"))
            self.assertEqual((one.out, one.err), (two.out, ""))
            self.assertIn("too few records", two.err)
            self.assertIn("truly", one.out)

    def test_top(self):
        rows = self.take_turns([0x1000, 0x1000]) + self.take_turns([0x2000, 0x2000], 5)
        result = self.sharing("--top", "1", self.make("a", rows, vcpus=2))
        self.assertEqual([line["address"] for line in result["top_lines"]], ["0x1000", "0x1000"])
        self.assert_fails(self.tracer("sharing", "--top", "-1", self.path("a")), "can't be negative", status=2)


if __name__ == "__main__":
    unittest.main()
