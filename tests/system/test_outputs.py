# SPDX-License-Identifier: GPL-2.0-or-later
"""Outputs in folders that the workload can write to; output that can't be written; closed streams."""
import os
import signal
import subprocess

from harness import TRACER, SystemTest, not_sanitized
from test_cache import USER, CacheTest


class SharedFolder(SystemTest):
    """--rw: if the workload removes or replaces an output there, the run fails."""

    def setUp(self):
        super().setUp()
        self.shared = self.path("shared")
        os.mkdir(self.shared)

    @not_sanitized
    def test_a_trace_that_is_removed_moved_or_replaced(self):
        trace = os.path.join(self.shared, "trace")
        for command in (f"rm {trace}", f"mv {trace} {trace}.moved", f"echo x >{trace}.new; mv {trace}.new {trace}"):
            with self.subTest(command):
                result = self.tracer("record", "-o", trace, "--rw", self.shared, "--", "sh", "-c", command)
                self.assert_fails(result, f"can't write {trace}: it was removed, moved or replaced while it was written")
        with open(trace) as file:
            self.assertEqual(file.read(), "x\n")

    def test_a_summary_whose_folder_is_moved(self):
        folder = os.path.join(self.shared, "folder")
        os.mkdir(folder)
        result = self.tracer("run", "--summary", f"{folder}/summary", "--rw", self.shared, "--", "mv", folder, folder + "2")
        self.assert_fails(result, f"can't write {folder}/summary: its folder was moved or replaced")

    def test_what_takes_a_fifos_place_is_not_written_to(self):
        fifo = os.path.join(self.shared, "fifo")
        for replace, reason in ((f"echo x >{fifo}", "it is no longer a FIFO"), ("true", "No such file or directory"),
                                (f"ln -s {self.path('target')} {fifo}", "it is no longer a FIFO")):
            with self.subTest(replace):
                with open(self.path("target"), "w") as file:
                    file.write("x\n")
                os.mkfifo(fifo)
                result = self.tracer("run", "--fifo", fifo, "--rw", self.shared, "--warm-up", "1", "--", "sh", "-c",
                                     f"rm -f {fifo}; {replace}")
                self.assert_fails(result, f"can't open {fifo}: {reason}")
                if os.path.lexists(fifo):
                    with open(fifo) as file:
                        self.assertEqual(file.read(), "x\n")
                    os.unlink(fifo)


