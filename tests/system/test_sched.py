# SPDX-License-Identifier: GPL-2.0-or-later
"""A trace has the task switches that the guest's own kernel reports, in the same order.

The kernel's own tracer (ftrace) is what trace-cmd and perf sched read, too."""
import ctypes
import re
import unittest

import images
import symbols
from harness import HEAVY_TESTS, TRACER, SystemTest

# Processes that wait for each other, threads of the kernel, and time in which nothing runs.
WORK = "for i in 1 2 3; do seq 300 | gzip | wc -c > /dev/null & sleep 0.01; done; wait; sleep 0.02"
BY_FTRACE = f"""set -e
mkdir /tmp/tracefs; mount -t tracefs none /tmp/tracefs; cd /tmp/tracefs
echo 4096 > buffer_size_kb; echo sched:sched_switch > set_event
{WORK}
echo 0 > tracing_on
cat trace
"""
# It says the same in other words, and has threads of its own, which are in both lists.
BY_TRACE_CMD = f"""cd /tmp
trace-cmd record -q -e sched:sched_switch -o switches sh -c '{WORK}' > log 2>&1 || {{ cat log; exit 1; }}
trace-cmd report switches
"""
SWITCH = re.compile(r"\[(\d+)\].* sched_switch: .*prev_pid=(\d+) .* ==> .*next_pid=(\d+) |"  # ftrace, then trace-cmd
                    r"\[(\d+)\].* sched_switch: .*:(\d+) \[\d+\] \S+ ==> .*:(\d+) \[\d+\]")


class Event(ctypes.Structure):
    _fields_ = [("before", ctypes.c_uint32), ("number", ctypes.c_uint32)]


class Events(ctypes.Structure):
    _fields_ = [("state", ctypes.c_uint32), ("count", ctypes.c_size_t), ("event", ctypes.POINTER(Event))]


class Batch(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("first", ctypes.c_uint64), ("vcpu", ctypes.c_uint), ("time_ns", ctypes.c_uint64),
                ("columns", ctypes.c_void_p * 6), ("input", ctypes.c_uint), ("task", Events)]


class Task(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint32), ("pid", ctypes.c_uint32), ("tid", ctypes.c_uint32)]


def recorded_tasks(path):
    """The ids of the threads that ran on each vCPU, one after the other, as the library tells them."""
    library = ctypes.CDLL(symbols.LIBRARY)
    library.mt_trace_open.restype = library.mt_reader_new.restype = ctypes.c_void_p
    library.mt_reader_next.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.mt_reader_next.restype = ctypes.POINTER(Batch)
    library.mt_trace_task.restype = ctypes.POINTER(Task)
    trace = ctypes.c_void_p(library.mt_trace_open(path.encode(), 0, None))
    reader = ctypes.c_void_p(library.mt_reader_new(trace, 64, None))
    ran = {}
    while batch := library.mt_reader_next(reader, None):
        tasks = batch.contents.task
        numbers = ran.setdefault(batch.contents.vcpu, [])
        for number in [tasks.state] + [event.number for event in tasks.event[:tasks.count]]:
            if number and numbers[-1:] != [number >> 2]:
                numbers.append(number >> 2)
    result = {vcpu: [library.mt_trace_task(trace, number).contents.tid for number in numbers] for vcpu, numbers in ran.items()}
    library.mt_reader_free(reader)
    library.mt_trace_close(trace)
    return result


def told_tasks(text):
    """The same as the guest tells them."""
    ran = {}
    for line in text.splitlines():
        if not (found := SWITCH.search(line)):
            continue
        cpu, before, after = (int(word) for word in found.groups() if word is not None)
        tasks = ran.setdefault(cpu, [before])
        assert tasks[-1] == before, f"the guest has lost a switch: {line}"
        tasks.append(after)
    return ran


class Switches(SystemTest):
    def assert_same_switches(self, script, cpus, least, *options):
        trace = self.path("trace")
        result = self.tracer("record", "-o", trace, "--user", "root", *options, "--", "sh", "-c", script)
        self.assertEqual(result.status, 0, result.err + result.out)
        told, recorded = told_tasks(result.out), recorded_tasks(trace)
        self.assertEqual(sorted(told), list(range(cpus)))
        for cpu, tasks in told.items():
            with self.subTest(cpu=cpu):
                self.assertGreater(len(tasks), least)
                self.assertGreater(len(set(tasks)), 4)
                # The guest has begun to look later than we, and ended sooner.
                as_text = [" ".join(f"<{task}>" for task in of) for of in (tasks, recorded[cpu])]
                self.assertIn(*as_text)

    def test_the_guest_tells_the_same(self):
        self.assert_same_switches(BY_FTRACE, 1, 100, "--icount")


class TraceCmd(Switches):
    """In a guest that has it; it takes minutes to make one."""

    def test_the_guest_tells_the_same(self):
        image = self.path("image.qcow2")
        images.run(TRACER, "image", "build", "--packages", "trace-cmd", "--output", image)
        self.assert_same_switches(BY_TRACE_CMD, 1, 100, "--icount", "--image", image, "--files", "image")

    def test_so_it_does_on_several_vcpus(self):
        self.assert_same_switches(BY_FTRACE, images.VCPUS, 10, "--image", images.several_vcpus())


if not HEAVY_TESTS:
    del TraceCmd

if __name__ == "__main__":
    unittest.main()
