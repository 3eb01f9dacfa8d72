# SPDX-License-Identifier: GPL-2.0-or-later
"""`cache` against closed forms, a naive model of the same definitions, and cachegrind."""
import json
import os
import random
import re
import shutil
import struct
import subprocess
import unittest

from cache_reference import Hierarchy
from harness import BUILD, ROOT, SystemTest

MAKE_TRACE = os.path.join(BUILD, "make_trace")
PC, PADDR = 1, 2
STORE, USER = 1 << 5, 3 << 6
UNKNOWN, IO = (1 << 64) - 1, 1 << 63
FIGURES = ("accesses", "hits", "misses", "evictions", "writebacks", "invalidations")


class CacheTest(SystemTest):
    def make(self, name, rows, fields=PC, vcpus=1, block=65536, times=1):
        """A trace of (vcpu, info, address, instruction, physical address) tuples, the last two if wanted; of all of them so
        many times."""
        head, lines, at = "i 401000 3\ni 402000 3\ni ffffffff81000000 0\n", [], 0
        while at < len(rows):
            end = at
            while end < len(rows) and end - at < 4096 and rows[end][0] == rows[at][0]:
                end += 1
            lines.append(f"c {rows[at][0]} 0 {end - at}")
            for row in rows[at:end]:
                _, info, address, instruction, paddr = tuple(row) + (0, 0)[len(row) - 3:]
                lines.append(f"r {info:x} {address:x} {paddr:x} 0 {instruction:x}")
            at = end
        path = self.path(name)
        subprocess.run([MAKE_TRACE, path, str(fields), str(vcpus), str(block)], input=head + "".join(line + "\n" for line in lines) * times, text=True, check=True)
        return path

    def analyze(self, verb, *arguments):
        result = self.tracer(verb, "--json", *arguments)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def level(self, result, name):
        return next(level for level in result["levels"] if level["name"] == name)

    def misses(self, path, *arguments):
        return self.level(self.analyze("cache", "--l2", "none", "--l3", "none", *arguments, path), "l1d")["misses"]


