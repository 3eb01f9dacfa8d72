#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs every test and ends with a line "N passed, N failed". Called by ./check, which has built everything.

usage: tests/run_all.py [--quick | --all | --system]    --quick leaves out the builds with sanitizers, --all adds the heavy
                                                        tests, --system runs the system tests alone, with the build in
                                                        the folder MEMORY_TRACER_BUILD

The unit tests run as built, and with ASan, UBSan and TSan (the ring and the trace reader); the system tests as built, and those that are about
the runner with ASan and UBSan in it (QEMU itself has no sanitizers, so neither has the plugin), some of them only so (ONCE).
"""
import functools
import glob
import os
import re
import subprocess
import sys
import threading
import time
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
SANITIZED = os.path.join(ROOT, "build-asan")
THREADS = os.path.join(ROOT, "build-tsan")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=99",
    "G_SLICE": "always-malloc",  # otherwise GLib, which is built without sanitizers, passes memory between threads unseen
    "LSAN_OPTIONS": "suppressions=" + os.path.join(ROOT, "tests", "lsan.supp") + ":print_suppressions=0",
}


class Count:
    passed = failed = skipped = 0
    times = []  # of each module: (seconds, CPU seconds, its name and folder)
    lock = threading.Lock()


def say(text):
    print(text, flush=True)


def build(folder, *options, targets=()):
    """Configures and builds. Returns false, and counts a failure, if that doesn't work."""
    say(f"== building {os.path.basename(folder)}")
    steps = [["ninja", "-C", folder, *targets]]
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        steps.insert(0, ["meson", "setup", folder, ROOT, *options])
    for step in steps:
        result = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode:
            say(result.stdout)
            say(f"FAILED: {' '.join(step)}")
            Count.failed += 1
            return False
    return True


def count(passed, failed, skipped, seconds, cpu_seconds, title):
    with Count.lock:
        Count.passed += passed
        Count.failed += failed
        Count.skipped += skipped
        Count.times.append((seconds, cpu_seconds, title))


def unit_tests(folder, names=None):
    """Jobs: the programs of a build, all or those of these names."""
    programs = sorted(path for path in glob.glob(os.path.join(folder, "test_*")) if os.access(path, os.X_OK)
                      and os.path.isfile(path) and (names is None or os.path.basename(path) in names))
    return [functools.partial(run_unit_test, program, names[os.path.basename(program)] if names else []) for program in programs]


def run_unit_test(program, paths):
    title = os.path.relpath(program, ROOT)
    began = time.time()
    process = subprocess.Popen([program, "--tap", *(word for path in paths for word in ("-p", path))], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, env=dict(os.environ, **SANITIZER_OPTIONS), errors="replace")
    killer = threading.Timer(UNIT_TEST_TIMEOUT_S, process.kill)
    killer.start()
    output = process.stdout.read()
    usage = os.wait4(process.pid, 0)
    killer.cancel()
    passed = len(re.findall(r"^ok (?!.*# SKIP)", output, re.M))
    skipped = len(re.findall(r"^ok .*# SKIP", output, re.M))
    planned = re.findall(r"^1\.\.(\d+)", output, re.M)  # GTest prints a plan for each path, of all tests up to there
    failed = max((int(planned[-1]) if planned else passed + 1) - passed - skipped, 0)
    if usage[1] and not failed:
        failed = 1
    say(f"== {title}" + ("\n" + output if failed else ""))
    count(passed, failed, skipped, time.time() - began, usage[2].ru_utime + usage[2].ru_stime, title)


def cpu_s():
    """CPU time of this process and of all that it and its children have waited for."""
    return sum(os.times()[:4])


class Reporter(unittest.TextTestResult):
    """One line per test, with its time, and its CPU time: the other modules, which run at the same time, don't change that."""

    def startTest(self, test):
        self.began, self.cpu_before_s = time.time(), cpu_s()
        unittest.TestResult.startTest(self, test)

    def line(self, test, text):
        say(f"  {text} {test.id()} ({time.time() - self.began:.1f} s, CPU {cpu_s() - self.cpu_before_s:.1f} s)")

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.line(test, "ok  ")

    def addFailure(self, test, error):
        unittest.TestResult.addFailure(self, test, error)
        self.line(test, "FAIL")

    def addError(self, test, error):
        unittest.TestResult.addError(self, test, error)
        self.line(test, "FAIL")

    def addSubTest(self, test, subtest, error):
        unittest.TestResult.addSubTest(self, test, subtest, error)
        if error:
            self.line(subtest, "FAIL")

    def addSkip(self, test, reason):
        unittest.TestResult.addSkip(self, test, reason)
        self.line(test, f"skip ({reason})")


# The longest ones begin first, so that no core waits for one of them in the end. What isn't here is shorter.
LONGEST = ["test_heavy", "test_image", "test_tutorial", "test_image_build", "test_files", "test_record", "test_options",
           "test_run_failures", "test_protocols", "test_stopping", "test_sizes", "test_input", "test_bad_luck", "test_limits",
           "test_outputs", "test_names"]
# These build or boot guests.
BOOTING = ["test_heavy", "test_image", "test_image_build", "test_tutorial"]
# What these try is QEMU, the plugin, the guest: they have no sanitizers, and what the runner does in them it does in others,
# too. The others are about the runner.
NOT_SANITIZED = BOOTING + ["test_build_rootfs", "test_documents", "test_elf_names", "test_files", "test_guest",
                        "test_guest_code", "test_kernel_module", "test_kernel_objects", "test_limits",
                        "test_mappings", "test_markers", "test_options", "test_page_sizes", "test_plugin_alone",
                        "test_prepare", "test_qemu", "test_run_failures", "test_sched", "test_sizes", "test_sources",
                        "test_tasks", "test_tracing", "test_values", "test_vcpus"]
