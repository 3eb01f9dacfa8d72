# SPDX-License-Identifier: GPL-2.0-or-later
"""Which task makes an access: compared with processes and threads that print their ids, and what they touch."""
import csv
import glob
import io
import json
import os
import re
import struct
import unittest

from harness import SystemTest, workload
from images import several_vcpus

PAGES = 0x730000000
PAGE = 4096
SAME_PID = 200  # processes, one after the other


class Tasks(SystemTest):
    def record(self, *arguments, options=()):
        """Gives the trace, and what the workload says: lists of page, pid, tid, increments."""
        trace = self.path("trace")
        result = self.tracer("record", "-o", trace, *options, "--", workload("tasks"), *arguments)
        self.assertEqual(result.status, 0, result.err)
        return trace, [[int(word) for word in line.split()] for line in result.out.splitlines()]

    def stat(self, trace, *options):
        result = self.tracer("stat", "--json", *options, trace)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def of_page(self, trace, page):
        """What each thread did to a page by its own code."""
        begin = PAGES + page * PAGE
        return self.stat(trace, "--by", "thread", "--cpl", "3", "--address", f"{begin:x}..{begin + PAGE:x}")["threads"]

    def assert_counts(self, trace, said):
        self.assertGreaterEqual(len(said), 16)
        for page, pid, tid, increments in said:
            threads = self.of_page(trace, page)
            self.assertEqual([(thread["pid"], thread["tid"], thread["loads"], thread["stores"]) for thread in threads],
                             [(pid, tid, increments, increments)], f"page {page}")

    def assert_adds_up(self, trace):
        """Each access counts once, and a process's accesses are the sum of its threads'."""
        processes, threads = (self.stat(trace, "--by", what) for what in ("process", "thread"))
        self.assertEqual(sum(process["accesses"] for process in processes["processes"]), processes["accesses"])
        self.assertNotIn("(unknown)", [process["command"] for process in processes["processes"]])
        for process in processes["processes"]:
            if process["pid"]:
                self.assertEqual(process["accesses"], sum(thread["accesses"] for thread in threads["threads"]
                                                          if thread["pid"] == process["pid"]))

    def test_counts_are_exact_for_processes_threads_exec_vfork_and_namespaces(self):
        trace, said = self.record()
        self.assert_counts(trace, said)
        self.assert_adds_up(trace)

    def test_so_they_are_with_icount_and_user_code_only(self):
        for options in (["--icount"], ["--user-only"]):
            trace, said = self.record(options=options)
            self.assert_counts(trace, said)
            os.unlink(trace)

    def test_so_they_are_on_several_vcpus(self):
        for options in ([], ["--strict-order"]):
            trace, said = self.record(options=["--image", several_vcpus(), *options])
            self.assert_counts(trace, said)
            self.assert_adds_up(trace)
            os.unlink(trace)

    def test_processes_that_have_the_same_pid_are_told_apart(self):
        trace, said = self.record(str(SAME_PID), options=["--user-only", "--user", "root"])
        self.assertEqual(len({pid for _, pid, _, _ in said}), 1)
        table = json.loads(self.tracer("tasks", "--json", trace).out)["tasks"]
        tasks = [task for task in table if task["pid"] == said[0][1]]
        self.assertEqual(len(tasks), SAME_PID)
        self.assertEqual({task["exit"] for task in tasks}, {"0"})
        accesses = [(thread["pid"], thread["loads"], thread["stores"]) for thread in self.of_page(trace, 0)]
        self.assertEqual(accesses, [(said[0][1], 1, 1)] * sum(page == 0 for page, _, _, _ in said))

    def test_selection(self):
        trace, said = self.record(options=["--user-only"])
        page, pid, tid, increments = said[0]
        whole = self.stat(trace, "--by", "process")["processes"]
        own = self.stat(trace, "--process", str(pid))
        self.assertEqual(own["accesses"], next(process["accesses"] for process in whole if process["pid"] == pid))
        table = json.loads(self.tracer("tasks", "--json", trace).out)["tasks"]
        named = {task["pid"] for task in table if task["tid"] == task["pid"] and
                 (task["name"].startswith("workload_tas") or task["program"].endswith("/workload_tasks"))}
        self.assertEqual(self.stat(trace, "--process", "workload_tas*")["accesses"],
                         sum(process["accesses"] for process in whole if process["pid"] in named))
        thread = next(tid for page, _, tid, _ in said if page == 10)
        cut = self.path("cut")
        self.assertEqual(self.tracer("cut", "--thread", str(thread), "-o", cut, trace).status, 0)
        self.assertEqual(self.stat(cut)["accesses"], self.stat(trace, "--thread", str(thread))["accesses"])
        self.assertEqual([line["tid"] for line in self.stat(cut, "--by", "thread")["threads"]], [thread])
        self.assertEqual(self.tracer("check", cut).status, 0)
        for word, why in (("nosuch", "the trace has no such task: nosuch"), ("99999", "the trace has no such task")):
            result = self.tracer("stat", "--process", word, trace)
            self.assertEqual(result.status, 1)
            self.assertIn(why, result.err)

    def test_copies_and_merges_say_the_same(self):
        trace, _ = self.record(options=["--user-only"])
        cut, merged = self.path("cut"), self.path("merged")
        self.tracer("cut", "-o", cut, trace)
        self.assertEqual(self.stat(cut, "--by", "thread"), self.stat(trace, "--by", "thread"))
        for form in ("--json", "--csv"):
            self.assertEqual(self.tracer("tasks", form, cut).out, self.tracer("tasks", form, trace).out)
        self.tracer("merge", "-o", merged, trace, cut)
        twice = self.stat(merged, "--by", "process")["processes"]
        figures = ("accesses", "loads", "stores", "pid", "command")
        once = self.stat(trace, "--by", "process")["processes"]
        self.assertEqual(sorted([process[name] for name in figures] for process in twice),
                         sorted([process[name] for name in figures] for process in once + once))

    def test_formats_and_dump_tell_it(self):
        trace, said = self.record(options=["--user-only"])
        page, pid, tid, increments = said[10]
        select = ["--address", f"{PAGES + page * PAGE:x}..{PAGES + (page + 1) * PAGE:x}"]
        rows = list(csv.DictReader(io.StringIO(self.tracer("convert", "-t", "csv", *select, trace).out)))
        self.assertEqual([(row["pid"], row["tid"], row["context"]) for row in rows],
                         [(str(pid), str(tid), "task")] * (2 * increments))
        whose = str(pid) if pid == tid else f"{pid}/{tid}"
        lines = self.tracer("dump", *select, trace).out.splitlines()[1:]
        self.assertEqual(sum(f"  {whose} workload_tasks " in line for line in lines), 2 * increments)
        array = self.path("npy")
        self.assertEqual(self.tracer("convert", "-t", "npy", "-o", array, *select, trace).status, 0)
        with open(array, "rb") as file:
            head = file.read(512)
            rows = file.read()
        self.assertIn(b"('task', '<u4'), ('pid', '<u4'), ('tid', '<u4'), ('context', 'u1'), ('region', 'u1'), "
                      b"('object', '<u4')]", head)
        size = sum(int(word) for word in re.findall(rb"'[<u]*u?(\d)'", head)) + head.count(b"'?'")
        self.assertEqual({struct.unpack("<IIBB", rows[at - 14:at - 4]) for at in
                          range(size, size * (2 * increments + 1), size)}, {(pid, tid, 0, 6)})  # shared memory
        objects = rows[size * 2 * increments:]
        width = 16 + int(re.search(rb"\('region', 'S16'\), \('name', 'S(\d+)'\)", objects)[1])
        number = struct.unpack("<I", rows[size - 4:size])[0]
        self.assertRegex(objects[512:][width * number:width * (number + 1)], rb"^shared\0{10}shared memory \d+\0*$")

    def test_the_table_of_tasks(self):
        trace = self.path("trace")
        self.tracer("record", "-o", trace, "--", "/bin/sh", "-c", "/bin/true; exec /bin/sh -c 'kill -9 $$'")
        tables = json.loads(self.tracer("tasks", "--json", trace).out)
        by_name = {task["name"]: task for task in tables["tasks"]}
        shell, true = by_name["sh"], by_name["true"]
        self.assertEqual((true["parent"], true["exit"], shell["exit"]), (shell["task"], "0", "signal 9"))
        self.assertEqual(os.path.basename(true["program"]), "true")
        maps = [mapping for mapping in tables["mappings"] if mapping["change"] == "map"]
        self.assertTrue(any(mapping["path"].endswith("/libc.so.6") and mapping["flags"] == "r-xp" for mapping in maps))
        rows = list(csv.reader(io.StringIO(self.tracer("tasks", "--csv", trace).out)))
        self.assertIn("true", [row[6] for row in rows if len(row) > 6])

    def test_without_tasks(self):
        trace = self.path("trace")
        self.tracer("record", "-o", trace, "--fields", "no-task", "--user-only", "--", "/bin/true")
        self.assertNotIn("task", json.loads(self.tracer("info", "--json", trace).out)["fields"])
        for command in (["tasks", trace], ["stat", "--by", "process", trace], ["stat", "--process", "1", trace]):
            result = self.tracer(*command)
            self.assertEqual((result.status, result.out), (1, ""))
            self.assertIn("doesn't tell which task made an access", result.err)

    def test_a_kernel_without_types(self):
        """A guest's kernel without /sys/kernel/btf/vmlinux: its cached facts are only its identity."""
        self.environment["XDG_CACHE_HOME"] = self.path("cache")
        trace = self.path("trace")
        self.tracer("record", "-o", trace, "--user-only", "--", "true")
        self.assertEqual(self.info(trace)["fields"], ["pc", "task"])
        layouts = glob.glob(os.path.join(self.path("cache"), "**", "*layout*"), recursive=True)
        self.assertEqual(len(layouts), 1)
        with open(layouts[0]) as file:
            os.truncate(layouts[0], len(file.readline()))
        result = self.tracer("record", "-o", trace, "--user-only", "--", workload("tasks"))
        self.assertEqual(result.status, 0, result.err)
        self.assertIn("which task makes an access is not recorded", result.err)
        self.assertEqual(self.info(trace)["fields"], ["pc"])
        self.assertIn("main", {row["function"] for row in self.stat(trace, "--by", "function")["functions"]})
        page, _, _, increments = (int(word) for word in result.out.splitlines()[0].split())
        begin = PAGES + page * PAGE
        counted = self.stat(trace, "--address", f"{begin:x}..{begin + PAGE:x}")
        self.assertEqual((counted["loads"], counted["stores"]), (increments, increments))
        for verb in (["stat", "--by", "process"], ["tasks"]):
            result = self.tracer(*verb, trace)
            self.assert_fails(result, "doesn't tell which task made an access")

    def test_lines_and_files(self):
        """Together they have all accesses, and the static program made almost all by user code."""
        trace, _ = self.record(options=["--user-only"])
        for what, where in (("line", "lines_of_source"), ("file", "files"), ("function", "functions")):
            groups = self.stat(trace, "--by", what)
            self.assertEqual(sum(group["accesses"] for group in groups[where]), groups["accesses"])
        files = {group["file"]: group["accesses"] for group in self.stat(trace, "--by", "file")["files"]}
        self.assertGreater(files[workload("tasks")], 5000)
        result = self.tracer("stat", "--by", "nothing", trace)
        self.assertEqual((result.status, result.err.count("\n")), (2, 1))

    def test_live(self):
        result = self.tracer("run", "--json", "--analyze", "stat:by=process", "--", "/bin/sh", "-c", "/bin/true")
        summary = json.loads(result.err)
        self.assertIn("true", [process["command"] for process in summary["stat"]["processes"]])


if __name__ == "__main__":
    unittest.main()