class ClosedForms(CacheTest):
    def test_streams_miss_once_a_line(self):
        path = self.make("stream", [(0, 3, 8 * i) for i in range(4096)] * 2)
        self.assertEqual(self.misses(path, "--l1d", "32K,8"), 512)
        for policy in ("lru", "fifo", "plru", "srrip", "random"):
            self.assertEqual(self.misses(path, "--l1d", "32K,8,128", "--policy", policy), 256)
        # One line more than LRU and FIFO can keep: each line is replaced before it is used again. The last set has room.
        path = self.make("longer", [(0, 3, 64 * i) for i in range(513)] * 10)
        self.assertEqual(self.misses(path, "--l1d", "32K,full"), 5130)
        self.assertEqual(self.misses(path, "--l1d", "32K,8"), 513 + 9 * 9)
        self.assertEqual(self.misses(path, "--l1d", "32K,8", "--policy", "fifo"), 513 + 9 * 9)

    def test_walks_of_a_matrix(self):
        rows = [[(0, 3, 4096 * row + 8 * column) for column in range(512)] for row in range(64)]
        by_rows = self.make("rows", sum(rows, []))
        by_columns = self.make("columns", [rows[row][column] for column in range(512) for row in range(64)])
        # Rows of a page: a column's 64 lines are all in one set of 32K,8, and fit a cache of 4 KiB that is fully associative.
        self.assertEqual(self.misses(by_rows, "--l1d", "32K,8"), 64 * 64)
        self.assertEqual(self.misses(by_columns, "--l1d", "32K,8"), 64 * 512)
        self.assertEqual(self.misses(by_columns, "--l1d", "4K,full"), 64 * 64)

    def test_a_chase_of_pointers(self):
        order = random.Random(3).sample(range(1024), 1024)
        path = self.make("chase", [(0, 3 | STORE, 64 * line) for line in order] * 4)
        result = self.analyze("cache", "--l1d", "32K,full", "--l2", "64K,16", "--l3", "none", path)
        self.assertEqual([result["levels"][0][name] for name in FIGURES], [4096, 0, 4096, 3584, 3584, 0])
        self.assertEqual([result["levels"][1][name] for name in FIGURES], [4096, 3072, 1024, 0, 0, 0])
        self.assertEqual((result["memory_reads"], result["memory_writes"]), (1024, 0))

    def test_classes(self):
        # Nine lines of one set of eight: all but the first misses are conflicts. 513 lines in turn: capacity.
        path = self.make("conflict", [(0, 3, 4096 * i) for i in range(9)] * 10)
        classes = self.analyze("cache", "--classify", path)["classes"][0]
        self.assertEqual(classes, {"name": "l1d", "compulsory": 9, "capacity": 0, "conflict": 81})
        path = self.make("capacity", [(0, 3, 64 * i) for i in range(512 + 64)] * 2)
        classes = self.analyze("cache", "--classify", path)["classes"][0]
        self.assertEqual(classes, {"name": "l1d", "compulsory": 576, "capacity": 576, "conflict": 0})

    def test_prefetches(self):
        path = self.make("stream", [(0, 3, 8 * i, 1) for i in range(8192)])
        self.assertEqual(self.misses(path, "--prefetch", "next-line"), 16)  # the first line of each page
        # 192 bytes apart: known at the third access of a page, and no further than the page.
        path = self.make("strides", [(0, 3, 192 * i, 1) for i in range(22)])
        result = self.analyze("cache", "--prefetch", "stride", path)
        self.assertEqual((result["levels"][0]["misses"], result["prefetches"], result["useful_prefetches"]), (3, 19, 19))

    def test_where_it_misses(self):
        rows = [(0, 3 | USER, 64 * i, 1) for i in range(10)] + [(0, 3 | USER, 0, 2)] * 5 + [(0, 3, 4096 + 64 * i, 3) for i in range(20)]
        result = self.analyze("cache", "--top", "1", self.make("a", rows))
        self.assertEqual(result["top_instructions"], [
            {"level": level, "pc": "0xffffffff81000000", "misses": 20, "percent": 200 / 3, "function": ""} for level in ("l1d", "l2", "l3")])
        by_cpl = {part["cpl"]: part for part in result["by_cpl"] if part["name"] == "l1d"}
        self.assertEqual((by_cpl[0]["misses"], by_cpl[3]["misses"], by_cpl[3]["accesses"]), (20, 10, 15))
        self.assertEqual(len(self.analyze("cache", self.make("b", rows))["top_instructions"]), 6)

    def test_which_lines_miss(self):
        # Nine lines of one set in turn; 2000 lines that miss once; two lines at a time, of which one has been there.
        rows = [(0, 3, 4096 * i) for i in range(9)] * 3 + [(0, 3, (1 << 40) + 64 * i) for i in range(2000)] + [(0, 4, 8192 - 8)] * 2
        result = self.analyze("cache", "--lines", "--l3", "none", "--top", "10", self.make("a", rows))
        self.assertEqual([(line["address"], line["misses"]) for line in result["top_lines"] if line["level"] == "l1d"],
                         [("0x2000", 4)] + [(hex(4096 * i), 3) for i in range(9) if i != 2] + [("0x1fc0", 1)])
        self.assertEqual([(line["address"], line["misses"]) for line in result["top_lines"] if line["level"] == "l2"][:2], [("0x0", 1), ("0x1000", 1)])
        self.assertNotIn("top_lines", self.analyze("cache", self.path("a")))

    def test_physical_addresses(self):
        rows = [(0, 3, 0x7000, 0, 0), (0, 3, 0x8000, 0, 0), (0, 3, 0x8000, 0, UNKNOWN), (0, 3, 0x8000, 0, IO | 64),
                (0, 3, 0x8ffc, 0, 0x1ffc)]
        path = self.make("a", rows, fields=PADDR)
        result = self.analyze("cache", "--physical", path)
        self.assertEqual((result["accesses"], result["left_out"], result["levels"][0]["misses"]), (3, 2, 2))
        self.assertEqual(self.analyze("cache", path)["levels"][0]["misses"], 4)
        self.assert_fails(self.tracer("cache", "--physical", self.make("b", rows)), "no physical addresses")


