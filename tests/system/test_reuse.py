# SPDX-License-Identifier: GPL-2.0-or-later
"""`reuse` against closed forms, and against a naive model of the same definitions."""
import random
import struct
import unittest
from collections import Counter

from test_cache import STORE, USER, CacheTest


def below(value):
    """The power of two of the row that a value is counted in."""
    return 1 << value.bit_length()


def median(counts):
    """The lowest power of two below which half of the values are."""
    so_far = 0
    for bound in sorted(counts):
        so_far += counts[bound]
        if 2 * so_far >= sum(counts.values()):
            return bound
    return 0


class Model:
    """Keeps all granules in a list, the last one used first."""

    def __init__(self, shift):
        self.shift, self.stack, self.last, self.before, self.now = shift, [], {}, {}, 0
        self.figures = {}

    def add(self, vcpu, info, address, instruction):
        self.now += 1
        counts = self.figures.setdefault(instruction, {"distance": Counter(), "interval": Counter(), "pattern": Counter(), "first": 0})
        for granule in range(address >> self.shift, ((address + (1 << (info & 7)) - 1) >> self.shift) + 1):
            if granule in self.last:
                counts["distance"][below(self.stack.index(granule))] += 1
                counts["interval"][below(self.now - self.last[granule])] += 1
                self.stack.remove(granule)
            else:
                counts["first"] += 1
            self.stack.insert(0, granule)
            self.last[granule] = self.now
        before, stride = self.before.get((vcpu, instruction), (None, None))
        pattern = ("start" if before is None else "same" if address == before else "steady" if address - before == stride else "irregular")
        counts["pattern"][pattern] += 1
        self.before[vcpu, instruction] = (address, None if before is None else address - before)

    def sum(self, name):
        return sum((counts[name] for counts in self.figures.values()), Counter())


