# SPDX-License-Identifier: GPL-2.0-or-later
"""`heatmap` against closed forms and a naive count; its pictures can be read, and their pixels are right."""
import json
import os
import random
import struct
import subprocess
import unittest
import xml.etree.ElementTree
import zlib

from test_cache import MAKE_TRACE, PC, CacheTest

TIME = 8
KERNEL_IMAGE = 0xffffffff82000000
WIDTH, HEIGHT = 1600, 830
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 250, 60, 960, 640
UNTOUCHED = (0xf2, 0xf2, 0xf2)


def read_png(path):
    """Rows of (red, green, blue), of a PNG of 8 bits a colour."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, width, height = 8, b"", 0, 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", body[:10])
            assert (depth, colours) == (8, 2)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    raw, rows, before = zlib.decompress(packed), [], bytes(3 * width)
    for row in range(height):
        kind, *line = raw[row * (3 * width + 1):(row + 1) * (3 * width + 1)]
        for i, value in enumerate(line):
            left, up, corner = line[i - 3] if i >= 3 else 0, before[i], before[i - 3] if i >= 3 else 0
            guess = left + up - corner
            nearest = min((abs(guess - one), order, one) for order, one in enumerate((left, up, corner)))[2]
            line[i] = (value + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        rows.append([tuple(line[i:i + 3]) for i in range(0, 3 * width, 3)])
        before = line
    return rows


class Heatmap(CacheTest):
    def heatmap(self, *arguments):
        return self.analyze("heatmap", *arguments)

    def cells(self, result):
        return {(cell["row"], cell["column"]): cell["accesses"] for cell in result["cells"]}

    def test_a_walk_is_a_diagonal(self):
        path = self.make("walk", [(0, 3, 0x400000 + 64 * i) for i in range(48)])
        result = self.heatmap(path)
        self.assertEqual((result["granule_bytes"], result["granules"], result["rows"], result["columns"]), (64, 48, 20, 48))
        self.assertEqual(self.cells(result), {(i * 20 // 48, i): 1 for i in range(48)})
        self.assertEqual(result["regions"], [{"first": "0x400000", "last": "0x400bff", "touched_bytes": 3072, "accesses": 48,
                                              "percent": 100, "name": "program, heap"}])

    def test_untouched_memory_is_folded_away(self):
        rows = [(0, 3, base + 64 * (i % 4)) for i in range(12) for base in (0x400000, 0x7ffff0000000, KERNEL_IMAGE)]
        result = self.heatmap(self.make("a", rows + [(0, 3, KERNEL_IMAGE)]))
        self.assertEqual((result["granules"], result["rows"]), (12, 12))
        self.assertEqual([(region["first"], region["accesses"], region["name"]) for region in result["regions"]],
                         [("0x400000", 12, "program, heap"), ("0x7ffff0000000", 12, "libraries, stack"), (hex(KERNEL_IMAGE), 13, "kernel image")])
        hottest = self.heatmap("--hottest", self.path("a"))
        self.assertEqual((hottest["granules"], hottest["accesses"], hottest["accesses_shown"]), (4, 37, 13))
        zoom = self.heatmap("--zoom", "0x7ffff0000040..0x7ffff000007f", self.path("a"))
        self.assertEqual((zoom["granules"], zoom["accesses"], zoom["accesses_shown"]), (1, 37, 3))
        # Time is that of all accesses.
        self.assertEqual([cell["column"] for cell in zoom["cells"]], [3 * 1 + 1, 3 * 5 + 1, 3 * 9 + 1])

    def of_times(self, name, times, fields=PC | TIME, vcpus=1):
        """One access at each time, the i-th one in line i % 8."""
        lines = [line for i, time in enumerate(times) for line in (f"c {i % vcpus} {time} 1", f"r 3 {0x400000 + 64 * (i % 8):x} 0 0 0")]
        subprocess.run([MAKE_TRACE, self.path(name), str(fields), str(vcpus), "64"], input="\n".join(lines) + "\n", text=True, check=True)
        return self.path(name)

    def by_column(self, result):
        columns = {}
        for cell in result["cells"]:
            columns[cell["column"]] = columns.get(cell["column"], 0) + cell["accesses"]
        return columns

    def test_time_is_the_guests_if_the_trace_has_it(self):
        path = self.of_times("a", [1000 + time for time in (0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 30, 31)])
        result = self.heatmap(path)
        self.assertEqual((result["axis"], result["time_begin"], result["time_end"], result["columns"]), ("ns of the guest", 1000, 1032, 32))
        self.assertEqual(self.by_column(result), dict([(i, 1) for i in range(7)] + [(7, 3), (30, 1), (31, 1)]))
        self.assertIn("1 us", self.tracer("heatmap", path).out)
        counted = self.heatmap("--axis", "accesses", path)
        self.assertEqual((counted["axis"], counted["time_begin"], counted["time_end"], counted["columns"]), ("accesses", 0, 12, 12))
        self.assertEqual(self.by_column(counted), {i: 1 for i in range(12)})
        self.assert_fails(self.tracer("heatmap", "--axis", "time", self.make("b", [(0, 3, 0)])), "has no times")
        self.assert_fails(self.tracer("heatmap", "--axis", "x", path), "--axis", status=2)

    def test_columns_of_time_are_as_short_as_the_times_allow(self):
        # Whatever comes first: the range decides, and a column begins with a multiple of its length.
        chance = random.Random(3)
        for first, last in ((5, 5 + 511), (5, 5 + 512), (1023, 5000), (0, 3_000_000_000), (7_000_000_001, 7_000_900_000)):
            times = sorted([first, last] + [chance.randrange(first, last + 1) for _ in range(300)])
            length = 1
            while last // length - first // length >= 512:
                length *= 2
            for vcpus in (1, 2):
                half = len(times) // 2  # of two vCPUs the one is always later than the other
                order = times if vcpus == 1 else [time for both in zip(times[half:], times[:half]) for time in both]
                path = self.of_times("a", order, vcpus=vcpus)
                result = self.heatmap(path)
                with self.subTest(first=first, vcpus=vcpus):
                    self.assertEqual((result["time_begin"], result["time_end"]), (first // length * length, (last // length + 1) * length))
                    used = last // length - first // length + 1
                    expected = {}
                    for time in times:
                        column = (time // length - first // length) * result["columns"] // used
                        expected[column] = expected.get(column, 0) + 1
                    self.assertEqual(self.by_column(result), expected)
                    self.assertEqual(self.tracer("heatmap", "--json", "--jobs", "3", path).out, self.tracer("heatmap", "--json", path).out)

    def test_small_regions_are_in_a_neighbours(self):
        rows = [(0, 3, 0x400000)] + [(0, 3, 0x7ffff0000000 + 64 * i) for i in range(99)] + [(0, 3, KERNEL_IMAGE)]
        for stop, names in ((100, ["user memory"]), (101, ["user and kernel"])):
            result = self.heatmap(self.make("a", rows[:stop]))
            self.assertEqual([region["name"] for region in result["regions"]], names)

    def test_against_a_naive_count(self):
        chance = random.Random(5)
        # More granules and accesses than there may be: both become coarser, some of them in the middle.
        addresses = [chance.choice((0x400000, KERNEL_IMAGE)) + min(8 * i, 1 << 20) + chance.randrange(1 << chance.choice((8, 16, 21)))
                     for i in range(50000)]
        result = self.heatmap(self.make("random", [(0, 3, address) for address in addresses]))
        size, column = result["granule_bytes"], 128  # accesses: 50000 in at most 512 columns
        granules = sorted({address // size for address in addresses})
        self.assertEqual(result["granules"], len(granules))
        self.assertTrue(64 < size and 4096 < len(granules) <= 8192)
        used, rows, columns = -(-len(addresses) // column), result["rows"], result["columns"]
        row_of = {granule: i * rows // len(granules) for i, granule in enumerate(granules)}
        expected = {}
        for i, address in enumerate(addresses):
            key = (row_of[address // size], i // column * columns // used)
            expected[key] = expected.get(key, 0) + 1
        self.assertEqual(self.cells(result), expected)
        self.assertEqual(sum(region["accesses"] for region in result["regions"]), len(addresses))

    def test_png(self):
        # Four lines, one after the other; the second one is accessed twice as often as the others.
        rows = [(0, 3, 0x400000 + 64 * i) for i in (0, 1, 2, 3)] + [(0, 3, 0x400040)]
        self.heatmap("--output", self.path("a.png"), self.make("a", rows * 100))
        pixels = read_png(self.path("a.png"))
        self.assertEqual((len(pixels[0]), len(pixels)), (WIDTH, HEIGHT))
        bottom = [pixels[TOP + PLOT_HEIGHT - 80][LEFT + PLOT_WIDTH * (2 * i + 1) // 1000] for i in range(500)]
        self.assertEqual([colour != UNTOUCHED for colour in bottom], [i % 5 == 0 for i in range(500)])
        above = [pixels[TOP + PLOT_HEIGHT - 240][LEFT + PLOT_WIDTH * (2 * i + 1) // 1000] for i in range(500)]
        self.assertEqual([colour != UNTOUCHED for colour in above], [i % 5 in (1, 4) for i in range(500)])

    def test_svg(self):
        rows = [(0, 3, base + 64 * i) for i in range(4) for base in (0x400000, KERNEL_IMAGE)]
        self.heatmap("--output", self.path("a.svg"), self.make("a", rows))
        root = xml.etree.ElementTree.parse(self.path("a.svg")).getroot()
        texts = [element.text for element in root if element.tag.endswith("text")]
        for text in ("0x400000", hex(KERNEL_IMAGE), "0xffffffff820000ff", "program, heap", "kernel image", "time in accesses", "8", "none"):
            self.assertIn(text, texts)

    def test_several_analyses_at_once(self):
        path = self.make("a", [(0, 3, 0x400000 + 64 * (i % 4000)) for i in range(20000)])
        alone = {verb: self.analyze(verb, path) for verb in ("heatmap", "sharing", "tlb")}
        self.assertNotIn("analysis_costs", alone["tlb"])
        picture = self.path("a,b.png")  # a path is a value, too, and may have a comma
        together = self.analyze("analyze", "--analyze", f"tlb:top=3;heatmap={picture};sharing", path)
        costs = together.pop("analysis_costs")
        self.assertEqual([cost["analysis"] for cost in costs], ["tlb", "heatmap", "sharing"])
        self.assertEqual(together.pop("slowest_analysis"), max(costs, key=lambda cost: cost["cpu_seconds"])["analysis"])
        self.assertTrue(all(cost["cpu_seconds"] > 0 for cost in costs))
        self.assertAlmostEqual(sum(cost["percent"] for cost in costs), 100)
        self.assertEqual(together["heatmap"].pop("output"), picture)
        self.assertEqual(together, alone)
        self.assertTrue(os.path.getsize(picture))
        self.assert_fails(self.tracer("analyze", "--analyze", "tlb=out", path), "tlb: Unknown option --output", status=2)

    def test_several_analyses_of_a_running_guest(self):
        picture = self.path("live.png")
        result = self.tracer("run", "--json", "--analyze", f"tlb;heatmap={picture}", "--", "true")
        summary = json.loads(result.err)
        self.assertEqual(summary["heatmap"]["accesses_shown"], summary["tlb"]["accesses"])
        self.assertEqual({cost["analysis"] for cost in summary["analysis_costs"]}, {"tlb", "heatmap"})
        self.assertTrue(os.path.getsize(picture))

    def test_text_without_a_terminal_is_ascii(self):
        result = self.tracer("heatmap", self.make("a", [(0, 3, 64 * (i % 3)) for i in range(30)]))
        self.assertEqual(result.status, 0)
        self.assertTrue(result.out.isascii())
        self.assertIn("  0x0 |@  @  @", result.out)
        self.assertNotIn("\033", result.out)

    def test_nothing(self):
        for rows in ([], [(0, 3, 0)]):
            result = self.heatmap("--output", self.path("a.png"), "--address", "0x1000..0x2000", self.make("a", rows))
            self.assertEqual((result["accesses"], result["granules"], result["cells"]), (0, 0, []))
            self.assertTrue(os.path.exists(self.path("a.png")))

    def test_bad_ones(self):
        path = self.make("a", [(0, 3, 0)])
        for arguments, message in ((["--zoom", "1"], "FIRST..LAST"), (["--zoom", "5..4"], "FIRST..LAST"), (["--zoom", "a..b"], "FIRST..LAST"),
                                   (["--output", "a.gif"], "must end with .png or .svg")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("heatmap", *arguments, path), message, status=2)
        self.assert_fails(self.tracer("heatmap", "--output", "/nowhere/a.png", path), "can't write '/nowhere/a.png'", status=1)
        folder = self.path("folder.svg")
        os.mkdir(folder)
        self.assert_fails(self.tracer("heatmap", "--output", folder, path), "folder.svg", status=1)


if __name__ == "__main__":
    unittest.main()
