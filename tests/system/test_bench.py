# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/run works out of its measurements."""
import contextlib
import importlib.machinery
import importlib.util
import io
import math
import os
import subprocess
import sys
import unittest
from unittest import mock

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "run")


def load_bench():
    loader = importlib.machinery.SourceFileLoader("bench_run", PATH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes_bytecode
    return module


class Modes(unittest.TestCase):
    def test_are_those_that_were_given(self):
        bench, modes = load_bench(), []
        bench.calibrate = lambda *_: None
        bench.print_table = lambda arguments, folder, given: modes.append(given)
        for words, expected in ((["--modes", "untraced,null sink"], ["untraced", "null sink"]), ([], ["untraced", "null sink", bench.RECORD + "pc"])):
            for table in ("record", "modes"):
                with self.subTest(table, words=words), mock.patch.object(sys, "argv", ["run", "--tables", table, *words]), \
                        contextlib.redirect_stdout(io.StringIO()):
                    bench.main()
                    if words or table == "record":
                        self.assertEqual(modes[-1][:len(expected)], expected)
                        self.assertEqual(len(modes[-1]) == len(expected), bool(words))
                    else:
                        self.assertEqual(modes[-1], [mode for mode in bench.MODES if not mode.startswith(bench.RECORD)])

    def test_are_refused_where_they_would_be_ignored(self):
        result = subprocess.run([sys.executable, PATH, "--tables", "codec,stat", "--modes", "untraced"], capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("--modes is for --compare and the tables modes, record", result.stderr)


class Intervals(unittest.TestCase):
    def test_are_those_of_the_sign_test(self):
        interval = load_bench().interval_of_median
        self.assertIsNone(interval([1.0] * 5))
        # The ranks that tables of the sign test give for 95 %.
        for count, ranks in ((6, (1, 6)), (9, (2, 8)), (15, (4, 12)), (30, (10, 21))):
            with self.subTest(count=count):
                self.assertEqual(interval(range(count, 0, -1)), ranks)

    def test_hold_the_median_as_often_as_they_say_and_no_narrower_one_does(self):
        interval = load_bench().interval_of_median
        for count in range(6, 100):
            low, high = interval(range(1, count + 1))
            chance = {rank: 1 - 2 * sum(math.comb(count, k) for k in range(rank)) / 2 ** count for rank in (low, low + 1)}
            with self.subTest(count=count):
                self.assertEqual(low + high, count + 1)
                self.assertGreaterEqual(chance[low], 0.95)
                self.assertLess(chance[low + 1], 0.95)


if __name__ == "__main__":
    unittest.main()