# Of these, most of the time is the guest's. With the sanitized build, each of their tests runs once: with that build, or as
# built if it is marked not_sanitized (harness.py).
ONCE = ["test_bad_luck", "test_ctl", "test_input", "test_names", "test_objects", "test_outputs", "test_process_names", "test_record",
        "test_shared_libraries", "test_stopping"]
# The unit tests that have threads, and which of their tests, if not all.
THREADED_UNIT_TESTS = {"test_ring": [], "test_fifo": [],
                       "test_trace": ["/trace/blocks_are_read_in_parallel", "/trace/a_live_ring_is_read"]}
UNIT_TEST_TIMEOUT_S = 600
# So many jobs run beside each other: two more than there are cores, as they often wait for something.
JOBS = len(os.sched_getaffinity(0)) + 2


def system_tests(folders):
    """Jobs: the modules, each with each of the builds that it tries."""
    names = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(ROOT, "tests", "system", "test_*.py")))
    names.sort(key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    return [functools.partial(run_system_test, folder, name, "not_sanitized" if SANITIZED in folders and name in ONCE else "all")
            for name in names for folder in folders if folder != SANITIZED or name not in NOT_SANITIZED]


def start_system_tests(folder, name, kind):
    # A process of its own: the tests read these when they are loaded.
    environment = dict(os.environ, MEMORY_TRACER_BUILD=folder, MEMORY_TRACER_TESTS=kind, **SANITIZER_OPTIONS)
    if folder == SANITIZED:
        environment.pop("MEMORY_TRACER_HEAVY_TESTS", None)
        environment["MEMORY_TRACER_TESTS"] = "sanitized"
    return subprocess.Popen([sys.executable, os.path.abspath(__file__), "--system_tests", name], stdout=subprocess.PIPE,
                            text=True, env=environment, cwd=ROOT)


def run_system_test(folder, name, kind):
    title = f"{name} with {os.path.basename(folder)}"
    say("== " + title)
    counts, cpu_seconds, began = None, 0, time.time()
    process = start_system_tests(folder, name, kind)
    for line in process.stdout:
        found = re.match(r"counts: (\d+) (\d+) (\d+) CPU ([\d.]+)", line)
        if found:
            counts, cpu_seconds = [int(number) for number in found.groups()[:3]], float(found.group(4))
        else:
            say(line.rstrip("\n"))
    process.wait()
    if counts is None:
        say("FAILED: the system tests ended without a result")
        counts = [0, 1, 0]
    count(*counts, time.time() - began, cpu_seconds, title)


def run_jobs(jobs):
    left = iter(jobs)

    def work():
        for job in left:
            job()

    threads = [threading.Thread(target=work) for _ in range(JOBS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def runs_here(test):
    kind = os.environ.get("MEMORY_TRACER_TESTS", "all")
    marked = getattr(getattr(test, test._testMethodName, None), "not_sanitized", False)
    return kind == "all" or marked == (kind == "not_sanitized")


def tests_of(suite):
    """The suite's tests that this build is to run."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        elif runs_here(test):
            yield test


def system_tests_here(names):
    sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
    suite = unittest.TestSuite(tests_of(unittest.defaultTestLoader.loadTestsFromNames(names)))
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=0, resultclass=Reporter)
    result = runner.run(suite)
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    say(f"counts: {result.testsRun - failed - len(result.skipped)} {failed} {len(result.skipped)} CPU {cpu_s():.1f}")


def main():
    if "--system_tests" in sys.argv:
        system_tests_here(sys.argv[2:])
        return 0
    if "--system" in sys.argv:
        run_jobs(system_tests([os.environ.get("MEMORY_TRACER_BUILD", os.path.join(ROOT, "build"))]))
        return tell_result()
    quick = "--quick" in sys.argv
    normal = os.path.join(ROOT, "build")
    if "--all" in sys.argv:
        os.environ["MEMORY_TRACER_HEAVY_TESTS"] = "1"
    folders, unit = [normal], unit_tests(normal)
    # With less optimization, compiling takes a quarter less time, and the tests hardly more.
    if not quick and build(SANITIZED, "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbuildtype=debugoptimized",
                           "-Doptimization=1"):
        folders.append(SANITIZED)
        unit += unit_tests(SANITIZED)
    if not quick and build(THREADS, "-Db_sanitize=thread", "-Db_lundef=false", "-Dbuildtype=debugoptimized",
                           targets=THREADED_UNIT_TESTS):
        unit += unit_tests(THREADS, THREADED_UNIT_TESTS)
    run_jobs(system_tests(folders) + unit)
    return tell_result()


def tell_times():
    """Where the time goes: so that nobody has to look for it when ./check has become slow."""
    say("== times: seconds, CPU seconds")
    for seconds, cpu_seconds, name in sorted(Count.times, reverse=True):
        say(f"  {seconds:7.1f} {cpu_seconds:7.1f}  {name}")
    say(f"  {sum(time[0] for time in Count.times):7.1f} {sum(time[1] for time in Count.times):7.1f}  all of them")


def tell_result():
    skipped = f", {Count.skipped} skipped" if Count.skipped else ""
    if Count.times:
        tell_times()
    say(f"{Count.passed} passed, {Count.failed} failed{skipped}")
    return 1 if Count.failed or not Count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
