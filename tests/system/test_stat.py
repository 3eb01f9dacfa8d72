# SPDX-License-Identifier: GPL-2.0-or-later
"""Analyses have the same results for a file, a stream, a live run, and as an analysis tool; and a user's own analysis works."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from harness import ROOT, TRACER, SystemTest, workload

EXAMPLE = os.path.join(ROOT, "examples", "analysis.c")
COUNTS = ("accesses", "loads", "stores", "kernel", "user", "accesses_by_bytes", "distinct_64_byte_lines", "distinct_4_KiB_pages")


class Analyses(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kept = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.trace_path = os.path.join(cls.kept, "a.mtrace")
        subprocess.run([TRACER, "record", "-o", cls.trace_path, "--", workload("rep_movsb")], check=True, capture_output=True)

    def stat(self, *arguments, verb="stat"):
        result = self.tracer(verb, "--json", *arguments)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def object(self, source=EXAMPLE, name="mine.so", *options):
        path = self.path(name)
        subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(ROOT, "include"), "-o", path,
                        *options, source], check=True)
        return path

    def test_a_file_and_its_stream_have_the_same(self):
        of_file = self.stat(self.trace_path)
        stream = self.path("stream")
        self.assertEqual(self.tracer("convert", "-t", "gmbeoo", "-o", stream, self.trace_path).status, 0)
        of_stream = self.stat(stream)
        self.assertEqual([of_stream[name] for name in COUNTS], [of_file[name] for name in COUNTS])
        info = json.loads(self.tracer("info", "--json", self.trace_path).out)
        self.assertEqual(of_file["accesses"], info["records"])
        self.assertEqual(sum(of_file["order"].values()), info["records"])
        self.assertNotIn("top_functions", of_stream)
        self.assertEqual(self.stat("--vcpu", "0", stream)["accesses"], of_stream["accesses"])
        self.assert_fails(self.tracer("stat", "--vcpu", "1", stream), "no record is vCPU 1's")
        self.assertTrue(of_file["top_functions"])

    def test_selections(self):
        all_of_it, user = self.stat(self.trace_path), self.stat("--cpl", "3", "--stores", self.trace_path)
        self.assertEqual((user["kernel"], user["loads"]), (0, 0))
        self.assertLess(user["accesses"], all_of_it["user"])
        self.assertEqual(user["accesses"] + self.stat("--cpl", "3", "--loads", self.trace_path)["accesses"], all_of_it["user"])
        self.assertEqual(len(self.stat("--top", "3", self.trace_path)["top_pages"]), 3)
        self.assertEqual(self.stat("--events", "10..20", self.trace_path)["accesses"], 10)

    def test_forms(self):
        text = self.tracer("stat", self.trace_path).out
        self.assertRegex(text, r"\Aaccesses +\d+\nloads +\d+ +[0-9.]+ %\n")
        csv = self.tracer("stat", "--csv", self.trace_path).out
        self.assertRegex(csv, r"\Aname,value\naccesses,\d+\nloads,\d+\n")
        self.assertRegex(csv, r"\n\npage,accesses,percent,lines\n0x[0-9a-f]+000,\d+,")
        self.assert_fails(self.tracer("stat", "--csv", "--json", self.trace_path), "--json and --csv", status=2)
        for arguments in ([], [self.trace_path, "x"], ["--top", "-1", self.trace_path]):
            self.assert_fails(self.tracer("stat", *arguments), status=2)

    def test_a_live_run(self):
        run = self.tracer("run", "--json", "--analyze", "stat:top=2", "--", workload("rep_movsb"))
        self.assertEqual(run.status, 0, run.err)
        summary = json.loads(run.err)
        self.assertEqual(summary["stat"]["accesses"], summary["accesses"])
        self.assertEqual(len(summary["stat"]["top_instructions"]), 2)
        plain = json.loads(self.tracer("run", "--json", "--", workload("rep_movsb")).err)
        self.assertEqual(plain["loads"] + plain["stores"], plain["accesses"])
        # User code does much the same each time (doc/time.md).
        for live in (summary["stat"], plain):
            self.assertAlmostEqual(live["user"], self.stat(self.trace_path)["user"], delta=2000)

    def test_as_an_analysis_tool(self):
        tool = self.path("memory_tracer-stat")
        os.symlink(TRACER, tool)
        result = self.trace("--analysis_tool_path", tool, "--workload_path_on_host", workload("rep_movsb"), "--print_trace_info")
        self.assert_succeeds(result)
        counted = re.search(r"analysis output:\naccesses +(\d+)\n", result.out).group(1)
        self.assertIn(f"num_of_GMBE_events_since_enabling_GMBEOO: {counted}\n", result.out)
        # By hand, of a file, until its end; and of nothing.
        result = subprocess.run([tool, "/dev/null", "info"], stdout=subprocess.PIPE, text=True)
        self.assertRegex(result.stdout, r"\AReady to analyze\n-----begin analysis output-----\naccesses +0\n")
        self.assertEqual(subprocess.run([tool], capture_output=True).returncode, 2)

    def test_a_tool_that_gets_no_record(self):
        tool = self.path("memory_tracer-stat")
        os.symlink(TRACER, tool)
        result = self.trace("--analysis_tool_path", tool, "--workload_path_on_host", workload("rep_movsb"), "--roi")
        self.assertRegex(result.out, r"analysis output:\naccesses +0\n", result.err)

    def test_ones_own(self):
        mine = self.object()
        of_file = self.stat("--load", mine, self.trace_path, verb="analyze")
        self.assertGreater(of_file["loaded_by_user_code"], 0)
        both = self.stat("--load", mine, "--analyze", "stat:brief", self.trace_path, verb="analyze")
        self.assertEqual(both["bytes"], of_file)
        self.assertEqual(both["stat"]["loads"], self.stat(self.trace_path)["loads"])
        summary = json.loads(self.tracer("run", "--json", "--analyze", mine, "--", workload("rep_movsb")).err)
        self.assertAlmostEqual(summary["bytes"]["loaded_by_user_code"], of_file["loaded_by_user_code"], delta=20000)

    def test_bad_objects(self):
        with open(EXAMPLE) as file:
            source = file.read()
        for name, change, message in (("older", (".abi = MT_ANALYSIS_ABI", ".abi = 77"), "made for another memory_tracer (ABI 77"),
                                      ("none", ("memory_tracer_analysis", "something_else"), "is not an analysis"),
                                      ("half", (".end = free", ".end = NULL"), "must have begin, add"),
                                      ("odd", ('.name = "bytes"', '.name = "a b"'), "must be of letters"),
                                      ("failing", ("return bytes;", "free(bytes);\n    return NULL;"), "it has failed and doesn't say why"),
                                      ("giving up", ("    return true;\n", '    return snprintf(error->message, 9, "enough") < 0;\n'),
                                       "bytes: enough")):
            with self.subTest(name):
                path = self.path("changed.c")
                with open(path, "w") as file:
                    file.write(source.replace(*change))
                mine = self.object(path, f"{name.replace(' ', '_')}.so", "-Wno-unused-variable")
                self.assert_fails(self.tracer("analyze", "--load", mine, self.trace_path), message)
        self.assert_fails(self.tracer("run", "--analyze", mine, "--", "true"), "bytes: enough")
        self.assert_fails(self.tracer("analyze", "--load", self.path("gone.so"), self.trace_path), "can't load the analysis")
        self.assert_fails(self.tracer("analyze", self.trace_path), status=2)
        self.assert_fails(self.tracer("analyze", "-a", "nonsense", self.trace_path), "there is no analysis 'nonsense'", status=2)
        self.assert_fails(self.tracer("run", "--analyze", "stat", "--sink", "null", "--", "true"), status=2)


if __name__ == "__main__":
    unittest.main()