class AgainstTheReference(CacheTest):
    def rows(self, count, vcpus=1, seed=5):
        """Loops, strides and chance, so that all levels have hits and misses."""
        chance, rows, at = random.Random(seed), [], 0
        while len(rows) < count:
            vcpu, instruction, kind = chance.randrange(vcpus), chance.choice((1, 2)), chance.random()
            base, step = chance.randrange(1 << 14), chance.choice((4, 8, 64, 72, 192))
            for i in range(chance.randrange(1, 12)):
                address = base + i * step if kind < 0.6 else chance.randrange(1 << chance.choice((10, 13, 15)))
                rows.append((vcpu, chance.choice((0, 2, 3, 4)) | (STORE if chance.random() < 0.3 else 0), address, instruction))
        return rows[:count]

    def compare(self, rows, levels, options=(), line=64, vcpus=1, **more):
        model = Hierarchy(levels, line, vcpus, **more)
        for vcpu, info, address, instruction in rows:
            model.access(vcpu, address, 1 << (info & 7), info & STORE, instruction)
        arguments = list(options)
        for name, level in zip(("l1d", "l2", "l3"), levels + [None] * 3):
            arguments += [f"--{name}", f"{level['size']},{level['ways']},{line}" if level else "none"]
        arguments += ["--policy", ",".join(level.get("policy", "lru") for level in levels),
                      "--shared", ",".join(n for n, level in zip(("l1d", "l2", "l3"), levels) if level.get("shared")) or "none"]
        if len(levels) > 1:
            arguments += ["--inclusion", ",".join(level.get("inclusion", "non-inclusive") for level in levels[1:])]
        result = self.analyze("cache", *arguments, self.make("random", rows, vcpus=vcpus))
        self.assertEqual([{name: level[name] for name in FIGURES} for level in result["levels"]], model.counts)
        self.assertEqual(result["memory_reads"], sum(not written for _, written in model.memory))
        self.assertEqual(result["memory_writes"], sum(written for _, written in model.memory))
        for level in model.counts:
            self.assertTrue(level["hits"] and level["misses"])
        if "prefetch" in more:
            self.assertEqual((result["prefetches"], result["useful_prefetches"]), (model.prefetches, model.useful))
            self.assertTrue(model.useful)
        return result

    def test_policies(self):
        rows = self.rows(6000)
        for policy in ("lru", "plru", "fifo", "random", "srrip"):
            for size, ways, line in ((1024, 4, 16), (4096, 1, 64), (1536, 8, 64), (2048, 32, 64)):
                with self.subTest(policy, size=size, ways=ways):
                    self.compare(rows, [{"size": size, "ways": ways, "policy": policy},
                                        {"size": 8 * size, "ways": 4, "policy": policy}], line=line)

    def test_numbers_that_are_no_powers_of_two(self):
        self.compare(self.rows(6000), [{"size": 1728, "ways": 3, "policy": "srrip"}, {"size": 64 * 77, "ways": 7, "policy": "lru"}])

    def test_inclusions(self):
        rows = self.rows(8000)
        small, middle, large = {"size": 1024, "ways": 2}, {"size": 4096, "ways": 4}, {"size": 8192, "ways": 4}
        kinds = ("non-inclusive", "inclusive", "exclusive")
        for second in kinds:
            for third in kinds:
                for policy in ("lru", "random"):
                    with self.subTest(second=second, third=third, policy=policy):
                        result = self.compare(rows, [dict(small, policy=policy), dict(middle, inclusion=second, policy=policy),
                                                     dict(large, inclusion=third, policy=policy)])
                        invalidations = sum(level["invalidations"] for level in result["levels"])
                        if policy == "random":  # LRU in a lower level seldom replaces a line that is used in the level above
                            self.assertEqual(bool(invalidations), "inclusive" in (second, third))

    def test_writes(self):
        rows = self.rows(6000)
        levels = [{"size": 1024, "ways": 2}, {"size": 4096, "ways": 4}]
        for through in (False, True):
            for no_allocate in (False, True):
                for inclusion in ("inclusive", "non-inclusive", "exclusive"):
                    if through and inclusion == "exclusive":
                        continue
                    options = (["--write", "through"] if through else []) + (["--no-allocate"] if no_allocate else [])
                    with self.subTest(options, inclusion=inclusion):
                        self.compare(rows, [levels[0], dict(levels[1], inclusion=inclusion)], options, through=through,
                                     no_allocate=no_allocate)
                        self.compare(rows, levels[:1], options, through=through, no_allocate=no_allocate)

    def test_prefetchers(self):
        rows = self.rows(6000)
        for prefetch in ("next-line", "stride"):
            for inclusion in ("non-inclusive", "exclusive"):
                with self.subTest(prefetch, inclusion=inclusion):
                    self.compare(rows, [{"size": 1024, "ways": 2}, {"size": 4096, "ways": 4, "inclusion": inclusion}],
                                 ["--prefetch", prefetch], prefetch=prefetch)

    def test_several_vcpus(self):
        rows = self.rows(8000, vcpus=3)
        for second in ("non-inclusive", "inclusive", "exclusive"):
            for third in ("non-inclusive", "inclusive", "exclusive"):
                with self.subTest(second=second, third=third):
                    result = self.compare(rows, [{"size": 1024, "ways": 2}, {"size": 4096, "ways": 4, "inclusion": second},
                                                 {"size": 16384, "ways": 8, "inclusion": third, "shared": True}], vcpus=3)
                    self.assertTrue(result["levels"][0]["invalidations"])  # by others' stores
        self.compare(rows, [{"size": 1024, "ways": 2}, {"size": 8192, "ways": 4, "shared": True},
                            {"size": 16384, "ways": 8, "shared": True, "inclusion": "inclusive"}], vcpus=3)
        self.compare(rows, [{"size": 1024, "ways": 2}, {"size": 8192, "ways": 4}], vcpus=3)

    def test_the_fast_path_and_the_slow_one(self):
        path = self.make("a", self.rows(5000))
        for policy in ("lru", "plru", "fifo", "random", "srrip"):
            options = ["--policy", policy, "--l1d", "4K,4"]
            fast, slow = self.analyze("cache", *options, path), self.analyze("cache", "--classify", *options, path)
            classes = slow.pop("classes")[0]
            self.assertEqual(sum(classes[name] for name in ("compulsory", "capacity", "conflict")), fast["levels"][0]["misses"])
            self.assertEqual(fast, slow)


