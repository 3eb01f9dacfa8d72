# SPDX-License-Identifier: GPL-2.0-or-later
"""memory_tracer wss: working sets by window, against closed forms and a naive count."""
import csv
import io
import json
import random
import unittest

from test_cache import CacheTest, USER

LINE, PAGE, STORE = 64, 4096, 32


class WorkingSets(CacheTest):
    def wss(self, *arguments):
        return self.analyze("wss", *arguments)

    def test_a_walk(self):
        # Each page of 100 is read once by 8 bytes a line, then written.
        reads = [(0, 3 | USER, PAGE * page + LINE * line, 1) for page in range(100) for line in range(64)]
        trace = self.make("walk", reads + [(vcpu, info | STORE, address, pc) for vcpu, info, address, pc in reads])
        result = self.wss("--window", "640", trace)
        self.assertEqual((result["accesses"], result["windows_count"], result["window_accesses"]), (12800, 20, 640))
        for number, window in enumerate(result["windows"]):
            self.assertEqual((window["begin"], window["accesses"], window["lines"], window["pages"]), (640 * number, 640, 640, 10))
            self.assertEqual((window["lines_read"], window["lines_written"]), (640, 0) if number < 10 else (0, 640))
            self.assertEqual((window["pages_read"], window["pages_written"]), (10, 0) if number < 10 else (0, 10))
            self.assertEqual(window["new_pages"], 10 if number < 10 else 0)
        self.assertEqual([(row["windows"], row["pages"]) for row in result["idle_pages"]], [(1, 10), (2, 10), (4, 20), (8, 40), (16, 20)])
        self.assertEqual((result["mean_lines"], result["most_pages"]), (640, 10))

    def test_a_naive_count(self):
        random.seed(7)
        records = []
        for _ in range(20000):
            shift = random.randrange(5)
            address = random.choice((0x10000, 0xffffffff81000000)) + random.randrange(200 * PAGE)
            records.append((random.randrange(2), shift | USER | random.choice((0, STORE)), address, 1))
        records.append((0, 4 | USER, 0x10000 + PAGE - 8, 1))  # into the next line and page
        trace = self.make("random", records, vcpus=2)
        in_order = [(int(row["address"], 16), int(row["size"]), row["type"] == "store")
                    for row in csv.DictReader(io.StringIO(self.tracer("convert", "-t", "csv", trace).out))]
        for window in (1, 7, 1000, 100000):
            seen, expected = set(), []
            for begin in range(0, len(in_order), window):
                lines, pages = (set(), set()), (set(), set())
                part = in_order[begin:begin + window]
                for address, size, store in part:
                    for byte in (address, address + size - 1):
                        lines[store].add(byte // LINE)
                        pages[store].add(byte // PAGE)
                new = (pages[0] | pages[1]) - seen
                seen |= new
                expected.append({"begin": begin, "accesses": len(part), "lines": len(lines[0] | lines[1]), "lines_read": len(lines[0]),
                                 "lines_written": len(lines[1]), "pages": len(pages[0] | pages[1]), "pages_read": len(pages[0]),
                                 "pages_written": len(pages[1]), "new_pages": len(new)})
            self.assertEqual(self.wss("--window", str(window), trace)["windows"], expected)

    def test_bad_windows(self):
        trace = self.make("one", [(0, 3 | USER, 64, 1)])
        for word, status in (("0", 2), ("x", 2), ("1h", 2), ("", 2), ("-1", 2), ("10ms", 1)):
            result = self.tracer("wss", "--window", word, trace)
            self.assertEqual((result.status, result.out, result.err.count("\n")), (status, "", 1), result.err)
        self.assertIn("the trace has no times (record --fields time)", result.err)

    def test_by_time_and_live(self):
        trace = self.path("trace")
        self.assertEqual(self.tracer("record", "-o", trace, "--fields", "time", "--user-only", "--", "/bin/true").status, 0)
        result = self.wss("--window", "1ms", trace)
        self.assertEqual(sum(window["accesses"] for window in result["windows"]), result["accesses"])
        begins = [window["begin"] for window in result["windows"]]
        self.assertEqual(begins, sorted(set(begins)))
        self.assertEqual({begin % 1000000 for begin in begins}, {0})
        live = self.tracer("run", "--json", "--user-only", "--analyze", "wss:window=1K", "--", "/bin/true")
        wss = json.loads(live.err)["wss"]
        self.assertEqual({window["accesses"] for window in wss["windows"][:-1]}, {1024})


if __name__ == "__main__":
    unittest.main()
