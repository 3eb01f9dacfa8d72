# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of code in live runs: those that a recording of the same program has, with the same counts."""
import json
import os
import subprocess
import unittest

from harness import SystemTest, not_sanitized

LOOP = """__attribute__((noinline)) void hot_loop(volatile int *p) { for (int i = 0; i < 1000; i++) p[i & 7]++; }
static inline __attribute__((always_inline)) void inlined(volatile int *p) {
    for (int i = 0; i < 100; i++)
        p[i & 7] ^= 5;
}
__attribute__((noinline)) void other(volatile int *p) { inlined(p); }
int main(void) { int a[8] = {0}; hot_loop(a); other(a); return 0; }
"""


class LiveNames(SystemTest):
    def compile(self, name, text, *options):
        with open(self.path(name + ".c"), "w") as file:
            file.write(text)
        subprocess.run(["gcc", "-g", "-O1", *options, "-o", self.path(name), self.path(name + ".c")], check=True)
        return self.path(name)

    def live(self, analysis, *arguments):
        result = self.tracer("run", "--json", "--user-only", "--analyze", analysis, *arguments)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.err)[analysis.split(":")[0]]

    def recorded(self, verb, *arguments):
        result = self.tracer(verb, "--json", *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return json.loads(result.out)


class Tables(LiveNames):
    @not_sanitized
    def test_tables_name_functions_and_lines(self):
        program = self.compile("prog", LOOP)
        live = self.live("stat:top=1000", "--", program)
        trace = self.record("a.mtrace", "--user-only", "--", program)
        recorded = self.recorded("stat", "--top", "1000", trace)
        own = [{each["function"]: each["accesses"] for each in of["top_functions"]
                if each["function"] in ("hot_loop", "other", "main")} for of in (live, recorded)]
        self.assertGreaterEqual(own[0]["hot_loop"], 2000)
        self.assertEqual(own[0], own[1])
        lines = [[each for each in of["top_lines"] if each["file"] == program + ".c"] for of in (live, recorded)]
        self.assertEqual([(each["line"], each["accesses"], each["function"]) for each in lines[0]],
                         [(each["line"], each["accesses"], each["function"]) for each in lines[1]])
        self.assertIn((4, 200, "inlined"), [(each["line"], each["accesses"], each["function"]) for each in lines[0]])
        first = next(each for each in live["top_instructions"] if each["function"].startswith("hot_loop+0x"))
        self.assertIn(first, [{**each, "percent": first["percent"]} for each in recorded["top_instructions"]])

    @not_sanitized
    def test_every_analysis_that_names_functions(self):
        program = self.compile("prog", LOOP)
        analyses = ["cache:top=1000", "tlb:top=1000", "reuse:top=1000"]
        result = self.tracer("run", "--json", "--user-only", "--analyze", ";".join(analyses), "--", program)
        self.assertEqual(result.status, 0, result.err)
        for analysis, functions in json.loads(result.err).items():
            if analysis in ("cache", "tlb", "reuse"):
                self.assertIn("_dl_relocate_object", [each["function"] for each in functions["top_functions"]], analysis)

    def test_a_file_that_only_the_guest_has(self):
        """Its code is fetched when the workload has ended."""
        live = self.live("stat:top=1000", "--", "sh", "-c",
                         f"cp {self.compile('prog', LOOP)} /tmp/copied_in_the_guest && /tmp/copied_in_the_guest")
        self.assertFalse(os.path.exists("/tmp/copied_in_the_guest"))
        functions = {each["function"]: each["accesses"] for each in live["top_functions"]}
        self.assertGreaterEqual(functions["hot_loop"], 2000)


class Groups(LiveNames):
    """--by: what code is called must be known when it is executed."""
    def groups(self, of, what, where):
        return {each[what]: each["accesses"] for each in of[where]}

    @not_sanitized
    def test_groups_are_those_of_a_recording(self):
        program = self.compile("prog", LOOP)
        trace = self.record("a.mtrace", "--user-only", "--", program)
        for what, where in (("function", "functions"), ("line", "lines_of_source"), ("file", "files")):
            live = self.groups(self.live("stat:by=" + what, "--", program), what, where)
            recorded = self.groups(self.recorded("stat", "--by", what, trace), what, where)
            # The agent waits, more or less often.
            differ = {name for name in {*live, *recorded} if live.get(name) != recorded.get(name)}
            self.assertFalse([name for name in differ if "agent" not in name and name != "(unknown)"], what)
            if what == "line":
                self.assertEqual(live[program + ".c:4"], 200)

    def test_programs_with_the_same_code_at_the_same_address(self):
        """An instruction has the name that it has in its process; others change the addresses of libraries."""
        same = LOOP.replace("hot_loop", "{name}")
        programs = [self.compile(name, same.replace("{name}", name), "-no-pie") for name in ("first_loop", "second_loop")]
        with open(self.path("shifted.c"), "w") as file:
            file.write("int shifted(void) { return 1; }\n")
        library = self.path("shifted.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, self.path("shifted.c")], check=True)
        command = f"{programs[0]}; LD_PRELOAD={library} {programs[1]}; {programs[1]}"
        trace = self.record("a.mtrace", "--user-only", "--", "sh", "-c", command)
        recorded = self.groups(self.recorded("stat", "--by", "function", trace), "function", "functions")
        live = self.groups(self.live("stat:by=function", "--", "sh", "-c", command), "function", "functions")
        self.assertEqual(live["second_loop"], 2 * live["first_loop"])
        for name in ("first_loop", "second_loop", "other", "main", "_dl_relocate_object", "do_lookup_x"):
            self.assertEqual(live.get(name), recorded.get(name), name)

    @not_sanitized
    def test_any_analysis(self):
        program = self.compile("prog", LOOP)
        cache = self.live("cache:by=function", "--", program)
        function = next(each for each in cache["functions"] if each["function"] == "hot_loop")
        self.assertGreaterEqual(function["accesses"], 2000)
        self.assertGreater(function["memory_reads"], 0)


class Selections(LiveNames):
    def test_a_function_and_what_is_inlined(self):
        program = self.compile("prog", LOOP)
        result = self.tracer("run", "--json", "--user-only", "--analyze", "stat:by=function", "--function", "hot_*",
                             "--function", "inlined", "--", program)
        self.assertEqual(result.status, 0, result.err)
        live = json.loads(result.err)
        trace = self.record("a.mtrace", "--user-only", "--", program)
        recorded = self.recorded("stat", "--by", "function", "--function", "hot_*", "--function", "inlined", trace)
        self.assertEqual(live["stat"]["functions"], recorded["functions"])
        self.assertEqual({each["function"] for each in recorded["functions"]}, {"hot_loop", "other"})
        self.assertGreater(live["accesses"], live["stat"]["accesses"])
        self.assertFalse(live["warnings"])

    @not_sanitized
    def test_processes_threads_and_kinds_of_accesses(self):
        """The process's name is the program's: only what it does after its exec counts."""
        program = self.compile("prog", LOOP)
        command = ["--", "sh", "-c", f"{program}; true; {program}"]
        trace = self.record("a.mtrace", *command)
        whole = self.recorded("stat", "--by", "function", "--process", "prog", "--cpl", "3", "--stores", trace)
        for options in (["--thread", "p?og"], ["--process", "prog", "--thread", "prog", "--vcpu", "0"]):
            result = self.tracer("run", "--json", "--analyze", "stat:by=function", *options, "--cpl", "3", "--stores", *command)
            self.assertEqual(result.status, 0, result.err)
            live = json.loads(result.err)["stat"]
            self.assertEqual((live["loads"], live["kernel"]), (0, 0))
            functions = [self.count(of, "hot_loop") for of in (live, whole)]
            self.assertEqual(functions, [2000, 2000], options)
        address = "7ff000000000..800000000000"
        result = self.tracer("run", "--json", "--user-only", "--analyze", "stat:by=region", "--address", address, "--pc",
                             "..7ff000000000", "--process", "prog", "--loads", *command)
        live = json.loads(result.err)["stat"]
        self.assertGreaterEqual(live["loads"], 2000)  # the array is on the stack, the code is not above it
        self.assertEqual(live["stores"], 0)
        self.assertEqual({each["region"] for each in live["regions"]} - {"stack"}, set())

    def count(self, of, function):
        return next(each["accesses"] for each in of["functions"] if each["function"] == function)

    def test_what_nothing_did(self):
        for options, lines in ((["--process", "nosuch", "--vcpu", "1"],
                                ["no access was made by vCPU 1", "no access was made by a process 'nosuch'"]),
                               (["--process", "sh", "--thread", "99999"],
                                ["no access was made by a thread '99999' of a process 'sh'"])):
            result = self.tracer("run", "--json", "--analyze", "stat", *options, "--", "sh", "-c", "true; true")
            self.assertEqual(result.status, 0, result.err)
            summary = json.loads(result.err)
            self.assertEqual((summary["warnings"], summary["stat"]["accesses"]), (lines, 0))

    def test_names_that_nothing_has(self):
        result = self.tracer("run", "--user-only", "--analyze", "stat", "--function", "no_such_function", "--function", "main",
                             "--object", "no_such_object", "--", self.compile("prog", LOOP))
        self.assertEqual(result.status, 0, result.err)
        lines = result.err.splitlines()
        self.assertIn("memory_tracer: no code of a function 'no_such_function' was executed that makes accesses", lines)
        self.assertIn("memory_tracer: no access goes to an object 'no_such_object'", lines)
        self.assertFalse([line for line in lines if "'main'" in line])


if __name__ == "__main__":
    unittest.main()