class Sweep(CacheTest):
    def test_it_equals_single_caches(self):
        rows = AgainstTheReference.rows(self, 20000, vcpus=2)
        rows[700:700] = [(0, 4 | STORE, (1 << 64) - 8, 1), (1, 6, 60, 1)]  # the last line of all; three lines of 32 bytes
        path = self.make("a", rows, vcpus=2)
        result = self.analyze("sweep", "--sizes", "256,1K..32K,1536", "--ways", "1..8,3", "--lines", "64,16", path)
        self.assertEqual(result["accesses"], len(rows))
        # 1536 bytes in 3 ways; the others in 1, 2, 4 and 8 ways, but 256 bytes in 8 ways of lines of 64.
        self.assertEqual(len(result["configurations"]), 2 * (1 + 6 * 4) + 3 + 4)
        for cache in result["configurations"]:
            with self.subTest(cache):
                single = self.analyze("cache", "--l1d", f"{cache['bytes']},{cache['ways']},{cache['line']}", "--l2", "none", "--l3", "none",
                                      "--shared", "l1d", path)["levels"][0]
                self.assertEqual([single[name] for name in FIGURES[:3]], [cache[name] for name in FIGURES[:3]])
        misses = {(cache["bytes"], cache["ways"]): cache["misses"] for cache in result["configurations"] if cache["line"] == 64}
        self.assertGreater(misses[1024, 1], misses[32768, 8])

    def test_a_selection_and_a_live_word(self):
        path = self.make("a", [(0, 3 | USER, 64 * i) for i in range(64)] + [(0, 3, 64 * i) for i in range(32)])
        word = self.analyze("analyze", "-a", "sweep:sizes=4K,8K,ways=1,2", "--cpl", "3", path)["configurations"]
        self.assertEqual([(cache["bytes"], cache["ways"], cache["misses"]) for cache in word],
                         [(4096, 1, 64), (4096, 2, 64), (8192, 1, 64), (8192, 2, 64)])

    def test_bad_ones(self):
        path = self.make("a", [(0, 3, 0)])
        for arguments, message in ((["--sizes", "4K..1K"], "--sizes must be"), (["--ways", "0"], "--ways must be"),
                                   (["--lines", "48"], "powers of two"), (["--lines", "8"], "isn't in range"),
                                   (["--sizes", "100"], "no cache has"), (["--sizes", "1..16E"], "--sizes must be"),
                                   (["--ways", ","], "--ways must be"), (["--sizes", "8G"], "isn't in range")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("sweep", *arguments, path), message, status=2)