class Results(CacheTest):
    def test_what_is_given_but_empty_is_an_error(self):
        """A script's variable that isn't set: neither the current folder nor everything is meant."""
        trace = self.make("few", [(0, 3 | USER, 64, 1)])
        for verb, option in (("info", "--extract-debug"), ("convert", "--output"), ("cut", "--output"), ("run", "--chdir"), ("run", "--rw"),
                             ("run", "--fifo"), ("run", "--image"), ("run", "--summary"), ("analyze", "--load")):
            with self.subTest(verb, option=option):
                result = self.tracer(verb, option, "", *(["--", "true"] if verb == "run" else [trace]))
                self.assert_fails(result, f"{option} needs ", ", but it is empty", status=2)
        for option in ("--events", "--pc", "--address"):
            with self.subTest(option):
                self.assert_fails(self.tracer("stat", option, "", trace), f"{option} must be A..B", "but '' isn't", status=2)

    def test_a_picture_and_the_summary_in_one_file(self):
        path = self.path("picture.svg")
        self.assert_fails(self.tracer("run", "--analyze", f"stat;heatmap={path}", "--summary", path, "--", "true"),
                          f"can't write both the result of an analysis and the summary into {path}")
        self.assertFalse(os.path.exists(path))

    def test_results_of_any_size_that_can_not_be_written_are_an_error(self):
        trace = self.make("many", [(0, 3 | USER, 64 * line, 1) for line in range(1000)])
        verbs = (["wss", "--window", "1"], ["wss", "--window", "1", "--json"], ["wss", "--window", "1", "--csv"], ["dump"],
                 ["dump", "--json"], ["convert", "-t", "csv"], ["stat"], ["info"], ["check"])
        with open("/dev/full", "w") as full:
            for verb in verbs:
                result = subprocess.run([TRACER, *verb, trace], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
                self.assertEqual(result.returncode, 1, verb)
                self.assertIn("standard output: No space left on device\n", result.stderr, verb)

    def test_help_that_can_not_be_written_is_an_error(self):
        names = [line.split("\t")[0] for line in self.tracer("--print-verbs").out.splitlines()]
        self.assertIn("stat", names)
        calls = [[name, "--help"] for name in names] + [["stat", "-h"], ["image", "build", "--help"], ["help"], ["help", "stat"], ["--help"],
                                                        ["--version"], ["--print-verbs"], ["stat", "--print-options"]]
        with open("/dev/full", "w") as full:
            for call in calls:
                result = subprocess.run([TRACER, *call], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
                self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), (call, result.stderr))
                self.assertTrue(result.stderr.startswith("memory_tracer: can't write to standard output"), (call, result.stderr))

    def test_a_tools_output_that_can_not_be_written_is_an_error(self):
        trace, tool = self.make("many", [(0, 3 | USER, 64 * line, 1) for line in range(1000)]), self.path("memory_tracer-stat")
        os.symlink(TRACER, tool)
        with open("/dev/full", "w") as full:
            result = subprocess.run([tool, trace], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), result.stderr)
        self.assertIn("memory_tracer: can't write to standard output: No space left on device", result.stderr)
        output = self.path("output")
        result = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$0" "$1" >"$2"', tool, trace, output], stderr=subprocess.PIPE, text=True, timeout=120)
        with open(output) as file:
            self.assertEqual(file.readline(), "Ready to analyze\n")
        self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), result.stderr)
        self.assertIn("memory_tracer: can't write to standard output: File too large", result.stderr)

    def test_a_picture_that_can_not_be_written_is_an_error(self):
        trace, picture = self.make("many", [(0, 3 | USER, 64 * line, 1) for line in range(1000)]), self.path("a.svg")
        result = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$0" heatmap --output "$1" "$2"', TRACER, picture, trace],
                                capture_output=True, text=True, timeout=120)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(f"memory_tracer: can't write '{picture}': File too large", result.stderr)
        self.assertEqual(os.listdir(self.folder).count("a.svg"), 0)

    def test_what_is_read_is_not_replaced(self):
        trace = self.make("trace.svg", [(0, 3 | USER, 64 * line, 1) for line in range(1000)])
        link, other = self.path("link.svg"), self.path("other")
        os.symlink(trace, link)
        self.assertEqual(self.tracer("cut", "-o", other, trace).status, 0)
        with open(trace, "rb") as file:
            before = file.read()
        for path in (trace, link):
            for verb in (["convert", "-t", "csv", "-o"], ["convert", "-t", "npy", "-o"], ["convert", "-t", "trace", "-o"], ["cut", "-o"],
                         ["merge", other, "-o"], ["heatmap", "--output"], ["analyze", "--analyze", f"stat;heatmap={path}", "--analyze"]):
                result = self.tracer(*verb, "mrc" if "analyze" in verb else path, trace)
                self.assertEqual((result.status, result.out, result.err), (1, "", f"memory_tracer: can't write {path}: it is what is read\n"))
        with open(trace, "rb") as file:
            result = subprocess.run([TRACER, "cut", "-o", trace, "-"], stdin=file, capture_output=True, text=True, timeout=120)
        self.assertIn("it is what is read", result.stderr)
        with open(trace, "rb") as file:
            self.assertEqual(file.read(), before)
        picture = self.path("a.png")
        for verb in (["analyze", trace], ["run", "true"]):
            result = self.tracer(verb[0], "--analyze", f"heatmap={picture};heatmap:output={picture},hottest", *verb[1:])
            self.assertEqual((result.status, result.out), (2, ""))
            self.assertEqual(result.err, f"memory_tracer: {picture} can't be the output of two analyses\n")


class Streams(CacheTest):
    def test_an_error_is_one_line_whatever_a_name_has_in_it(self):
        name = self.path("a\033[31m\nb")
        shown = self.path("a\\x1b[31m\\x0ab")
        self.assert_fails(self.tracer("stat", name), f"memory_tracer: {shown}: can't open: No such file or directory")
        trace = self.make("trace", [(0, 3 | USER, 64 * line, 1) for line in range(1000)])
        with open(trace, "rb") as file, open(name, "wb") as cut_off:
            cut_off.write(file.read()[:-8])
        for verb in (["stat"], ["dump"], ["check"], ["cut", "-o", self.path("cut")]):
            result = self.tracer(*verb, name)
            self.assertNotIn("\033", result.err + result.out, verb)
            self.assertIn(f"memory_tracer: ATTENTION: the trace is incomplete ({shown}: offset", result.err, verb)
        for arguments in (["cache", "--machine", name], ["stat", "--by", "\033[31m"], ["stat", "--process", "\033"], ["\033[31m"]):
            result = self.tracer(*arguments, trace)
            self.assertNotEqual(result.status, 0, arguments)
            self.assertEqual((result.err.count("\n"), "\033" in result.err), (1, False), result.err)

    def test_a_run_without_standard_error_says_nothing_and_succeeds(self):
        """A file that is opened later doesn't get the closed descriptor's number, so no message is written into it."""
        for closed in ("2>&-", "2>&- <&-"):
            with self.subTest(closed):
                summary = self.path("summary")
                result = subprocess.run(["sh", "-c", f'exec "$0" run --summary "$1" -- sh -c "echo out; echo err >&2; exit 3" {closed}',
                                         TRACER, summary], env=self.environment, stdout=subprocess.PIPE, text=True, timeout=120)
                self.assertEqual((result.returncode, result.stdout), (3, "out\n"))
                with open(summary) as file:
                    self.assertTrue(file.read().startswith("{"))

    def test_until_is_not_mentioned_when_somebody_stops_the_run(self):
        process = self.start("run", "--sink", "untraced", "--until", "false", "--", "sh", "-c", "echo started; sleep 100")
        self.assertEqual(process.stdout.readline(), "started\n")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.err)
        self.assertNotIn("never succeeded", result.err)
