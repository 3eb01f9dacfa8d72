# SPDX-License-Identifier: GPL-2.0-or-later
"""--jobs: the result of several threads is that of one thread, to the last bit."""
import json
import os
import random
import re
import unittest

import test_groups
from harness import BUILD
from test_cache import PADDR, PC, STORE, USER, CacheTest

TIME = 8
SHARED = (["stat"], ["stat", "--brief"], ["heatmap"], ["heatmap", "--zoom", "0x100000..0x17ffff", "--hottest"],
          ["wss", "--window", "1000"], ["wss", "--window", "37"], ["mrc", "--granularity", "64,4K"], ["mrc", "--split", "vcpu"],
          ["mrc", "--split", "cpl"], ["sharing"], ["sweep", "--sizes", "4K..256K", "--ways", "1,3,4"], ["sweep", "--lines", "32,128", "--ways", "2"],
          ["tlb", "--l1-4k", "16,4", "--l2-4k", "96,12"],
          ["cache", "--l1d", "2K,2", "--l2", "8K,4", "--l3", "48K,12"],
          ["cache", "--l1d", "2K,4", "--l2", "8K,4", "--l3", "none", "--inclusion", "inclusive", "--lines", "--policy", "srrip"],
          ["cache", "--l1d", "2K,4", "--l2", "8K,4", "--l3", "none", "--inclusion", "exclusive", "--shared", "none"],
          ["cache", "--l1d", "2K,4", "--l2", "8K,4", "--write", "through", "--no-allocate", "--policy", "fifo"],
          ["cache", "--l1d", "2K,4", "--l2", "4K,2", "--l3", "none", "--inclusion", "inclusive"], ["cache", "--l1d", "2K,4", "--no-allocate"],
          ["cache", "--l1d", "2K,4", "--l2", "8K,8", "--l3", "none", "--policy", "plru"], ["cache", "--l1d", "2K,4", "--l2", "8K,8", "--policy", "fifo"])
BY_ONE = ((["reuse"], "depends on all those before"), (["mrc", "--rate", "0.5"], "a sample is small"),
          (["cache", "--prefetch", "stride"], "prefetcher"), (["cache", "--classify"], "--classify"),
          (["cache", "--policy", "random"], "random numbers"), (["sweep", "--sizes", "4K", "--ways", "64"], "sets are too few"),
          (["stat", "--by", "function"], "--by"), (["wss", "--window", "10us"], "windows of time"),
          (["heatmap", "--cpl", "3"], "selected records"), (["sharing", "--events", "0..2000"], "too few records"),
          (["tlb", "--kernel-page-size", "2M", "--policy", "plru", "--l2-4k", "128,8", "--l2-2m", "none"], "first level that is LRU"))


