# SPDX-License-Identifier: GPL-2.0-or-later
"""What accesses go to: a workload uses memory of all kinds, and prints what it does to it, and what it has mapped."""
import collections
import csv
import fnmatch
import io
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, SystemTest, workload, not_sanitized
from images import several_vcpus

PAGE = 4096

Touched = collections.namedtuple("Touched", "region begin end times tid name")


class Objects(SystemTest):
    def record(self, folder, *options):
        """Gives the trace, what the workload touches, the lines of its maps, and its pid."""
        trace, file = os.path.join(folder, "trace"), os.path.join(folder, "file")
        with open(file, "wb") as mapped:
            mapped.write(bytes(4 * PAGE))
        result = self.tracer("record", "-o", trace, "--rw", folder, *options, "--", workload("objects"), file)
        self.assertEqual(result.status, 0, result.err)
        lines = [line.split(None, 6) for line in result.out.splitlines()]
        touched = [Touched(*line[1:]) for line in lines if line[0] == "object"]
        return trace, touched, [line[1:] for line in lines if line[0] == "maps"], \
            next(int(line[1]) for line in lines if line[0] == "pid")

    def stat(self, trace, *options):
        result = self.tracer("stat", "--json", *options, trace)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def select(self, touched):
        """Options for what increment() stored there. It loads as often; but a store to a page that is to be copied first
        fails, and then the load is made again; and its return address may be on the same stack."""
        return ["--thread", touched.tid, "--function", "increment", "--stores",
                "--address", f"{touched.begin}..{touched.end}"]

    def assert_counts(self, trace, all_touched, pid):
        self.assertTrue(all_touched)
        for touched in all_touched:
            counts = (0, int(touched.times))
            objects = self.stat(trace, "--by", "object", *self.select(touched))["objects"]
            self.assertEqual([(each["region"], each["loads"], each["stores"]) for each in objects],
                             [(touched.region, *counts)], touched)
            self.assertTrue(fnmatch.fnmatch(objects[0]["object"], touched.name if touched.name != "*"
                                            else f"anonymous * of {pid}"), (touched, objects))
            regions = self.stat(trace, "--by", "region", *self.select(touched))["regions"]
            self.assertEqual([(each["region"], each["loads"], each["stores"]) for each in regions],
                             [(touched.region, *counts)], touched)


class OfBefore(Objects):
    def test_what_was_there_before_tracing_began(self):
        trace = self.path("trace")
        result = self.trace("--workload_path_on_host=" + workload("objects"), "--output=" + trace,
                            "--dont_add_communications_with_host_to_workload")
        self.assert_succeeds(result)
        lines = [line.split(None, 6) for line in result.out.splitlines() if line]
        touched = [Touched(*line[1:]) for line in lines if line[0] == "object"]
        pid = next(int(line[1]) for line in lines if line[0] == "pid")
        self.assertEqual({each.region for each in touched}, {"variable", "heap", "anonymous", "stack"})
        self.assert_counts(trace, touched, pid)
        every = json.loads(self.tracer("objects", "--json", trace).out)["objects"]
        own = [(int(str(each["begin"]), 0), int(str(each["end"]), 0)) for each in every if each["pid"] == pid]
        maps = [[int(word, 16) for word in line[1].split("-")] for line in lines if line[0] == "maps"]
        self.assertGreater(len(maps), 15)
        for begin, end in maps:
            self.assertTrue(any(first < end and begin < last for first, last in own), f"{begin:x}")