class ThroughCache(CacheTest):
    def convert(self, to, settings, path, *arguments):
        result = self.tracer("convert", "-t", to, "--through-cache", settings, *arguments, path)
        self.assertEqual(result.status, 0, result.err)
        return result

    def test_memory_gets_what_the_model_says(self):
        rows = AgainstTheReference.rows(self, 6000, vcpus=2)
        path = self.make("a", rows, vcpus=2)
        small, large = {"size": 1024, "ways": 2}, {"size": 8192, "ways": 4, "shared": True}
        for settings, options in (("", {}), ("write=through,no-allocate", {"through": True, "no_allocate": True}),
                                  ("prefetch=stride", {"prefetch": "stride"}), ("prefetch=next-line", {"prefetch": "next-line"})):
            model = Hierarchy([small, large], 32, vcpus=2, **options)
            for vcpu, info, address, instruction in rows:
                model.access(vcpu, address, 1 << (info & 7), info & STORE, instruction)
            with self.subTest(settings):
                result = self.convert("din", "l1d=1K,2,32,l2=8K,4,l3=none,shared=l2," + settings, path)
                self.assertEqual([(int(line[2:], 16) // 32, line[0] == "1") for line in result.out.splitlines()], model.memory)
                reads = sum(not written for _, written in model.memory)
                self.assertIn(f"read {reads} lines and wrote {len(model.memory) - reads};", result.err)
                self.assertTrue(0 < reads < len(model.memory))

    def test_requests_are_where_and_whose_the_cause_is(self):
        # Two lines of one set in turn, in a cache of one way: from the second access on, each writes the other one back.
        rows = [(i % 2, 3 | STORE | (USER if i % 3 else 0), 4096 * (i % 2)) for i in range(6)]
        path = self.make("a", rows, vcpus=2)
        settings = "l1d=4K,1,l2=none,l3=none,shared=l1d"
        requests = [(0, "READ", 0)] + [request for i in range(1, 6) for request in ((4096 * (i % 2), "READ", i), (4096 * ((i + 1) % 2), "WRITE", i))]
        self.assertEqual(self.convert("dramsim3", settings, path).out.split("\n")[:-1],
                         [f"0x{address:X} {kind} {cycle}" for address, kind, cycle in requests])
        stream = self.path("stream")
        self.convert("gmbeoo", settings, path, "-o", stream)
        with open(stream, "rb") as file:
            records = list(struct.iter_unpack("<QQ", file.read()))
        self.assertEqual([(info & 7, bool(info & STORE), info & USER, info >> 8 & 255, address) for info, address in records],
                         [(6, kind == "WRITE", rows[i][1] & USER, rows[i][0], address) for address, kind, i in requests])
        # A line of 128 bytes is two requests of 64.
        lines = self.convert("ramulator2", settings + ",l1d=4K,1,128", self.make("b", rows[:1])).out.splitlines()
        self.assertEqual(lines, ["LD 0x0", "LD 0x40"])

    def test_physical_addresses(self):
        path = self.make("a", [(0, 3, 0x7000, 0, 0x1000), (0, 3, 0x8000, 0, 0x1010), (0, 3, 0x9000, 0, IO | 64)], fields=PADDR)
        result = self.convert("din", "default", path, "--physical")
        self.assertEqual(result.out, "0 1000\n")
        self.assertIn("1 accesses to devices were left out", result.err)

    def test_bad_ones(self):
        path = self.make("a", [(0, 3, 64 * i) for i in range(20000)])
        for to in ("csv", "npy", "trace"):
            self.assert_fails(self.tracer("convert", "-t", to, "--through-cache", "default", path), "is for formats of requests", status=2)
        for settings, message in (("l1d=4K", "SIZE,WAYS"), ("l1d=4K,1,256", "at most 128 bytes"), ("physical", "convert's --physical"), ("x", "cache: ")):
            self.assert_fails(self.tracer("convert", "-t", "din", "--through-cache", settings, path), message, status=2)
        self.assert_fails(self.tracer("convert", "-t", "din", "--through-cache", "default", "-o", "/dev/full", path), "can't write /dev/full")


class AgainstCachegrind(CacheTest):
    def test_misses_of_a_static_program(self):
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is needed")
        program, trace = self.path("sort"), self.path("a.mtrace")
        subprocess.run(["gcc", "-O1", "-static", "-I", os.path.join(ROOT, "include"), "-o", program,
                        os.path.join(ROOT, "examples", "qsort_ints.c")], check=True)
        command = [program, "20000", "1"]
        theirs = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=yes", "--D1=32768,8,64", "--cachegrind-out-file=/dev/null",
                                 *command], capture_output=True, text=True, check=True, env=self.environment).stderr
        misses = int(re.search(r"D1 +misses: +([\d,]+)", theirs).group(1).replace(",", ""))
        result = self.tracer("record", "--user-only", "-o", trace, "--", *command)
        self.assertEqual(result.status, 0, result.err)
        self.assertGreater(misses, 10000)
        self.assertAlmostEqual(self.misses(trace, "--l1d", "32K,8"), misses, delta=misses / 100)
        live = self.tracer("run", "--json", "--user-only", "--analyze", "cache:l1d=32K,8,l2=none,l3=none", "--", *command)
        self.assertAlmostEqual(self.level(json.loads(live.err)["cache"], "l1d")["misses"], misses, delta=misses / 100)


class Options(CacheTest):
    def setUp(self):
        super().setUp()
        self.trace_path = self.make("a", [(0, 3, 64 * i) for i in range(100)])

    def caches(self, *arguments):
        return {cache["name"]: cache for cache in self.analyze("cache", *arguments, self.trace_path)["caches"]}

    def test_as_words_of_analyze(self):
        word = "cache:l1d=4K,4,32,classify,l2=64K,full,policy=fifo,lru,l3=none,top=2"
        self.assertEqual(self.analyze("analyze", "--analyze", word, self.trace_path),
                         self.analyze("cache", "--l1d", "4K,4,32", "--classify", "--l2", "64K,full", "--policy", "fifo,lru", "--l3",
                                      "none", "--top", "2", self.trace_path))
        self.assert_fails(self.tracer("analyze", "-a", "cache:16,l2=1M", self.trace_path), "cache: ", status=2)
        self.assert_fails(self.tracer("analyze", "-a", "stat:top=2,nonsense", self.trace_path), "stat: ", status=2)

    def test_machines(self):
        self.assertEqual([(name, cache["bytes"], cache["ways"]) for name, cache in self.caches().items()],
                         [("l1d", 32768, 8), ("l2", 1 << 20, 8), ("l3", 32 << 20, 16)])
        self.assertEqual(self.caches("--machine", "zen4")["l3"]["inclusion"], "exclusive")
        self.assertEqual(self.caches("--machine", "skylake", "--l2", "512K,8")["l2"]["bytes"], 512 << 10)
        self.assertEqual(self.caches("--machine", "neoverse-n1")["l1d"]["ways"], 4)
        with open(self.path("machine"), "w") as file:
            file.write("# mine\nl1d = 16K, 4\nl2=128K,full # all of it\npolicy=fifo\nno_allocate\n")
        result = self.tracer("cache", "--machine", self.path("machine"), self.trace_path)
        self.assert_fails(result, f"memory_tracer: {self.path('machine')}: --l1d", status=2)
        self.assertIn("' 4' isn't", result.err)
        for settings, message in (("l2=none\n", "there is no cache"), ("l1d=16K,4\nl2=1M,8\nl1d=32K,8\n", "'l1d' is set twice"), ("l1d=32K\n", "or 'none'"),
                                  ("no-allocate\nl1d=32K,8\nno_allocate\n", "'no-allocate' is set twice")):
            with open(self.path("machine"), "w") as file:
                file.write(settings)
            result = self.tracer("cache", "--machine", self.path("machine"), self.trace_path)
            self.assertNotEqual(result.status, 0, settings)
            self.assertTrue(result.err.startswith(f"memory_tracer: {self.path('machine')}: "), result.err)
            self.assertIn(message, result.err)
        with open(self.path("machine"), "w") as file:
            file.write("# mine\nl1d = 16K,4\nl2=128K,full # all of it\npolicy=fifo\nno_allocate\n")
        mine = self.caches("--machine", self.path("machine"))
        self.assertEqual(list(mine), ["l1d", "l2"])
        self.assertEqual((mine["l1d"]["policy"], mine["l2"]["ways"]), ("fifo", 2048))
        with open(self.path("machine"), "w") as file:
            file.write("l4=1G,16\n")
        self.assert_fails(self.tracer("cache", "--machine", self.path("machine"), self.trace_path), "'l4' is not a setting")
        if os.path.exists("/sys/devices/system/cpu/cpu0/cache/index0/size"):
            self.assertIn("l1d", self.caches("--machine", "host"))

    def test_bad_ones(self):
        for arguments, message in ((["--l1d", "32K"], "must be SIZE,WAYS"), (["--l1d", "33K,8,48"], "a power of two"),
                                   (["--l1d", "32K,7"], "can't be divided"), (["--l1d", "0,1"], "1 byte to 16G"),
                                   (["--l1d", "32K,0"], "a number or 'full'"), (["--l2", "1M,8,128", "--l1d", "32K,8,64"], "one size"),
                                   (["--l1d", "99999999999T,1"], "must be SIZE"), (["--policy", "mru"], "one of lru, plru"),
                                   (["--policy", "plru", "--l1d", "1536,3"], "a power of two of at most"),
                                   (["--policy", "lru,lru"], "has none for l3"), (["--shared", "l2"], "can't be each vCPU's own"),
                                   (["--shared", "l4"], "must be of l1d"), (["--machine", "zen9"], "must be zen4"),
                                   (["--write", "sideways"], "--write must be"), (["--top", "-1"], "can't be negative"),
                                   (["--write", "through", "--inclusion", "exclusive"], "exclusive l2"),
                                   (["--l1d", "none", "--l2", "none", "--l3", "none"], "there is no cache")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("cache", *arguments, self.trace_path), message, status=2)
        self.assert_fails(self.tracer("cache", "--machine", self.path("gone"), self.trace_path), "can't read the machine")
        for path, text in (("/dev/zero", "/dev/zero is not a text of a machine's settings"), ("/dev", "can't read the machine: /dev: Is a directory")):
            self.assert_fails(self.tracer("cache", "--machine", path, self.trace_path), text)


if __name__ == "__main__":
    unittest.main()