class Jobs(CacheTest):
    tracer_path = os.path.join(BUILD, "tracer_of_short_stretches")  # else `sharing` has stretches of 2 M records

    def trace(self, name="trace", count=20000, fields=PC, vcpus=3):
        """Strides, hot lines and chance, crossings too, in small blocks, so that parts begin in the middle of everything."""
        chance, rows, at = random.Random(8), [], 0
        while len(rows) < count:
            vcpu, kind = chance.randrange(vcpus), chance.random()
            at = chance.randrange(1 << 20) if kind < 0.3 else chance.randrange(1 << 14) if kind < 0.6 else at
            for _ in range(chance.randrange(1, 20)):
                at += chance.choice((0, 4, 8, 64))
                kernel = chance.random() < 0.2
                info = chance.choice((0, 2, 3, 4)) | chance.choice((0, STORE)) | (0 if kernel else USER)
                rows.append((vcpu, info, at | (0xffff888000000000 if kernel else 0), chance.choice((1, 2, 3)), at))
        return self.make(name, rows[:count], fields=fields, vcpus=vcpus, block=512)

    def outputs(self, *arguments):
        """Text, JSON and CSV."""
        results = [self.tracer(*arguments, *form) for form in ((), ("--json",), ("--csv",))]
        for result in results:
            self.assertEqual(result.status, 0, result.err)
        return [result.out for result in results], results[0].err

    def assert_same(self, arguments, path, expected, count, by_one=False):
        """`by_one`: what can't be divided as it is may say so (see test_what_cannot_be_divided_says_so)."""
        out, err = self.outputs(*arguments, "--jobs", count, path)
        self.assertEqual((out, self.without_note(err) if by_one else err), (expected, ""))

    @staticmethod
    def without_note(err):
        return re.sub(r"\Amemory_tracer: note: one job decodes and another one does the rest, because [^\n]+\n", "", err)

    def test_the_result_is_the_same(self):
        path = self.trace()
        for arguments in SHARED:
            expected, _ = self.outputs(*arguments, path)
            for count in ("2", "3", "8"):
                with self.subTest(arguments, jobs=count):
                    self.assert_same(arguments, path, expected, count)

    def test_lines_that_come_back_soon(self):
        """Caches and TLBs that are too small for them: what is used again is often gone, or about to be replaced."""
        chance, rows = random.Random(15), []
        while len(rows) < 30000:
            page = chance.randrange(24)
            at = page * 4096 + chance.choice((page % 8 * 64, chance.randrange(4) * 64, 4093))
            for _ in range(chance.randrange(1, 4)):
                rows.append((0, chance.choice((0, 2, 3, 3)) | chance.choice((0, STORE)) | USER, at, 1, at))
        path = self.make("few", rows, fields=PC, vcpus=1, block=4096)
        small = ["--l1d", "512,2", "--l2", "512,4", "--l3", "none"]
        for arguments in (["cache", *small], ["cache", *small, "--inclusion", "inclusive"], ["cache", *small, "--inclusion", "exclusive"],
                          ["cache", *small, "--no-allocate"], ["cache", "--l1d", "512,4", "--l2", "1K,4", "--policy", "srrip"],
                          ["cache", "--l1d", "512,4", "--l2", "1K,4", "--l3", "none", "--policy", "plru"], ["tlb", "--l1-4k", "8,4", "--l2-4k", "8,4"],
                          ["tlb", "--l1-4k", "8,4", "--l2-4k", "none", "--policy", "srrip"], ["tlb", "--l1-4k", "4,2", "--l2-4k", "8,4", "--policy", "plru"]):
            expected, _ = self.outputs(*arguments, path)
            with self.subTest(arguments):
                self.assert_same(arguments, path, expected, "2", by_one=arguments[0] == "tlb" and "--policy" in arguments)
                self.compare_with_each_access(arguments, path)

    def compare_with_each_access(self, arguments, path):
        """With --classify, each access is simulated. Else those that change nothing are left out, by one job, too."""
        if arguments[0] != "cache":
            return
        self.assertEqual(self.analyze(*arguments, path)["levels"], self.analyze(*arguments, "--classify", path)["levels"])

    def test_stretches_of_several_vcpus(self):
        """They take lines from each other all the time, so that of what a stretch has used, much is gone again."""
        chance, rows, vcpu = random.Random(18), [], 0
        while len(rows) < 60000:
            vcpu = chance.randrange(4) if chance.random() < 0.5 else vcpu
            for _ in range(chance.randrange(1, 6)):
                at = chance.choice((chance.randrange(12) * 64, chance.randrange(1 << 13), (vcpu + 1 << 16) + chance.randrange(1 << 11)))
                rows.append((vcpu, chance.choice((2, 3, 4)) | chance.choice((0, 0, STORE)) | USER, at, chance.randrange(1, 4), at))
        path = self.make("vcpus", rows[:60000], fields=PC, vcpus=4, block=1000)
        many = self.make("many", rows[:60000], fields=PC, vcpus=5, block=1000)  # so many that others decode
        small = ["--l1d", "1K,4", "--l2", "4K,4", "--l3", "16K,8"]
        for arguments in (["cache", *small], ["cache", *small, "--shared", "none", "--lines"], ["cache", *small, "--shared", "l1d,l2,l3"],
                          ["cache", *small, "--inclusion", "exclusive"], ["cache", *small, "--policy", "lru,srrip,random"],
                          ["cache", "--l1d", "1K,full", "--l2", "none", "--l3", "none"], ["tlb", "--l1-4k", "4,full", "--l2-4k", "8,2"]):
            expected, _ = self.outputs(*arguments, path)
            for count in ("2", "4"):
                with self.subTest(arguments, jobs=count):
                    self.assert_same(arguments, path, expected, count)
                    self.compare_with_each_access(arguments, path)
            self.assertEqual(self.outputs(*arguments, "--jobs", "2", many)[0], expected)

    def test_an_access_to_several_lines(self):
        """It uses those between its first and its last one, too."""
        chance = random.Random(16)
        path = self.make("large", [(0, chance.choice((3, 3, 5, 6, 7)) | chance.choice((0, STORE)) | USER, chance.randrange(128) * 8, 1)
                                   for _ in range(5000)], block=4096)
        for arguments in (["--l1d", "256,1,16", "--l2", "none"], ["--l1d", "256,1,32", "--l2", "512,4,32"]):
            expected, _ = self.outputs("cache", *arguments, "--l3", "none", path)
            with self.subTest(arguments):
                self.assertEqual(self.outputs("cache", *arguments, "--l3", "none", "--jobs", "2", path), (expected, ""))
                self.compare_with_each_access(["cache", *arguments, "--l3", "none"], path)

    def test_a_stretch_that_takes_longer(self):
        """Who is done takes over half of what another job has left, again and again."""
        chance = random.Random(17)
        quick = [(0, 3 | USER, 4096, 1)] * 250000
        slow = [(0, chance.choice((0, 2, 3)) | chance.choice((0, STORE)) | USER, chance.randrange(1 << 34), chance.randrange(1, 5000))
                for _ in range(250000)]
        for name, rows in (("first", slow + quick), ("last", quick + slow)):
            path = self.make(name, rows, fields=PC, block=4096)
            for arguments in (["stat"], ["heatmap"], ["wss", "--window", "999"], ["mrc", "--granularity", "64,4K"]):
                expected = self.tracer(*arguments, "--json", path)
                for count in ("2", "5"):
                    with self.subTest(arguments, takes_longer=name, jobs=count):
                        result = self.tracer(*arguments, "--json", "--jobs", count, path)
                        self.assertEqual((result.status, result.err, result.out), (0, "", expected.out))

    def test_of_a_selection(self):
        path = self.trace()
        for selection in (["--events", "777..15001"], ["--events", "19990.."], ["--events", "5..5"], ["--cpl", "3", "--loads"], ["--vcpu", "1"]):
            for arguments in SHARED:
                if selection[0] != "--events" and arguments[0] in ("heatmap", "wss"):
                    continue
                with self.subTest(arguments, selection=selection):
                    one, four = (self.tracer(*arguments, *selection, "--json", "--jobs", jobs, path) for jobs in ("1", "4"))
                    err = self.without_note(four.err) if arguments == ["sharing"] else four.err
                    self.assertEqual((four.status, err, four.out), (0, "", one.out))

    def test_without_instructions_and_by_physical_addresses(self):
        path = self.trace(fields=PADDR, vcpus=1)
        for arguments in (["stat"], ["cache", "--physical", "--l1d", "2K,2"], ["sharing"]):
            with self.subTest(arguments):
                self.assertEqual(self.outputs(*arguments, "--jobs", "3", path), self.outputs(*arguments, path))

    def test_what_objects_missed_most(self):
        """Each part finds others first."""
        trace, _ = test_groups.Groups.trace(self, "tasks", test_groups.PC | test_groups.TASK, 6)
        for arguments in (["cache", "--l1d", "2K,2", "--l2", "8K,4", "--l3", "none", "--top", "50"], ["tlb", "--l1-4k", "16,4"],
                          ["sharing", "--between", "thread", "--top", "1000"], ["stat"], ["heatmap"]):
            expected, _ = self.outputs(*arguments, trace)
            for count in ("2", "4"):
                with self.subTest(arguments, jobs=count):
                    self.assert_same(arguments, trace, expected, count, by_one=arguments[0] == "sharing")

    def test_pictures_are_the_same(self):
        path = self.trace()
        for jobs in ("1", "2"):
            self.assertEqual(self.tracer("heatmap", "--jobs", jobs, "--output", self.path(jobs + ".svg"), path).status, 0)
        with open(self.path("1.svg")) as one, open(self.path("2.svg")) as two:
            self.assertEqual(one.read(), two.read())

    def test_a_long_trace_makes_heat_maps_coarser(self):
        # More than 8192 granules, so that they are joined, in one part or in both.
        rows = [(0, 3, 64 * ((i * 7919) % 6000) + (1 << 30) * (i // 3000)) for i in range(12000)]
        path = self.make("wide", rows, block=512)
        self.assertGreater(self.analyze("heatmap", path)["granule_bytes"], 64)
        self.assertEqual(self.outputs("heatmap", "--jobs", "2", path), self.outputs("heatmap", path))

    def test_what_cannot_be_divided_says_so(self):
        path = self.trace(fields=PC | TIME)
        for arguments, why in BY_ONE:
            with self.subTest(arguments):
                expected, _ = self.outputs(*arguments, path)
                out, err = self.outputs(*arguments, "--jobs", "2", path)
                self.assertEqual((out, self.without_note(err)), (expected, ""))
                self.assertIn(why, err)

    def test_several_analyses_have_a_thread_each(self):
        path = self.trace()
        words = ["analyze", "--json", "-a", "stat;reuse;wss:window=100", "-a", "cache:prefetch=stride", path]
        one, two = (self.tracer(*words, "--jobs", jobs) for jobs in ("1", "2"))
        self.assertEqual((one.status, two.status, one.err, two.err), (0, 0, "", ""))
        one, two = json.loads(one.out), json.loads(two.out)
        for result in (one, two):
            self.assertEqual([cost["analysis"] for cost in result.pop("analysis_costs")], ["stat", "reuse", "wss", "cache"])
            self.assertIn(result.pop("slowest_analysis"), ("stat", "reuse", "wss", "cache"))
        self.assertEqual(one, two)

    def test_errors_are_those_of_one_job(self):
        path = self.trace()
        for arguments in (["cache", "--l1d", "7"], ["wss", "--window", "x"], ["cache", "--physical"], ["stat", "--cpl", "9"]):
            with self.subTest(arguments):
                one, two = (self.tracer(*arguments, "--jobs", jobs, path) for jobs in ("1", "2"))
                self.assertEqual((one.status, one.err), (two.status, two.err))
                self.assertEqual(len(two.err.splitlines()), 1)
        for wrong in ("0", "-1", "257"):
            self.assert_fails(self.tracer("stat", "--jobs", wrong, path), "--jobs", status=2)

    def test_more_records_than_are_handed_over_at_once(self):
        path = self.trace(count=400000)
        for arguments in (["cache", "--l1d", "2K,2", "--l2", "8K,4"], ["tlb"], ["sharing"], ["sweep"]):
            expected = self.tracer(*arguments, "--json", path)
            for count in ("2", "8"):
                with self.subTest(arguments, jobs=count):
                    result = self.tracer(*arguments, "--json", "--jobs", count, path)
                    self.assertEqual((result.status, result.err, result.out), (0, "", expected.out))

    def damage(self, path):
        """One byte in the middle."""
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            place, data = file.tell(), file.read(1)
            file.seek(place)
            file.write(bytes((data[0] ^ 255,)))

    def test_a_block_is_damaged(self):
        """One thread meets it; all of them end, and the error is told once."""
        path = self.trace(count=100000)
        self.damage(path)
        for arguments in (["cache"], ["tlb"], ["sharing"], ["sweep"], ["stat"]):
            for count in ("2", "8"):
                with self.subTest(arguments, jobs=count):
                    one, more = (self.tracer(*arguments, "--jobs", jobs, path) for jobs in ("1", count))
                    self.assertEqual((one.status, one.err), (more.status, more.err))
                    self.assertNotEqual(more.status, 0)

    def test_a_trace_of_several_vcpus_is_cut(self):
        """Records are missing in between, so that indexes go beyond the number of records."""
        path = self.trace(count=30000)
        os.truncate(path, os.path.getsize(path) * 6 // 10)
        for arguments in SHARED:
            expected = self.tracer(*arguments, "--json", path)
            self.assertEqual(expected.status, 0)
            for selection in ([], ["--events", "3000..15000"]):
                for count in ("2", "5"):
                    with self.subTest(arguments, selection=selection, jobs=count):
                        one, more = (self.tracer(*arguments, "--json", *selection, "--jobs", jobs, path) for jobs in ("1", count))
                        self.assertEqual((more.status, more.out), (0, one.out))
                        self.assertIn("incomplete", more.err)
                        if arguments[0] in ("stat", "heatmap", "wss", "mrc", "tlb", "sharing"):
                            self.assertIn("records are missing", more.err)
            if arguments == ["cache", "--l1d", "2K,2", "--l2", "8K,4", "--l3", "48K,12"]:  # more jobs divide it by sets
                self.assertIn("records are missing", self.tracer(*arguments, "--jobs", "2", path).err)

    def test_a_damaged_block_does_no_harm_to_others(self):
        """What comes behind the selected records isn't read."""
        path = self.make("damaged", [(0, 3 | USER, 64 * i, 1) for i in range(20000)], fields=PC, block=1000)
        self.damage(path)
        for count in ("1", "2"):
            results = [self.tracer("cache", "--events", f"{begin}..{begin + 1000}", "--jobs", count, path) for begin in range(0, 20000, 1000)]
            self.assertEqual(sum(result.status != 0 for result in results), 1)

    def test_a_stream_has_no_parts(self):
        stream = self.path("stream")
        self.assertEqual(self.tracer("convert", "--to", "gmbeoo", "--output", stream, self.trace()).status, 0)
        out, err = self.outputs("stat", "--jobs", "2", stream)
        self.assertEqual(out, self.outputs("stat", stream)[0])
        self.assertIn("a stream has no parts", err)


if __name__ == "__main__":
    unittest.main()
