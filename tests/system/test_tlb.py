# SPDX-License-Identifier: GPL-2.0-or-later
"""`tlb` against closed forms, and against a naive model of the same definitions."""
import random
import unittest
from collections import OrderedDict

from test_cache import STORE, USER, CacheTest

KERNEL_HALF = 0xffff888000000000
RECORDED = 1 + 2 + 128
SIZES = {0: "unknown", 1: "4K", 2: "2M", 3: "1G"}


class Lru:
    def __init__(self, entries, ways):
        self.sets, self.ways = [OrderedDict() for _ in range(entries // ways)], ways

    def hits(self, page):
        entries = self.sets[page % len(self.sets)]
        if page in entries:
            entries.move_to_end(page)
            return True
        entries[page] = True
        if len(entries) > self.ways:
            entries.popitem(last=False)
        return False


class Tlbs(CacheTest):
    def tlb(self, *arguments):
        return self.analyze("tlb", *arguments)

    def figures(self, *arguments):
        return [(level["accesses"], level["misses"]) for level in self.tlb(*arguments)["levels"]]

    def test_closed_forms(self):
        # 65 pages in turn: one more than 64 entries in 4 ways hold, which costs the 5 pages of one set; none of 128 entries.
        path = self.make("pages", [(0, 3, 4096 * page) for page in range(65)] * 10)
        self.assertEqual(self.figures(path), [(650, 65 + 9 * 5), (65 + 9 * 5, 65)])
        self.assertEqual(self.figures("--l1-4k", "64,full", path), [(650, 650), (650, 65)])
        self.assertEqual(self.figures("--l1-4k", "128,4", "--l2-4k", "none", path), [(650, 65), (65, 65)])
        self.assertEqual(self.figures("--page-size", "2M", path), [(650, 1), (1, 1)])
        # 2-MiB pages: 33 in 32 entries of 4 ways; 1-GiB pages: 5 in 4.
        path = self.make("huge", [(0, 3, page << 21) for page in range(33)] * 10)
        self.assertEqual(self.figures("--page-size", "2M", path), [(330, 33 + 9 * 5), (33 + 9 * 5, 33)])
        path = self.make("giant", [(0, 3, page << 30) for page in range(5)] * 10)
        self.assertEqual(self.figures("--page-size", "1G", path), [(50, 50), (50, 5)])

    def test_a_walk_by_columns(self):
        path = self.make("columns", [(0, 3, 4096 * row + 8 * column) for column in range(8) for row in range(2000)])
        self.assertEqual(self.figures(path), [(16000, 16000), (16000, 16000)])
        result = self.tlb("--l2-4k", "2000,full", "--walk-cycles", "30", path)
        self.assertEqual((result["walks"], result["walk_cycles"], result["walk_cycles_per_access"]), (2000, 60000, 3.75))
        self.assertEqual(result["walks_per_thousand_accesses"], 125)
        self.assertEqual([(tlb["level"], tlb["reach"]) for tlb in result["tlbs"]], [("l1", 64 << 12), ("l2", 2000 << 12)])

    def test_who_misses(self):
        rows = [(0, 3 | USER, page << 12, 1) for page in range(10)] + [(1, 3, KERNEL_HALF + (page << 12), 3) for page in range(30)]
        result = self.tlb(self.make("a", rows, vcpus=2))
        self.assertEqual([(row["mode"], row["accesses"], row["walks"]) for row in result["by_mode"]], [("kernel", 30, 30), ("user", 10, 10)])
        self.assertEqual([(row["vcpu"], row["walks"]) for row in result["by_vcpu"]], [(0, 10), (1, 30)])
        self.assertEqual([(row["level"], row["pc"], row["misses"]) for row in result["top_instructions"]],
                         [(level, pc, misses) for level in ("l1", "l2") for pc, misses in (("0xffffffff81000000", 30), ("0x401000", 10))])
        # The kernel's pages are one of 2 MiB.
        self.assertEqual([row["walks"] for row in self.tlb("--kernel-page-size", "2M", self.path("a"))["by_mode"]], [1, 10])

    def test_against_a_naive_model(self):
        chance, rows = random.Random(9), []
        while len(rows) < 20000:
            base = chance.choice((0, 0, KERNEL_HALF)) + (chance.randrange(1 << chance.choice((13, 18, 23))))
            rows += [(chance.randrange(2), chance.choice((0, 3, 4)) | chance.choice((0, STORE)), base + i * chance.choice((8, 4092)), 1)
                     for i in range(chance.randrange(1, 8))]
        path = self.make("random", rows, vcpus=2)
        for entries, ways in ((64, 4), (24, 8), (16, 16), (7, 1)):
            first, second, expected = {}, {}, [0, 0, 0]
            for vcpu, info, address, _ in rows:
                pages = {address >> 12: True, (address + (1 << (info & 7)) - 1) >> 12: True}
                for page in pages:
                    kernel = page >> 51
                    number = page >> 9 if kernel else page
                    expected[0] += 1
                    if not first.setdefault((vcpu, kernel), Lru(entries, ways)).hits(number):
                        expected[1] += 1
                        expected[2] += not second.setdefault((vcpu, kernel), Lru(4 * entries, 4)).hits(number)
            # Within a large page, a second small one isn't another lookup.
            expected[0] -= sum(address >> 63 and address >> 12 != (last := address + (1 << (info & 7)) - 1) >> 12 and address >> 21 == last >> 21
                               for _, info, address, _ in rows)
            with self.subTest(entries=entries, ways=ways):
                options = ["--kernel-page-size", "2M"]
                for page in ("4k", "2m"):
                    options += [f"--l1-{page}", f"{entries},{ways}", f"--l2-{page}", f"{4 * entries},4"]
                self.assertEqual(self.figures(*options, path), [(expected[0], expected[1]), (expected[1], expected[2])])
                self.assertTrue(expected[2])

    def sized(self, name, rows, fields=RECORDED, vcpus=1):
        """A trace of (vcpu, info, address, instruction, size's code) tuples."""
        return self.make(name, [(vcpu, info, address, instruction, address & (1 << 40) - 1 | (code << 56 if fields & 128 else 0))
                                for vcpu, info, address, instruction, code in rows], fields=fields, vcpus=vcpus, block=1000)

    def test_recorded_sizes_in_closed_form(self):
        # 64 MiB, page by page, twice: as 2-MiB pages they fit into the first level; as 4-KiB pages not even into the second one.
        def walk(code):
            return [(0, 3 | USER, 0x10000000 + (page << 12), 1, code) for page in range(64 << 8)] * 2

        huge, small = self.sized("huge", walk(2)), self.sized("small", walk(1))
        self.assertEqual(self.figures(huge), [(32768, 32), (32, 32)])
        self.assertEqual(self.figures(small), [(32768, 32768), (32768, 32768)])
        self.assertEqual(self.figures("--page-size", "4K", huge), self.figures(small))
        self.assertEqual(self.figures("--page-size", "2M", small), self.figures(huge))
        self.assertEqual(self.figures(self.sized("giant", walk(3))), [(32768, 1), (1, 1)])
        # Unknown ones count as small, and are told.
        result = self.tlb(self.sized("unknown", walk(0)[:100] + walk(2)[:100]))
        self.assertEqual([(row["page_size"], row["accesses"], row["l1_misses"], row["walks"]) for row in result["by_page_size"]],
                         [("2M", 100, 1, 1), ("unknown", 100, 100, 100)])
        self.assertEqual((result["page_size"], result["kernel_page_size"]), ("recorded", "recorded"))

    def test_which_sizes_are_taken(self):
        rows = [(0, 3, page << 12, 1, 2) for page in range(10)] + [(0, 3, KERNEL_HALF + (page << 12), 3, 1) for page in range(20)]
        sizes, paddr = self.sized("sizes", rows), self.sized("paddr", rows, fields=3)
        for arguments, path, walks, names in (
                ([], sizes, 1 + 20, ("recorded", "recorded")), (["--page-size", "recorded"], sizes, 1 + 20, ("recorded", "recorded")),
                (["--kernel-page-size", "2M"], sizes, 1 + 1, ("recorded", "2M")), (["--page-size", "4K"], sizes, 10 + 20, ("4K", "4K")),
                (["--page-size", "4K", "--kernel-page-size", "recorded"], sizes, 10 + 20, ("4K", "recorded")),
                ([], paddr, 10 + 20, ("4K", "4K"))):
            with self.subTest(arguments, path=path):
                result = self.tlb(*arguments, path)
                self.assertEqual((result["walks"], (result["page_size"], result["kernel_page_size"])), (walks, names))
                self.assertEqual("by_page_size" in result, "recorded" in names)
        for option in ("--page-size", "--kernel-page-size"):
            self.assert_fails(self.tracer("tlb", option, "recorded", paddr), "--fields paddr", status=1)

    def test_recorded_sizes_against_a_naive_model(self):
        chance, rows = random.Random(5), []
        while len(rows) < 20000:
            region = chance.randrange(8)
            rows.append((chance.randrange(2), chance.choice((0, 3, 4)) | chance.choice((0, STORE, USER)),
                         (KERNEL_HALF if region & 4 else 0) + (region << 33) + chance.choice((8, 4092)) * chance.randrange(1 << 12) * (1 << 9 * chance.randrange(2)),
                         1, region & 3))
        path, first, second = self.sized("random", rows, vcpus=2), {}, {}
        entries = {12: (64, 1536, 12), 21: (32, 1536, 12), 30: (4, 16, 4)}
        expected, walks = [0, 0, 0], {}
        for vcpu, info, address, _, code in rows:
            shift = {0: 12, 1: 12, 2: 21, 3: 30}[code]
            walks.setdefault(SIZES[code], 0)
            for page in {address >> shift: True, (address + (1 << (info & 7)) - 1) >> shift: True}:
                expected[0] += 1
                l1, l2, ways = entries[shift]
                if not first.setdefault((vcpu, shift), Lru(l1, 4)).hits(page):
                    expected[1] += 1
                    missed = not second.setdefault((vcpu, shift), Lru(l2, ways)).hits(page)
                    expected[2] += missed
                    walks[SIZES[code]] += missed
        self.assertEqual(self.figures(path), [(expected[0], expected[1]), (expected[1], expected[2])])
        self.assertEqual({row["page_size"]: row["walks"] for row in self.tlb(path)["by_page_size"]}, walks)
        whole = self.tracer("tlb", "--json", path)
        for jobs in ("2", "4"):
            self.assertEqual(self.tracer("tlb", "--json", "--jobs", jobs, path).out, whole.out)

    def test_policies_are_those_of_caches(self):
        rows = [(0, 0, page << 12) for page in random.Random(2).choices(range(100), k=3000)]
        as_lines = self.make("lines", [(0, 0, address >> 6) for _, _, address in rows])
        as_pages = self.make("pages", rows)
        for policy in ("lru", "fifo", "plru", "random", "srrip"):
            with self.subTest(policy):
                cache = self.analyze("cache", "--l1d", "4K,4", "--l2", "none", "--l3", "none", "--policy", policy, as_lines)
                tlb = self.tlb("--l1-4k", "64,4", "--l2-4k", "none", "--policy", policy, as_pages)
                self.assertEqual(tlb["levels"][0]["misses"], cache["levels"][0]["misses"])

    def test_bad_ones(self):
        path = self.make("a", [(0, 3, 0)])
        for arguments, message in ((["--page-size", "8K"], "4K, 2M or 1G"), (["--l1-4k", "64"], "ENTRIES,WAYS"), (["--l1-2m", "x,1"], "--l1-2m"),
                                   (["--l1-4k", "none"], "ENTRIES,WAYS"), (["--l1-4k", "64,5"], "can't be divided"),
                                   (["--policy", "plru"], "--l2-4k has 12"), (["--policy", "x"], "--policy must be"),
                                   (["--walk-cycles", "-1"], "can't be negative"), (["--top", "-1"], "can't be negative")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("tlb", *arguments, path), message, status=2)
        self.assertEqual(self.analyze("analyze", "-a", "tlb:l1-4k=64,full,walk_cycles=9", path)["walk_cycles"], 9)


if __name__ == "__main__":
    unittest.main()