class WhileItRuns(Objects):
    """run --analyze knows what the memory is used for at each access; a file knows all of it."""
    def run_live(self, analysis, *options):
        file = self.path("file")
        with open(file, "wb") as mapped:
            mapped.write(bytes(4 * PAGE))
        result = self.tracer("run", "--json", "--analyze", analysis, "--rw", self.folder, *options, "--",
                             workload("objects"), file)
        self.assertEqual(result.status, 0, result.err)
        lines = [line.split(None, 6) for line in result.out.splitlines()]
        return json.loads(result.err), [Touched(*line[1:]) for line in lines if line[0] == "object"], \
            next(int(line[1]) for line in lines if line[0] == "pid")

    def test_objects_are_those_of_a_file(self):
        live, touched, pid = self.run_live("stat:by=object")
        self.assertTrue(touched)
        objects = {(each["region"], each["object"]): each for each in live["stat"]["objects"]}
        self.assertEqual(sum(each["accesses"] for each in objects.values()), live["stat"]["accesses"])
        for each in touched:
            pattern = each.name if each.name != "*" else f"anonymous * of {pid}"
            self.assertGreaterEqual(sum(counts["stores"] for (region, name), counts in objects.items()
                                        if region == each.region and fnmatch.fnmatch(name, pattern)),
                                    int(each.times), each)
        trace = self.record(self.folder)[0]
        of_file = {(each["region"], each["object"]): each for each in self.stat(trace, "--by", "object")["objects"]}
        own = [key for key in of_file if key[0] == "variable" and key[1].startswith("objects_")]
        self.assertTrue(own)
        for key in own:
            self.assertEqual(objects[key], of_file[key])
        for region in ("slab", "kernel-stack", "direct-map", "per-cpu", "kernel-data", "page-table", "file"):
            counts = [sum(each["accesses"] for (of, _), each in all_of.items() if of == region)
                      for all_of in (objects, of_file)]
            self.assertGreater(min(counts), 0.5 * max(counts), region)  # two runs are not the same
            self.assertGreater(min(counts), 0, region)

    def test_only_those_that_are_selected(self):
        live, touched, _ = self.run_live("stat:by=object", "--object", "objects_*", "--region", "variable",
                                         "--user-only")
        objects = live["stat"]["objects"]
        self.assertTrue({each.name for each in touched if each.region == "variable"} <=
                        {each["object"] for each in objects})
        self.assertTrue(all(each["object"].startswith("objects_") and each["region"] == "variable"
                            for each in objects), objects)
        self.assertEqual(sum(each["accesses"] for each in objects), live["stat"]["accesses"])
        self.assertGreater(live["accesses"], live["stat"]["accesses"])

    def test_selections_that_make_no_sense(self):
        for options, message in ((["--region", "heap"], "--region needs --analyze"),
                                 (["--object", "a"], "--object needs --analyze"),
                                 (["--function", "a"], "--function needs --analyze"),
                                 (["--process", "a"], "--process needs --analyze"),
                                 (["--cpl", "0"], "--cpl needs --analyze"),
                                 (["--cpl", "4", "--analyze", "stat"], "--cpl must be in range [0, 3]"),
                                 (["--pc", "main", "--analyze", "stat"], "--function selects by name"),
                                 (["--address", "c", "--analyze", "stat"], "--object selects by name"),
                                 (["--address", "9..8", "--analyze", "stat"], "A <= B"),
                                 (["--region", "nothing", "--analyze", "stat"], "but nothing isn't."),
                                 (["--analyze", "stat:by=nothing"], "but nothing isn't.")):
            result = self.tracer("run", *options, "--", "true")
            self.assertEqual(result.status, 2)
            self.assertIn(message, result.err)
            self.assertNotIn("waiting", result.err)  # it is told before the guest is started


