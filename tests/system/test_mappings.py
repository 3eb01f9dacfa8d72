# SPDX-License-Identifier: GPL-2.0-or-later
"""A trace's mappings are those that the kernel's /proc/PID/maps has, whatever a program maps, moves and unmaps."""
import os
import subprocess
import unittest

from harness import BUILD, SystemTest, workload

PAGE = 4096
FILE_PAGES = 64
POINTS = 8
POINT, STEP = "200000000000", "200000"
UNNAMED = ("[heap]", "[stack]")


class Mappings(SystemTest):
    def record(self, seed, *options):
        trace, file = self.path("trace"), self.path("file")
        with open(file, "wb") as mapped:
            mapped.write(bytes(FILE_PAGES * PAGE))
        result = self.tracer("record", "-o", trace, "--rw", self.folder, *options, "--", workload("mappings"), file,
                             str(seed))
        self.assertEqual(result.status, 0, result.err)
        return trace, result.out

    def own(self, out):
        """What the kernel tells at each point: the file of each page."""
        points = []
        for line in out.splitlines():
            if line.startswith("point "):
                points.append({})
                continue
            ends, _, _, _, _, *path = line.split(None, 5)
            path = path[0].replace(" (deleted)", "") if path else ""
            begin, end = (int(word, 16) // PAGE for word in ends.split("-"))
            points[-1].update({page: "" if path in UNNAMED else path for page in range(begin, end)})
        return points

    def told(self, trace):
        """What the trace tells, and how many other memories have the program then."""
        run = subprocess.run([os.path.join(BUILD, "list_mappings"), trace, POINT, STEP, "/workload_mappings"],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        points, others = [], []
        for line in run.stdout.splitlines():
            if line.startswith("point "):
                points.append({})
                others.append(int(line.split()[2]))
                continue
            begin, end, _, path = line.split("\t")
            points[-1].update({page: path for page in range(int(begin, 16) // PAGE, int(end, 16) // PAGE)})
        return points, others

    def assert_equal(self, seed, *options):
        trace, out = self.record(seed, *options)
        (told, others), own = self.told(trace), self.own(out)
        self.assertEqual(len(own), POINTS)
        self.assertEqual(len(told), POINTS)
        for number, (mine, its) in enumerate(zip(told, own)):
            self.assertGreater(len(its), 300)
            self.assertEqual({f"{page:x}": (mine.get(page), its.get(page)) for page in sorted(mine.keys() | its.keys())
                              if mine.get(page) != its.get(page)}, {}, (seed, number))
        self.assertEqual(others, [0] * POINTS, "children that have ended")

    def test_what_is_mapped_is_what_the_kernel_says(self):
        for seed in (1, 2):
            self.assert_equal(seed, "--user-only")


if __name__ == "__main__":
    unittest.main()