class Reuse(CacheTest):
    def reuse(self, *arguments):
        return self.analyze("reuse", *arguments)

    def rows(self, result, name):
        return [(row["below"], row["uses"]) for row in result[name] if row["uses"]]

    def test_a_cycle(self):
        # 100 lines in turn: 99 others were used since, and the last use was 100 accesses before.
        result = self.reuse(self.make("cycle", [(0, 3 | USER, 64 * line, 1) for line in range(100)] * 5))
        self.assertEqual((result["accesses"], result["uses"], result["first"]), (500, 500, 100))
        self.assertEqual((self.rows(result, "distances"), self.rows(result, "intervals")), ([(128, 400)], [(128, 400)]))
        # Each cycle begins with a jump back, behind which the stride is a new one again.
        self.assertEqual((result["start"], result["steady"], result["irregular"], result["same"]), (1, 98 * 5, 1 + 4 * 2, 0))
        row, = result["top_instructions"]
        self.assertEqual((row["pc"], row["accesses"], row["first"], row["stride"]), ("0x401000", 500, 100, "64"))
        self.assertEqual((row["median_distance"], row["median_interval"], row["steady_percent"]), (128, 128, 98))

    def test_distance_is_not_interval(self):
        # Line 0, one other line seven times, line 0 again.
        result = self.reuse(self.make("a", [(0, 0, 0, 1)] + [(0, 0, 64, 1)] * 7 + [(0, 0, 0, 1)]))
        self.assertEqual(self.rows(result, "distances"), [(1, 6), (2, 1)])
        self.assertEqual(self.rows(result, "intervals"), [(2, 6), (16, 1)])
        self.assertEqual(result["same"], 6)
        # One reuse at distance 0, one at 1: half of them are below 1.
        row, = self.reuse(self.make("half", [(0, 0, address, 1) for address in (0, 0, 64, 0)]))["top_instructions"]
        self.assertEqual((row["median_distance"], row["median_interval"]), (1, 2))

    def test_instructions_have_their_own_strides(self):
        # Two interleaved walks, down by 8 and up by 4096, and a third one without any order.
        chance = random.Random(4)
        rows = []
        for i in range(1000):
            rows += [(0, 3, 0x100000 - 8 * i, 1), (0, 3, 0x200000 + 4096 * i, 2), (0, 3, 0x40000000 + 8 * chance.randrange(1 << 20), 3)]
        table = {row["pc"]: row for row in self.reuse(self.make("walks", rows))["top_instructions"]}
        down, up, chaos = (table[pc] for pc in ("0x401000", "0x402000", "0xffffffff81000000"))
        self.assertEqual((down["stride"], down["steady_percent"], down["median_distance"]), ("-8", 99.8, 4))
        self.assertEqual((up["stride"], up["steady_percent"], up["first"], up["median_distance"]), ("4096", 99.8, 1000, 0))
        self.assertGreater(chaos["irregular_percent"], 99)
        # The median of a walk by columns of a page: --granularity matters.
        table = {row["pc"]: row for row in self.reuse("--granularity", "2M", self.path("walks"))["top_instructions"]}
        self.assertEqual(table["0x402000"]["first"], 2)

    def test_the_most_frequent_stride_of_many(self):
        # Six strides, two more than are counted at a time, of which the fifth one has more than half of the accesses.
        address, rows = 1 << 30, []
        for stride, times in ((8, 10), (16, 12), (24, 14), (-32, 16), (-72, 100), (40, 5)):
            for _ in range(times):
                address += stride
                rows.append((0, 0, address, 1))
        row, = self.reuse(self.make("many", rows))["top_instructions"]
        self.assertEqual((row["stride"], row["accesses"]), ("-72", 157))

    def test_against_a_naive_model(self):
        chance, rows = random.Random(5), []
        while len(rows) < 20000:
            base = chance.randrange(1 << chance.choice((10, 14, 17)))
            stride = chance.choice((0, 4, 8, 60, -64, 4096))
            rows += [(chance.randrange(2), chance.choice((0, 3, 4)) | chance.choice((0, STORE)), (base + i * stride) % (1 << 40), 1 + (base & 1))
                     for i in range(chance.randrange(1, 9))]
        path = self.make("random", rows, vcpus=2)
        for granularity, shift in (("64", 6), ("4K", 12), ("8", 3)):
            with self.subTest(granularity=granularity):
                model, result = Model(shift), self.reuse("--granularity", granularity, path)
                for row in rows:
                    model.add(*row)
                self.assertEqual(self.rows(result, "distances"), sorted(model.sum("distance").items()))
                self.assertEqual(self.rows(result, "intervals"), sorted(model.sum("interval").items()))
                self.assertEqual({name: result[name] for name in ("start", "same", "steady", "irregular")}, dict(model.sum("pattern")))
                for row in result["top_instructions"]:
                    counts = model.figures[{"0x401000": 1, "0x402000": 2}[row["pc"]]]
                    self.assertEqual((row["first"], row["median_distance"], row["median_interval"]),
                                     (counts["first"], median(counts["distance"]), median(counts["interval"])))
                    self.assertAlmostEqual(row["steady_percent"], 100 * counts["pattern"]["steady"] / row["accesses"])

    def test_distances_are_those_of_an_lru_cache(self):
        rows = [(0, 0, 64 * int(random.Random(i).paretovariate(0.6)) % (1 << 30), 1) for i in range(5000)]
        path = self.make("lines", rows)
        result = self.reuse(path)
        for lines in (16, 256, 1024):
            hits = sum(row["uses"] for row in result["distances"] if row["below"] <= lines)
            self.assertEqual(result["uses"] - hits, self.misses(path, "--l1d", f"{lines * 64},full"))

    def test_the_ends_of_the_address_space(self):
        result = self.reuse(self.make("ends", [(0, 3, (1 << 64) - 4, 1), (0, 3, 0, 1), (0, 3, (1 << 64) - 64, 1)]))
        self.assertEqual((result["uses"], result["first"], self.rows(result, "distances")), (4, 2, [(1, 1), (2, 1)]))

    def test_a_stream_has_no_instructions(self):
        path = self.path("stream")
        with open(path, "wb") as file:
            file.write(b"".join(struct.pack("<QQ", 1 << 63 | 3, 8 * i) for i in range(64)))
        result = self.reuse("--from", "gmbeoo", path)
        self.assertEqual((result["accesses"], result["first"], result["steady"]), (64, 8, 62))
        self.assertNotIn("top_instructions", result)

    def test_bad_ones(self):
        path = self.make("a", [(0, 3, 0, 1)])
        for arguments, message in ((["--granularity", "48"], "power of two"), (["--granularity", "4"], "from 8 to 1G"), (["--granularity", "x"], "'x' isn't"),
                                   (["--top", "-1"], "can't be negative")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("reuse", *arguments, path), message, status=2)
        self.assertEqual(self.analyze("analyze", "-a", "reuse:granularity=4K,top=0", path)["granularity"], 4096)


if __name__ == "__main__":
    unittest.main()
