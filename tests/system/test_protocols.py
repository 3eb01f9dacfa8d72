# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocols of the older tool, as programs for it used them: its words stood anywhere in the output."""
import os
import re
import subprocess
import unittest

from harness import BUILD, IMAGE, QEMU, SNAPSHOT, SPEAKS, SystemTest, not_sanitized

BEGIN, END = "-----begin workload info-----", "-----end workload info-----"
READY, STOP = "Ready to trace. Press enter to continue", "Stop tracing"

# What a shell script prints before and after it waits for the enter, and the info that is understood.
WORKLOADS = {
    "each word alone in its line": (f"echo '{BEGIN}'; echo 0x10 4; echo '{END}'; echo '{READY}'", f"echo '{STOP}'", "0x10 4"),
    "no info": (f"echo '{READY}'", f"echo '{STOP}'", ""),
    "printf, then puts": (f"printf -- '{BEGIN}\\n'; printf 0x10; echo '{END}'; echo '{READY}'", f"echo '{STOP}'", "0x10"),
    "in mid-line": (f"echo 'hi {BEGIN}0x10{END} there'; echo 'now: {READY}, please'", f"echo 'well, {STOP} now'", "0x10"),
    "behind CR LF": (f"printf -- '{BEGIN}\\r\\n0x10\\r\\n{END}\\r\\n{READY}\\r\\n'", f"printf '\\r\\n{STOP}\\r\\n'", "0x10"),
    "in two writes": (f"printf 'Ready to tr'; sleep 0.2; printf 'ace. Press enter to continue'",
                      "printf 'Stop '; sleep 0.2; printf tracing", ""),
    "with a full stop": (f"echo '{READY}.'", f"echo '{STOP}.'", ""),
    "twice": (f"echo '{READY}'; echo '{READY}'", f"echo '{STOP}'; echo '{STOP}'", ""),
    "in the wrong order": (f"echo '{STOP}'; echo '{END}'; echo '{READY}'; echo '{BEGIN}'", f"echo '{READY}'; echo '{STOP}'", ""),
    "as a part of a longer word": (f"echo 'x{READY}x'", f"echo 'x{STOP}ing'", ""),
    "as the last thing before the end": (f"printf '{READY}'", f"printf '{STOP}'; exec >&- 2>&-; exit 0", ""),
    "a shell's prompt, on standard error": (f"echo '{READY}' >&2", f"echo '{STOP}' >&2", ""),
    "without waiting for more": (f"echo '{READY}'", f"echo '{STOP}'; sleep 100", ""),
}

TOOL = """#!/usr/bin/env python3
import os, signal, sys, time
def begin(text="Ready to analyze\\n"):
    os.write(1, text.encode())
    return os.open(sys.argv[1], os.O_RDONLY)
def output(text="-----begin analysis output-----\\nfine\\n-----end analysis output-----\\n"):
    os.write(1, text.encode())
"""