class OfOneProcess(Objects):
    """One recording for all."""
    recorded = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared_folder = tempfile.mkdtemp(prefix="mt_objects.")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared_folder)
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        if not OfOneProcess.recorded:
            OfOneProcess.recorded = self.record(self.shared_folder, "--user-only")
        self.trace_file, self.touched, self.maps, self.pid = OfOneProcess.recorded

    def test_what_nothing_goes_to(self):
        nothing = "no access goes to an object 'no_such_object'"
        for options, message in ((["--object", "no_such_object"], nothing),
                                 (["--object", "stack*", "--object", "no_such_object"], nothing),
                                 (["--object", "no_such_object", "--region", "heap"], nothing + " of these regions"),
                                 (["--region", "heap", "--region", "slab"], "no access goes to the region slab")):
            for verb in (["stat"], ["stat", "--jobs", "2"], ["cache", "--jobs", "2"], ["dump"],
                         ["cut", "-o", self.path("cut")]):
                result = self.tracer(*verb, *options, self.trace_file)
                self.assertEqual(result.status, 1, (verb, options))
                self.assertEqual(result.err.splitlines()[-1], f"memory_tracer: {self.trace_file}: {message}")
        self.assertFalse(os.path.exists(self.path("cut")))
        # Other accesses may go there.
        for options in (["--cpl", "3"], ["--events", "..100"], ["--stores"], ["--process", "workload_objects"]):
            result = self.tracer("stat", "--json", "--object", "no_such_object", *options, self.trace_file)
            self.assertEqual((result.status, json.loads(result.out)["accesses"]), (0, 0))
            self.assertEqual(result.err, "memory_tracer: note: none of these accesses goes to an object 'no_such_object'\n")
        for jobs in ("1", "2"):
            result = self.tracer("stat", "--object", "stack*", "--region", "stack", "--jobs", jobs, self.trace_file)
            self.assertEqual((result.status, result.err), (0, ""))

    def mappings_at_the_end(self):
        """Of the workload's memory: the flags and the file of each page."""
        table = json.loads(self.tracer("tasks", "--json", self.trace_file).out)
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
        told, own = self.mappings_at_the_end(), {}
        for ends, flags, _, _, _, *path in self.maps:
            path = path[0].replace(" (deleted)", "") if path else ""
            begin, end = (int(word, 16) // PAGE for word in ends.split("-"))
            own.update({page: (flags, "" if path in ("[heap]", "[stack]") else path) for page in range(begin, end)})
        self.assertGreater(len(own), 6000)  # three stacks of 8 MiB
        self.assertEqual({f"{page:x}": (told.get(page), own.get(page)) for page in told.keys() | own.keys()
                          if told.get(page) != own.get(page)}, {})

    def test_counts_by_object_and_region_are_exact(self):
        self.assert_counts(self.trace_file, self.touched, self.pid)

    @not_sanitized
    def test_so_they_are_on_several_vcpus(self):
        trace, touched, _, pid = self.record(self.folder, "--user-only", "--image", several_vcpus())
        self.assert_counts(trace, touched, pid)

    def test_every_analysis_can_be_told_by_object(self):
        whole = self.stat(self.trace_file, "--by", "object")
        self.assertEqual(sum(each["accesses"] for each in whole["objects"]), whole["accesses"])
        result = self.tracer("wss", "--by", "region", "--json", self.trace_file)
        self.assertEqual(result.status, 0, result.err)
        self.assertLessEqual({"variable", "stack", "heap", "shared", "vdso"},
                             {each["region"] for each in json.loads(result.out)["regions"]})

    def test_selection_by_object_and_region(self):
        by_name = {each["object"]: each["accesses"] for each in self.stat(self.trace_file, "--by", "object")["objects"]}
        for name in ("objects_data", f"stack of {self.pid}", self.touched[6].name):
            self.assertGreater(self.stat(self.trace_file, "--object", name)["accesses"], 200)
        self.assertEqual(self.stat(self.trace_file, "--object", "objects_*", "--object", "heap of *")["accesses"],
                         sum(count for name, count in by_name.items() if name.startswith(("objects_", "heap of "))))
        by_region = {each["region"]: each["accesses"]
                     for each in self.stat(self.trace_file, "--by", "region")["regions"]}
        self.assertEqual(self.stat(self.trace_file, "--region", "heap", "--region", "vdso")["accesses"],
                         by_region["heap"] + by_region["vdso"])
        cut = self.path("cut")
        self.assertEqual(self.tracer("cut", "--region", "heap", "-o", cut, self.trace_file).status, 0)
        self.assertEqual(self.stat(cut, "--by", "region")["regions"][0]["accesses"], by_region["heap"])

    def test_selection_that_makes_no_sense(self):
        result = self.tracer("stat", "--region", "nothing", self.trace_file)
        self.assertEqual(result.status, 2)
        words = result.err.split("must be one of ")[1].split(", but nothing isn't.")[0].split(", ")
        self.assertIn(f"--region={'|'.join(words)} ", self.tracer("stat", "--help").out)
        stream = self.path("stream")
        with open(stream, "wb") as file:
            file.write(bytes(7) + b"\x80" + bytes(8))
        for option in ("--region", "--object", "--by"):
            result = self.tracer("stat", option, "object" if option == "--by" else "heap", stream)
            self.assertEqual(result.status, 1)
            self.assertIn("only a trace file tells what an access goes to", result.err)

    def test_the_library_says_the_same(self):
        """mt_object_of, against the columns of csv, and what the workload says of its stacks."""
        out = subprocess.run([os.path.join(BUILD, "list_objects"), self.trace_file], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
        told = [line.split("\t") for line in out.splitlines()]
        rows = list(csv.DictReader(io.StringIO(self.tracer("convert", "-t", "csv", "--cpl", "3", "--stores",
                                                           self.trace_file).out)))
        addresses = {row["index"]: int(row["address"], 16) for row in rows}
        self.assertEqual([(row["index"], row["region"], row["object"]) for row in rows],
                         [tuple(each[:3]) for each in told])
        for index, region, name, begin, end, tid in told:
            self.assertTrue(int(begin, 16) <= addresses[index] < int(end, 16), (index, name))
            self.assertEqual(name == f"stack of {tid}", region == "stack", name)

    def test_the_list_of_objects(self):
        """Each mapping that the workload has at its end is covered by objects that are of the right kind."""
        every = json.loads(self.tracer("objects", "--json", "--variables", self.trace_file).out)["objects"]
        own = [(int(str(each["begin"]), 0), int(str(each["end"]), 0), each) for each in every if each["pid"] == self.pid]
        for ends, flags, _, _, _, *path in self.maps:
            begin, end = (int(word, 16) for word in ends.split("-"))
            path = path[0] if path else ""
            there = [each for first, last, each in own if first <= begin and last >= end]
            kinds = {each["region"] for each in there}
            if "s" in flags:
                self.assertIn("shared", kinds, (ends, path))
            elif path.startswith("/"):
                self.assertIn(path, [each["object"] for each in there if
                                     each["region"] == ("text" if "x" in flags else "file")], ends)
            elif path == "[stack]":
                self.assertIn(f"stack of {self.pid}", [each["object"] for each in there])
            elif path.startswith("[v"):
                self.assertIn("vdso", kinds)
        heap = next(each for each in every if each["object"] == f"heap of {self.pid}")
        self.assertEqual(heap["bytes"], int(str(heap["end"]), 0) - int(str(heap["begin"]), 0))
        self.assertLess(heap["from"], heap["to"])
        variables = {each["object"]: each for each in every if each["region"] == "variable" and each["pid"] == self.pid}
        self.assertEqual(int(str(variables["objects_zeroes"]["begin"]), 0), int(self.touched[0].begin, 16))
        self.assertEqual(variables["objects_data"]["bytes"], 4096)

    def test_misses_of_caches(self):
        result = json.loads(self.tracer("cache", "--json", "--l1d", "4K,2", "--l2", "64K,4", "--l3", "none", "--top", "1000000",
                                        self.trace_file).out)
        for level in result["levels"]:
            misses = {(line["region"], line["object"]): line["misses"] for line in result["top_objects"]
                      if line["level"] == level["name"]}
            self.assertEqual(sum(misses.values()), level["misses"])
        accesses = {(line["region"], line["object"]): line["accesses"] for line in
                    json.loads(self.tracer("stat", "--json", "--by", "object", self.trace_file).out)["objects"]}
        self.assertTrue(all(line["misses"] <= 2 * accesses[line["region"], line["object"]] for line in result["top_objects"]))

    def test_what_is_shared(self):
        lines = json.loads(self.tracer("sharing", "--json", "--between", "thread", "--region", "variable", "--top", "1000",
                                       self.trace_file).out)["top_lines"]
        self.assertTrue(lines)
        known = {line["object"] for line in json.loads(self.tracer("stat", "--json", "--by", "object", "--region", "variable",
                                                                   self.trace_file).out)["objects"]}
        self.assertEqual({line["region"] for line in lines}, {"variable"})
        self.assertLessEqual({line["object"] for line in lines}, known)

    def test_labels_of_heatmaps(self):
        for region in ("heap", "stack", "shared"):
            regions = json.loads(self.tracer("heatmap", "--json", "--region", region, self.trace_file).out)["regions"]
            self.assertLessEqual({line["name"] for line in regions}, {region, "program, heap", "libraries, stack"})
            self.assertIn(region, {line["name"] for line in regions})

    def test_columns_of_csv_and_dump(self):
        touched = self.touched[1]
        rows = csv.DictReader(io.StringIO(self.tracer("convert", "-t", "csv", *self.select(touched),
                                                      self.trace_file).out))
        self.assertEqual([(row["region"], row["object"]) for row in rows],
                         [("variable", touched.name)] * int(touched.times))
        rows = self.tracer("dump", "--json", "--columns", "region,object", *self.select(touched), self.trace_file).out
        self.assertEqual([json.loads(row) for row in rows.splitlines()],
                         [{"region": "variable", "object": touched.name}] * int(touched.times))


if __name__ == "__main__":
    unittest.main()
