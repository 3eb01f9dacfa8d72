# SPDX-License-Identifier: GPL-2.0-or-later
"""`mrc` against closed forms, a naive LRU list, `cache`, and its own exact curves."""
import bisect
import random
import unittest

from cache_reference import lru_misses
from harness import not_sanitized
from test_cache import STORE, USER, CacheTest

SEEDS = 100
LEAST_INSIDE = 90  # of 100 intervals of 95 %


def skewed(chance, count, lines):
    """Line numbers, few of which are used most."""
    return [int(lines ** chance.random() + chance.randrange(50)) for _ in range(count)]


class Curves(CacheTest):
    def curves(self, *arguments):
        return self.analyze("mrc", *arguments)["curves"]

    def ratio(self, curve, size):
        """At a size in bytes: the point of that size, or the last one, behind which nothing changes."""
        sizes = [point["bytes"] for point in curve["points"]]
        at = bisect.bisect_left(sizes, size)
        self.assertTrue(at == len(sizes) or sizes[at] == size)
        return curve["points"][min(at, len(sizes) - 1)]

    def test_a_walk_around_is_a_step(self):
        for lines in (1, 8, 96, 1024):
            curve, = self.curves(self.make("walk", [(0, 3, 64 * line) for line in range(lines)] * 10))
            self.assertEqual((curve["uses"], curve["granules"]), (10 * lines, lines))
            for point in curve["points"]:
                self.assertEqual(point["miss_ratio"], 0.1 if point["bytes"] >= 64 * lines else 1)
            self.assertGreaterEqual(curve["points"][-1]["bytes"], 64 * lines)

    def test_against_a_naive_list_and_cache(self):
        chance = random.Random(5)
        lines = skewed(chance, 12000, 4000)
        path = self.make("skewed", [(0, 3 | chance.choice((0, STORE)), 64 * line + 8 * chance.randrange(8)) for line in lines])
        fine, coarse = self.curves("--granularity", "64,4K", path)
        for size in (1, 2, 7, 8, 9, 60, 64, 512, 1024, 4096):
            self.assertAlmostEqual(self.ratio(fine, 64 * size)["miss_ratio"] * 12000, lru_misses(lines, 1, size), places=6)
            self.assertAlmostEqual(self.ratio(coarse, 4096 * size)["miss_ratio"] * 12000,
                                   lru_misses([line // 64 for line in lines], 1, size), places=6)
        for size in ("4K", "32K"):
            exact = self.ratio(fine, int(size[:-1]) << 10)["miss_ratio"] * 12000
            self.assertAlmostEqual(exact, self.misses(path, "--l1d", size + ",full"), places=6)

    def test_long_after_times_are_numbered_anew(self):
        # Both ends of the address space; 20 uses a line, so that times run out often.
        chance = random.Random(6)
        lines = [chance.randrange(1200) + chance.choice((0, (1 << 58) - 1200)) for _ in range(48000)]
        curve, = self.curves(self.make("long", [(0, 3, 64 * line) for line in lines]))
        self.assertEqual(curve["granules"], len(set(lines)))
        for size in (256, 1024):
            self.assertAlmostEqual(self.ratio(curve, 64 * size)["miss_ratio"] * 48000, lru_misses(lines, 1, size), places=6)

    def test_crossings_and_splits(self):
        rows = [(0, 3 | USER, 60), (1, 3, 64), (0, 3 | USER, 60), (1, 3, (1 << 64) - 4)]
        path = self.make("split", rows, vcpus=2)
        whole, = self.curves(path)
        self.assertEqual((whole["uses"], whole["granules"]), (7, 3))  # the last one wraps around
        self.assertEqual([(curve["group"], curve["uses"], curve["granules"]) for curve in self.curves("--split", "cpl", path)],
                         [("kernel", 3, 3), ("user", 4, 2)])
        self.assertEqual([(curve["group"], curve["uses"]) for curve in self.curves("--split", "vcpu", path)], [("vCPU 0", 4), ("vCPU 1", 3)])

    @not_sanitized
    def test_samples_lie_in_their_intervals(self):
        chance = random.Random(7)
        path = self.make("big", [(0, 3, 64 * int(20000 ** chance.random())) for _ in range(60000)])
        exact, = self.curves(path)
        sizes = [64 << shift for shift in (9, 11, 12)]
        for option in (("--rate", "0.1"), ("--samples", "1000")):
            inside, width = dict.fromkeys(sizes, 0), dict.fromkeys(sizes, 0)
            for seed in range(SEEDS):
                curve, = self.curves(*option, "--seed", str(seed), path)
                for size in sizes:
                    point = self.ratio(curve, size)
                    inside[size] += point["low"] <= self.ratio(exact, size)["miss_ratio"] <= point["high"]
                    width[size] += (point["high"] - point["low"]) / SEEDS
                if option[0] == "--samples":
                    self.assertLessEqual(curve["granules"], 1000)
            for size in sizes:
                with self.subTest(option=option, size=size):
                    self.assertGreaterEqual(inside[size], LEAST_INSIDE)
                    self.assertLess(width[size], 0.2)  # not because they are so wide

    def test_forms(self):
        path = self.make("forms", [(0, 3, 64 * line) for line in range(4)] * 10)
        text = self.tracer("mrc", path).out
        self.assertRegex(text, r"\Aaccesses +40\n")
        self.assertRegex(text, r"\n +128 +100\.\d* +#{50}\n +256 +10\.\d* +#{5}\n")
        self.assertEqual(self.tracer("mrc", "--csv", path).status, 0)
        for wrong in (("--rate", "0"), ("--rate", "1.5"), ("--rate", "x"), ("--samples", "3"), ("--samples", "0"), ("--samples", "-1"), ("--granularity", "48"), ("--split", "pc"),
                      ("--rate", "0.1", "--samples", "100")):
            self.assert_fails(self.tracer("mrc", *wrong, path), "--" + wrong[0][2:], status=2)


if __name__ == "__main__":
    unittest.main()