# Analysis tools in C, in the style of those who wrote for the older tool.
FREAD_TOOL = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <memory_tracer/record.h>
static unsigned long records;
static void on_signal(int number)
{
    (void)number;
    printf("-----begin analysis output-----records: %lu,-----end analysis output-----", records);
    fflush(stdout);
    END_OF_HANDLER;
}
int main(int argc, char **argv)
{
    struct gmbeoo_record record;
    FILE *fifo;
    (void)argc;
    signal(SIGUSR1, on_signal); /* the C library's choice: with SA_RESTART */
    puts("I am Ready to analyze now");
    fflush(stdout);
    fifo = fopen(argv[1], "rb");
    for (;;)
        if (fread(&record, sizeof record, 1, fifo) == 1) /* errors and the end are ignored: it spins there */
            records++;
}
"""


class Workloads(SystemTest):
    def speak(self, before, after):
        return self.script("workload", f"#!/bin/bash\n{before}\nread x\n: >/dev/null\n{after}\n")

    def check_all(self, run):
        for name, (before, after, info) in WORKLOADS.items():
            with self.subTest(name):
                status, out, err = run(self.speak(before, after))
                self.assertEqual(status, 0, err)
                label = f"workload info:\n{re.escape(info)}\n" if info else ""
                self.assertRegex(out, rf"\A{label}tracing_duration_in_milliseconds: \d+\n\Z")

    @not_sanitized
    def test_in_the_guest(self):
        def run(path):
            result = self.trace("--dont_trace", "--workload_path_on_host", path, SPEAKS)
            return result.status, result.out, result.err
        self.check_all(run)

    def test_on_this_machine(self):
        def run(path):
            result = self.tracer("--dont_use_qemu", "--workload_path_on_host", path, SPEAKS)
            return result.status, result.out, result.err
        self.check_all(run)

    def test_under_the_earlier_command_line(self):
        path = self.speak(*WORKLOADS["in mid-line"][:2])
        process = subprocess.Popen([os.path.join(BUILD, "qemu_mem_tracer_runner"), IMAGE, SNAPSHOT, path, "password", QEMU],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment, cwd=self.folder)
        with open(process.stdout.readline().rstrip("\n"), "rb") as file:
            self.assertGreater(len(file.read()), 16)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertRegex(out, r"\Aworkload info:\n0x10\ntracing_duration_in_milliseconds: \d+\n\Z")

    def test_what_is_no_word_is_passed_on(self):
        # What is written together with the last word is not lost, as often as it is tried.
        path = self.speak(*WORKLOADS["in mid-line"][:2])
        for _ in range(20):
            result = self.tracer("--dont_use_qemu", "--workload_path_on_host", path, SPEAKS)
            self.assertIn("hi  there\nnow: , please\nwell,  now\n", result.err)

    def test_info_of_5_MB_is_printed_whole(self):
        path = self.speak(f"echo '{BEGIN}'; seq 750000; echo '{END}{READY}'", f"echo '{STOP}'")
        result = self.trace("--dont_trace", "--workload_path_on_host", path, SPEAKS)
        self.assert_succeeds(result)
        self.assertTrue(result.out.startswith("workload info:\n1\n2\n3\n"), result.out[:100])
        self.assertIn("\n749999\n750000\ntracing_duration_in_milliseconds: ", result.out)
        self.assertEqual(len(result.out.splitlines()), 750002)

    def test_info_beyond_what_a_tool_can_be_given_is_told_before_tracing(self):
        path = self.speak(f"echo '{BEGIN}'; seq 750000; echo '{END}{READY}'", f"echo '{STOP}'")
        tool = self.script("tool", TOOL + "begin()")
        self.assert_fails(self.trace("--analysis_tool_path", tool, "--workload_path_on_host", path, SPEAKS),
                          "the workload info (", "750000 words) is longer than what a program can be given")

    def test_one_that_does_not_wait(self):
        path = self.script("workload", f"#!/bin/sh\necho '{READY}'\necho '{STOP}'\n")
        result = self.trace("--dont_trace", "--workload_path_on_host", path, SPEAKS)
        if result.status:  # it had ended by then
            self.assert_fails(result, "it must wait for a line of input")


class Tools(SystemTest):
    def analyse(self, tool, *options):
        return self.trace("--analysis_tool_path", tool, "--workload_path_on_guest", "/bin/true", "--print_trace_info", *options)

    def check_output(self, tool, output):
        result = self.analyse(tool)
        self.assert_succeeds(result)
        self.assertIn(f"\nanalysis output:\n{output}trace info:\n", result.out)
        return result

    @not_sanitized
    def test_words_anywhere(self):
        begin, end = "-----begin analysis output-----", "-----end analysis output-----"
        for name, ready, output, expected in (
                ("lines", "Ready to analyze\\n", f"{begin}\\na\\nb\\n{end}\\n", "a\nb\n"),
                ("the end in mid-line", "Ready to analyze\\n", f"{begin}\\n1,2,{end}", "1,2,\n"),
                ("all in one line", "so Ready to analyze!", f"x{begin}a b{end}x", "a b\n"),
                ("behind CR LF", "\\r\\nReady to analyze\\r\\n", f"{begin}\\r\\na\\r\\n{end}\\r\\n", "a\n"),
                ("empty", "Ready to analyze", begin + end, ""),
                ("twice", "Ready to analyze Ready to analyze", f"{begin}a{end}{begin}b{end}", "a\n"),
                ("the wrong order first", f"{end}{begin}Ready to analyze", f"{end}{begin}a{end}", "a\n")):
            with self.subTest(name):
                tool = self.script("tool", TOOL + f"""
