# SPDX-License-Identifier: GPL-2.0-or-later
"""What accesses go to: a workload has memory of all kinds, and says itself what it does to it, and what it has mapped."""
import json
import unittest

from harness import SystemTest, workload

PAGE = 4096


class Objects(SystemTest):
    def record(self, *options):
        """Gives the trace, and the lines that the workload prints, split: those of objects, and those of its maps."""
        trace, file = self.path("trace"), self.path("file")
        with open(file, "wb") as mapped:
            mapped.write(bytes(4 * PAGE))
        result = self.tracer("record", "-o", trace, "--rw", self.folder, *options, "--", workload("objects"), file)
        self.assertEqual(result.status, 0, result.err)
        lines = [line.split(None, 6) for line in result.out.splitlines()]
        self.pid = next(int(line[1]) for line in lines if line[0] == "pid")
        return trace, *([line[1:] for line in lines if line[0] == kind] for kind in ("object", "maps"))

    def mappings_at_the_end(self, trace):
        """Of the workload's memory: the flags and the file of each page."""
        table = json.loads(self.tracer("tasks", "--json", trace).out)
        memory = next(change["memory"] for change in table["mappings"]
                      if change["change"] == "exec" and "workload_objects" in change["path"])
        pages = {}
        for change in table["mappings"]:
            if change["memory"] != memory:
                continue
            begin, end = (int(str(change[name]), 0) // PAGE for name in ("begin", "end"))
            if change["change"] == "exec":
                pages = {}
            elif change["change"] in ("map", "was"):
                pages.update({page: (change["flags"], change["path"]) for page in range(begin, end)})
            elif change["change"] == "unmap":
                pages = {page: what for page, what in pages.items() if not begin <= page < end}
            elif change["change"] == "move":
                what = pages[begin]
                pages = {page: value for page, value in pages.items() if not begin <= page < end}
                begin, end = (int(word, 16) // PAGE for word in change["path"].split()[-1].split("-"))
                pages.update({page: what for page in range(begin, end)})
        return pages

    def test_mappings_are_those_of_the_process_itself(self):
        trace, _, maps = self.record("--user-only")
        told, own = self.mappings_at_the_end(trace), {}
        for ends, flags, _, _, _, *path in maps:
            path = path[0].replace(" (deleted)", "") if path else ""
            begin, end = (int(word, 16) // PAGE for word in ends.split("-"))
            own.update({page: (flags, "" if path in ("[heap]", "[stack]") else path) for page in range(begin, end)})
        self.assertGreater(len(own), 6000)  # three stacks of 8 MiB
        self.assertEqual({f"{page:x}": (told.get(page), own.get(page)) for page in told.keys() | own.keys()
                          if told.get(page) != own.get(page)}, {})


if __name__ == "__main__":
    unittest.main()
