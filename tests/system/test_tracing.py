# SPDX-License-Identifier: GPL-2.0-or-later
"""Exact counts, in a real guest, of programs whose accesses are known by construction."""
import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import threading
import unittest

from harness import ARRAY, BUILD, COUNTER, IMAGE, QEMU, SNAPSHOT, SPEAKS, SystemTest, workload


class KnownAccesses(SystemTest):
    def count(self, path, *options):
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", path, SPEAKS, "--print_trace_info",
                            *options)
        self.assert_succeeds(result)
        self.assertEqual(result.number("invalid records"), 0)
        self.assertEqual(result.number("records"), result.number("num_of_events_written_to_trace_buf"))
        return result

    def test_each_element_of_the_array_is_accessed_exactly_10_times(self):
        result = self.count(ARRAY)
        self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)
        self.assertGreater(result.number("by the kernel"), 0)

    def test_user_only_has_no_kernel_records_and_the_same_counts(self):
        result = self.count(ARRAY, "--trace_only_CPL3_code_GMBE")
        self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)
        self.assertEqual(result.number("by the kernel"), 0)

    def test_an_access_that_page_faults_is_recorded_once(self):
        result = self.count(workload("fault_once"))
        self.assertIn("in the array: 1000, per element from 1 to 1\n", result.out)

    def test_rep_movsb_is_recorded_byte_by_byte(self):
        result = self.count(workload("rep_movsb"), "--trace_only_CPL3_code_GMBE")
        self.assertIn("in the array: 5000, per element from 1 to 1\n", result.out)

    def test_cmpxchg16b_is_recorded(self):
        result = self.count(workload("cmpxchg16b"))
        self.assertIn("in the array: 2000, per element from 2 to 2\n", result.out)

    def test_output_labels_and_their_order(self):
        result = self.count(ARRAY)
        self.assertRegex(result.out, re.compile(
            r"\Aworkload info:\n0x[0-9a-f]+ 4 10000\n"
            r"tracing_duration_in_milliseconds: \d+\n"
            r"analysis output:\nrecords: \d+\n(.*\n)*?in the array: .*\n"
            r"trace info:\n"
            r"num_of_GMBE_events_since_enabling_GMBEOO: (\d+)\n"
            r"num_of_events_written_to_trace_buf: \2\n"
            r"actual_tracing_ratio \(i\.e\. num_of_GMBE_events_since_enabling_GMBEOO / "
            r"num_of_events_written_to_trace_buf\): 1\n\Z"))
        self.assertEqual(result.err, "")

    def test_two_runs_in_parallel_do_not_disturb_each_other(self):
        arguments = ["--analysis_tool_path", COUNTER, "--workload_path_on_host", ARRAY, SPEAKS, IMAGE, SNAPSHOT, QEMU]
        both = [self.start(*arguments), self.start(*arguments)]
        for process in both:
            result = self.finish(process)
            self.assert_succeeds(result)
            self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)

    def test_a_run_leaves_the_image_as_it_was(self):
        def checksum():
            with open(IMAGE, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
                    hashlib.sha256(file.read()).hexdigest()
        before = checksum()
        self.assert_succeeds(self.tracer("run", "sh", "-c", "echo new >/etc/hostname; sync"))
        self.assertEqual(checksum(), before)


class Destinations(SystemTest):
    def test_trace_fifo_gets_every_record(self):
        fifo = self.path("fifo")
        reader, read = self.start_reader(fifo)
        result = self.trace("--trace_fifo_path", fifo, "--workload_path_on_guest", "/bin/true", "--print_trace_info")
        reader.join()
        self.assert_succeeds(result)
        self.assertEqual(len(read[0]), 16 * result.number("num_of_events_written_to_trace_buf"))
        self.assertNotIn("analysis output", result.out)
        for info, in struct.iter_unpack("<Q8x", read[0]):
            self.assertTrue(info >> 63)
            self.assertLessEqual(info & 7, 4)
            self.assertIn(info >> 6 & 3, (0, 3))
            self.assertEqual(info & 0x7fffffffffffff00, 0)

    def test_slow_reader_with_drop_policy_is_told_how_much_was_dropped(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = subprocess.Popen(["python3", "-c", "import sys,time\nn=0\nf=open(sys.argv[1],'rb',buffering=0)\nwhile 1:\n"
                                   "  d=f.read(1<<16)\n  if not d: break\n  n+=len(d); time.sleep(0.002)\nprint(n)", fifo],
                                  stdout=subprocess.PIPE, text=True)
        result = self.trace("--trace_fifo_path", fifo, "--workload_path_on_host", os.path.join(BUILD, "qsort_ints"),
                            "--when-full", "drop", "--print_trace_info")
        read = int(reader.communicate()[0])
        self.assertEqual(result.status, 0, result.err)
        dropped = result.number("num_of_dropped_events")
        self.assertGreater(dropped, 0)
        self.assertIn("ATTENTION", result.err)
        self.assertEqual(result.number("num_of_GMBE_events_since_enabling_GMBEOO"),
                         result.number("num_of_events_written_to_trace_buf") + dropped)
        self.assertEqual(read, 16 * result.number("num_of_events_written_to_trace_buf"))

    def test_slow_analysis_tool_gets_everything_before_the_signal(self):
        tool = self.script("tool", """#!/usr/bin/env python3
import os, signal, sys, time
wanted = False
def on_signal(number, frame):
    global wanted
    wanted = True
signal.signal(signal.SIGUSR1, on_signal)
print("Ready to analyze", flush=True)
read = 0
fifo = os.open(sys.argv[1], os.O_RDONLY)
signal.siginterrupt(signal.SIGUSR1, True)
while not wanted:
    signal.set_wakeup_fd(-1)
    import select
    ready = select.select([fifo], [], [], 0.05)[0]
    if ready:
        data = os.read(fifo, 1 << 20)
        end = time.monotonic() + 0.02   # busy, with the FIFO already empty
        while time.monotonic() < end: pass
        read += len(data)
print("-----begin analysis output-----")
print("bytes:", read)
print("-----end analysis output-----", flush=True)
""")
        result = self.trace("--analysis_tool_path", tool, "--workload_path_on_guest", "/bin/true", "--print_trace_info")
        self.assert_succeeds(result)
        self.assertEqual(result.number("bytes"), 16 * result.number("num_of_events_written_to_trace_buf"))

    def test_dont_trace_runs_the_same_without_records(self):
        result = self.trace("--dont_trace", "--workload_path_on_host", ARRAY, SPEAKS, "--print_trace_info")
        self.assert_succeeds(result)
        self.assertRegex(result.out, r"\Aworkload info:\n0x[0-9a-f]+ 4 10000\ntracing_duration_in_milliseconds: \d+\n\Z")

    def test_dashes_and_a_qemu_folder_are_accepted(self):
        result = self.trace("--dont-trace", "--workload-path-on-guest=/bin/true", "--guest-RAM-in-MBs", "2560",
                            qemu="/usr/bin")
        self.assert_succeeds(result)


class Run(SystemTest):
    def test_output_and_exit_status_are_passed_on(self):
        result = self.tracer("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        self.assertEqual((result.status, result.out), (7, "out\n"))
        self.assertTrue(result.err.startswith("err\n"), result.err)
        self.assertRegex(result.err, r"lost records +0\n")

    def test_death_by_signal_is_passed_on(self):
        self.assertEqual(self.tracer("run", "sh", "-c", "kill -TERM $$").status, 128 + 15)

    def test_json_summary_adds_up(self):
        result = self.tracer("run", "--json", "true")
        self.assertEqual(result.status, 0, result.err)
        summary = json.loads(result.err)
        self.assertGreater(summary["accesses"], 100000)
        self.assertEqual(summary["accesses"], summary["loads"] + summary["stores"])
        self.assertEqual(summary["accesses"], summary["kernel"] + summary["user"])
        self.assertEqual(summary["accesses"], sum(summary["accesses_by_bytes"].values()))
        self.assertEqual(summary["accesses"], summary["records_written"])
        self.assertEqual(summary["records_lost"], 0)
        self.assertGreater(summary["kernel"], 0)
        self.assertGreater(summary["distinct_64_byte_lines"], summary["distinct_4_KiB_pages"])

    def test_summary_into_a_file_and_into_what_is_none(self):
        path, fifo = self.path("summary"), self.path("fifo")
        self.assertEqual(self.tracer("run", "--summary", path, "true").err, "")
        with open(path) as file:
            self.assertGreater(json.load(file)["accesses"], 0)
        os.mkfifo(fifo)
        read = []

        def read_summary():
            with open(fifo) as file:
                read.append(file.read())
        reader = threading.Thread(target=read_summary)
        reader.start()
        self.assertEqual(self.tracer("run", "--summary", fifo, "true").err, "")
        reader.join(20)
        self.assertGreater(json.loads(read[0])["accesses"], 0)
        self.assertTrue(stat.S_ISFIFO(os.stat(fifo).st_mode))  # it has not been replaced by a file

    def test_user_only(self):
        summary = json.loads(self.tracer("run", "--json", "--user-only", "true").err)
        self.assertEqual(summary["kernel"], 0)
        self.assertGreater(summary["user"], 1000)

    def test_an_elf_brings_along_its_libraries(self):
        with open(self.path("lib.c"), "w") as file:
            file.write("int answer(void) { return 42; }\n")
        with open(self.path("main.c"), "w") as file:
            file.write("#include <stdio.h>\nint answer(void);\nint main(void) { printf(\"%d\\n\", answer()); }\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.path("libanswer.so"), self.path("lib.c")], check=True)
        subprocess.run(["gcc", "-o", self.path("prog"), self.path("main.c"), "-L" + self.folder, "-lanswer",
                        "-Wl,-rpath," + self.folder], check=True)
        result = self.tracer("run", self.path("prog"))
        self.assertEqual((result.status, result.out), (0, "42\n"), result.err)

    def test_a_static_program_and_a_script(self):
        with open(self.path("main.c"), "w") as file:
            file.write("#include <stdio.h>\nint main(int c, char **v) { puts(v[c - 1]); }\n")
        subprocess.run(["gcc", "-static", "-o", self.path("prog"), self.path("main.c")], check=True)
        self.assertEqual(self.tracer("run", self.path("prog"), "a b").out, "a b\n")
        script = self.script("script", "#!/bin/bash\nprintf '[%s]' \"$@\"\n")
        self.assertEqual(self.tracer("run", script, "x", "", "y z").out, "[x][][y z]")

    def test_the_guest_runs_the_current_agent(self):
        """Whatever agent the snapshot holds: the one on the transfer drive has taken its place."""
        with open(os.path.join(BUILD, "memory_tracer_agent"), "rb") as file:
            wanted = hashlib.sha256(file.read()).hexdigest()
        result = self.tracer("run", "--sink", "untraced", "--", "bash", "-c", "sha256sum </proc/1/exe; cat /proc/1/comm")
        self.assertEqual(result.out, f"{wanted}  -\nmemory_tracer_a\n", result.err)

    def test_much_output(self):
        result = self.tracer("run", "seq", "200000")
        self.assertEqual(result.out, "".join(f"{i}\n" for i in range(1, 200001)))


if __name__ == "__main__":
    unittest.main()