signal.signal(signal.SIGUSR1, lambda *a: (output("{output}"), os._exit(0)))
fifo = begin("{ready}")
while True: os.read(fifo, 1 << 20)
""")
                self.check_output(tool, expected)

    def test_in_two_writes(self):
        tool = self.script("tool", TOOL + """
def on_signal(*a):
    for piece in "-----begin anal", "ysis output-----x-----", "end analysis outp", "ut-----":
        output(piece)
        time.sleep(0.1)
signal.signal(signal.SIGUSR1, on_signal)
os.write(1, b"Ready to ana")
time.sleep(0.1)
fifo = begin("lyze")
while os.read(fifo, 1 << 20): pass
""")
        self.check_output(tool, "x\n")

    def test_output_of_5_MB_is_printed_whole(self):
        tool = self.script("tool", TOOL + """
def on_signal(*a):
    sys.stdout.write("-----begin analysis output-----" + "\\n".join(map(str, range(750000))) + "-----end analysis output-----")
    sys.stdout.flush()
signal.signal(signal.SIGUSR1, on_signal)
fifo = begin()
while os.read(fifo, 1 << 20): pass
""")
        result = self.analyse(tool)
        self.assert_succeeds(result)
        self.assertIn("analysis output:\n0\n1\n2\n", result.out)
        self.assertIn("\n749998\n749999\ntrace info:\n", result.out)

    def test_one_record_at_a_time_with_fread(self):
        """It ignores errors, spins at the end, and ends inside of its handler, or goes on."""
        with open(self.path("tool.c"), "w") as file:
            file.write(FREAD_TOOL)
        for end in ("exit(0)", "_exit(0)", "(void)0"):
            with self.subTest(end):
                tool = self.path("tool")
                subprocess.run(["gcc", "-O1", "-I", os.path.join(BUILD, "..", "include"), f"-DEND_OF_HANDLER={end}", "-o", tool,
                                self.path("tool.c")], check=True)
                result = self.analyse(tool)
                self.assert_succeeds(result)
                self.assertEqual(result.number("analysis output:\nrecords"), result.number("num_of_events_written_to_trace_buf"))

    def test_one_that_polls_the_fifo_without_rest(self):
        tool = self.script("tool", TOOL + """
wanted, read = [], 0
signal.signal(signal.SIGUSR1, lambda *a: wanted.append(1))
fifo = begin()
os.set_blocking(fifo, False)
while not wanted:
    try:
        read += len(os.read(fifo, 1 << 16))
    except BlockingIOError:
        pass
output(f"-----begin analysis output-----bytes: {read}-----end analysis output-----")
""")
        result = self.analyse(tool)
        self.assert_succeeds(result)
        self.assertEqual(result.number("bytes"), 16 * result.number("num_of_events_written_to_trace_buf"))

    def test_what_it_prints_besides_is_for_verbose(self):
        tool = self.script("tool", TOOL + """
signal.signal(signal.SIGUSR1, lambda *a: (output(), os._exit(0)))
os.write(1, b"hello\\n")
fifo = begin("well\\nReady to analyze\\n")
while True: os.read(fifo, 1 << 20)
""")
        self.assertEqual(self.check_output(tool, "fine\n").err, "")
        self.assertIn("memory_tracer: analysis tool: hello\nmemory_tracer: analysis tool: well\n", self.analyse(tool, "-v").err)


if __name__ == "__main__":
    unittest.main()
