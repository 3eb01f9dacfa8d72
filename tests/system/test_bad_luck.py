# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input and bad luck: one clear line, a non-zero exit, nothing left behind (the harness checks that after each test)."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from harness import ARRAY, BUILD, COUNTER, IMAGE, QEMU, SNAPSHOT, SPEAKS, SystemTest, workload

GUEST_TRUE = ["--workload_path_on_guest", "/bin/true"]


class WrongArguments(SystemTest):
    def test_missing_files(self):
        gone = self.path("gone")
        for message, arguments, keywords in (
            ("the guest image {} is not a file", ["--dont_trace"] + GUEST_TRUE, {"image": gone}),
            ("the workload {} is not a file", ["--dont_trace", "--workload_path_on_host", gone], {}),
            ("the analysis tool {} is not a file", ["--analysis_tool_path", gone] + GUEST_TRUE, {}),
            ("{} is not a FIFO", ["--trace_fifo_path", gone] + GUEST_TRUE, {}),
            ("there is no QEMU at {}", ["--dont_trace"] + GUEST_TRUE, {"qemu": gone}),
        ):
            with self.subTest(message):
                self.assert_fails(self.trace(*arguments, **keywords), message.format(gone))

    def test_what_is_read_is_not_written(self):
        """One wrong word must not destroy a guest image, a program, or the one output by the other."""
        image, program, other = self.path("im.qcow2"), self.script("program", "#!/bin/sh\n"), self.path("other")
        with open(image, "w") as file:
            file.write("image")
        os.link(image, other)
        for arguments, text in ((["record", "-o", image], "it is the guest image"),
                                (["record", "-o", other], "it is the guest image"),
                                (["run", "--summary", image], "it is the guest image"),
                                (["run", "--summary", image + ".json"], "it is the guest image's metadata"),
                                (["record", "-o", program], "it is the workload"),
                                (["run", "--summary", program], "it is the workload"),
                                (["record", "-o", self.path("x"), "--summary", self.path("./x")], "both the trace and")):
            with self.subTest(arguments):
                self.assert_fails(self.tracer(*arguments, "--image", image, "--", program), text)
        with open(image) as file:
            self.assertEqual(file.read(), "image")

    def test_a_fifo_that_is_a_file(self):
        path = self.script("file", "")
        self.assert_fails(self.trace("--trace_fifo_path", path, *GUEST_TRUE),
                          f"{path} is not a FIFO")

    def test_a_folder_without_qemu(self):
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, qemu=self.folder), "no qemu-system-x86_64 in")

    def test_usage(self):
        for arguments in (
            [],
            ["--no_such_option"],
            ["--dont_trace", *GUEST_TRUE, IMAGE, SNAPSHOT],
            ["--dont_trace", IMAGE, SNAPSHOT, QEMU],
            ["--dont_trace", *GUEST_TRUE, "--workload_path_on_host", "x", IMAGE, SNAPSHOT, QEMU],
            [*GUEST_TRUE, IMAGE, SNAPSHOT, QEMU],
            [*GUEST_TRUE, "--dont_trace", "--trace_fifo_path", "x", IMAGE, SNAPSHOT, QEMU],
            [*GUEST_TRUE, "--dont_trace", "--when-full", "explode", IMAGE, SNAPSHOT, QEMU],
            [*GUEST_TRUE, "--dont_trace", "--guest_RAM_in_MBs", "much", IMAGE, SNAPSHOT, QEMU],
            ["run"],
            ["run", "--sink", "kitchen", "true"],
            ["run", "--fifo", "x", "--sink", "null", "true"],
            ["image"],
            ["image", "build", "--ram", "1"],
            ["image", "build", "extra"],
        ):
            with self.subTest(arguments):
                self.assert_fails(self.tracer(*arguments), status=2)

    def test_help_is_no_error(self):
        for arguments in (["--help"], ["run", "--help"], ["image", "--help"], ["image", "build", "--help"],
                          ["image", "prepare", "--help"], ["image", "info", "--help"], ["ctl", "--help"], ["--version"]):
            with self.subTest(arguments):
                result = self.tracer(*arguments)
                self.assertEqual((result.status, result.err), (0, ""))
                self.assertIn("memory_tracer", result.out)


class WrongImage(SystemTest):
    def image(self, name="image.qcow2", **changes):
        """A copy of the default image (a layer over it), with other metadata."""
        path = self.path(name)
        os.symlink(IMAGE, path)
        with open(IMAGE + ".json") as file:
            metadata = json.load(file)
        metadata["snapshots"][SNAPSHOT].update(changes)
        with open(path + ".json", "w") as file:
            json.dump(metadata, file)
        return path

    def test_no_image_at_all(self):
        path = self.script("image", "this is no disk image, but long enough to look at\n" * 100)
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, image=path), "is not a qcow2 image")

    def test_unknown_snapshot_names_those_that_are(self):
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, snapshot="gone"), "no snapshot 'gone'", SNAPSHOT)

    def test_another_ram_size_than_the_snapshots(self):
        result = self.trace("--dont_trace", *GUEST_TRUE, "--guest_RAM_in_MBs", "1024")
        self.assert_fails(result, "made with 2560 MB of RAM, but --guest_RAM_in_MBs is 1024")

    def test_another_ram_size_without_metadata(self):
        path = self.path("bare.qcow2")
        os.symlink(IMAGE, path)
        result = self.trace("--dont_trace", *GUEST_TRUE, "--guest_RAM_in_MBs", "1024", image=path)
        self.assert_fails(result, "made with another RAM size than 1024 MB")

    def test_broken_metadata(self):
        image = self.image()
        with open(image + ".json", "w") as file:
            file.write("{ nonsense")
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, image=image), image + ".json")
        with open(image + ".json", "w") as file:
            json.dump({"snapshots": {SNAPSHOT: {}}}, file)
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, image=image), "'machine' of snapshot")

    def test_another_machine_than_the_snapshots(self):
        result = self.trace("--dont_trace", *GUEST_TRUE, image=self.image(machine="pc-i440fx-10.0"))
        self.assert_fails(result, "can't load snapshot", "made with QEMU")
        result = self.trace("--dont_trace", *GUEST_TRUE, image=self.image(name="b.qcow2", machine="pc-q35-99.9"))
        self.assert_fails(result, "has no machine pc-q35-99.9")

    def test_other_devices_than_the_snapshots(self):
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, image=self.image(devices="floppy")), "(floppy)")

    def test_an_agent_of_another_protocol(self):
        self.assert_fails(self.trace("--dont_trace", *GUEST_TRUE, image=self.image(agent_protocol=2)), "protocol 2")
        # A newer agent is replaced by this build's.
        self.assert_succeeds(self.trace("--dont_trace", *GUEST_TRUE, image=self.image(name="newer.qcow2", agent_protocol=77)))

    def test_an_image_without_the_agent(self):
        """The machine is right, but only the firmware runs in it."""
        image = self.path("empty.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
        with open(IMAGE + ".json") as file:
            metadata = json.load(file)["snapshots"][SNAPSHOT]
        metadata["ram_mb"] = 256
        with open(image + ".json", "w") as file:
            json.dump({"snapshots": {"empty": metadata}}, file)
        subprocess.run([QEMU, "-nodefaults", "-no-user-config", "-nographic", "-nic", "none", "-vga", "none", "-machine",
                        metadata["machine"], "-cpu", metadata["cpu"], "-accel", "tcg", "-m", "256", "-smp", "1",
                        "-blockdev", f"driver=file,node-name=file,filename={image}",
                        "-blockdev", "driver=qcow2,node-name=disk,file=file", "-device", "virtio-blk-pci,drive=disk",
                        "-blockdev", f"driver=null-co,node-name=transfer,read-only=on,read-zeroes=on,size={256 << 30}",
                        "-device", "virtio-blk-pci,drive=transfer,serial=memory_tracer",
                        "-chardev", "null,id=agent", "-device", "virtio-serial-pci",
                        "-device", "virtserialport,chardev=agent,name=memory_tracer.agent",
                        *sum((["-fsdev", f"local,id=share{i},path={self.temporary},security_model=none,readonly=on,multidevs=remap",
                               "-device", f"virtio-9p-pci,fsdev=share{i},mount_tag=memory_tracer{i}"] for i in range(9)), []),
                        "-device", "pvpanic-pci", "-serial", "null",
                        "-monitor", "stdio"], input="savevm empty\nquit\n", text=True, check=True,
                       stdout=subprocess.DEVNULL)
        result = self.trace("--dont_trace", *GUEST_TRUE, image=image, snapshot="empty")
        self.assert_fails(result, "no agent answers in snapshot 'empty'")


class WrongQemu(SystemTest):
    def test_too_old(self):
        """What QEMU 7.2 says when it is given a plugin that needs a newer interface."""
        qemu = self.script("qemu-system-x86_64", """#!/bin/sh
[ "$1" != --version ] || { echo "QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7)"; exit 0; }
echo "qemu-system-x86_64: Could not load plugin: undefined symbol: qemu_plugin_read_register" >&2
exit 1
""")
        result = self.trace("--analysis_tool_path", COUNTER, *GUEST_TRUE, qemu=qemu)
        self.assert_fails(result, "is QEMU 7.2.19, which is too old: 10.0 or newer is needed")

    def test_without_plugins(self):
        qemu = self.script("qemu-system-x86_64", """#!/bin/sh
[ "$1" != --version ] || { echo "QEMU emulator version 10.0.2"; exit 0; }
echo "qemu-system-x86_64: -plugin x: plugin interface not enabled in this build" >&2
exit 1
""")
        self.assert_fails(self.trace("--analysis_tool_path", COUNTER, *GUEST_TRUE, qemu=qemu), "built without plugins")

    def test_not_an_executable_format(self):
        qemu = self.script("qemu-system-x86_64", "\x7fELF nonsense")
        result = self.trace("--dont_trace", *GUEST_TRUE, qemu=qemu)
        self.assert_fails(result, "qemu-system-x86_64")


class WorkloadTrouble(SystemTest):
    def test_cannot_be_executed(self):
        for name, text in (("text", "hello\n"), ("elf", "\x7fELF nonsense"), ("empty", ""), ("script", "#!/no/such/shell\n")):
            with self.subTest(name):
                path = self.script(name, text)
                self.assert_fails(self.trace("--dont_trace", "--workload_path_on_host", path), path if name != "script"
                                  else "/no/such/shell")

    def test_is_not_in_the_guest(self):
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_guest", "/no/such/program")
        self.assert_fails(result, "can't execute /no/such/program in the guest: No such file or directory")

    def test_cannot_be_executed_in_the_guest(self):
        result = self.trace("--dont_trace", "--workload_path_on_guest", "/etc/hostname")
        self.assert_fails(result, "/etc/hostname in the guest: can't execute it")

    def test_command_not_found(self):
        self.assert_fails(self.tracer("run", "no-such-command"), "no-such-command is not in PATH", status=127)

    def test_a_library_that_is_missing(self):
        with open(self.path("lib.c"), "w") as file:
            file.write("int answer(void) { return 42; }\n")
        with open(self.path("main.c"), "w") as file:
            file.write("int answer(void);\nint main(void) { return answer(); }\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.path("libanswer.so"), self.path("lib.c")], check=True)
        subprocess.run(["gcc", "-o", self.path("prog"), self.path("main.c"), "-L" + self.folder, "-lanswer"], check=True)
        self.assert_fails(self.tracer("run", "--files", "image", self.path("prog")), "libanswer.so", status=127)

    def test_crashes(self):
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", workload("crash"))
        self.assert_fails(result, "the workload was killed by signal 11")
        self.assertIn("analysis output:", result.out)  # the records up to then are not lost

    def test_crashes_before_it_is_ready(self):
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", workload("crash"), SPEAKS)
        self.assert_fails(result, "killed by signal 11", 'before it printed "Ready to trace')

    def test_ends_without_saying_stop(self):
        path = self.script("workload", "#!/bin/sh\necho 'Ready to trace. Press enter to continue'\nread x\nexit 3\n")
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", path, SPEAKS)
        self.assert_fails(result, 'exited with status 3 before it printed "Stop tracing"')

    def test_never_says_ready(self):
        result = self.trace("--dont_trace", "--workload_path_on_host", workload("never_ready"), SPEAKS, "--wait-timeout", "6")
        self.assert_fails(result, 'gave up waiting for the workload to print "Ready to trace')
        # After 5 seconds it has said what it waits for.
        self.assertIn('memory_tracer: waiting for the workload to print "Ready to trace', result.all_err.splitlines()[0])


class ToolTrouble(SystemTest):
    def tool(self, text):
        return self.script("tool", "#!/usr/bin/env python3\nimport os, signal, sys, time\n" + text)

    def analyse(self, tool, *options):
        return self.trace("--analysis_tool_path", tool, "--workload_path_on_host", ARRAY, SPEAKS, *options)

    def test_cannot_be_executed(self):
        self.assert_fails(self.analyse(self.script("tool", "\x7fELF nonsense")), "can't start the analysis tool")

    def test_dies_before_it_is_ready(self):
        self.assert_fails(self.analyse(self.tool("sys.exit(5)")), "exited with status 5", 'before it printed "Ready')

    def test_never_gets_ready(self):
        self.assert_fails(self.analyse(self.tool("time.sleep(1000)"), "--wait-timeout", "2"), 'to print "Ready to analyze"')

    def test_never_opens_the_fifo(self):
        tool = self.tool("print('Ready to analyze', flush=True)\ntime.sleep(1000)")
        self.assert_fails(self.analyse(tool, "--wait-timeout", "2"), "the analysis tool to open the FIFO")

    def test_never_reads_the_fifo(self):
        tool = self.tool("print('Ready to analyze', flush=True)\nf = open(sys.argv[1], 'rb')\ntime.sleep(1000)")
        self.assert_fails(self.analyse(tool, "--wait-timeout", "2"), "the analysis tool has read nothing for 2 s")

    def test_dies_in_mid_run(self):
        tool = self.tool("print('Ready to analyze', flush=True)\nf = open(sys.argv[1], 'rb')\nf.read(100000)\n"
                         "os.kill(os.getpid(), 9)")
        self.assert_fails(self.analyse(tool), "killed by signal 9")

    def test_closes_the_fifo_in_mid_run(self):
        tool = self.tool("print('Ready to analyze', flush=True)\nf = open(sys.argv[1], 'rb')\nf.read(100000)\nf.close()\n"
                         "time.sleep(1000)")
        self.assert_fails(self.analyse(tool), "the analysis tool closed the FIFO after")

    def test_never_prints_its_output(self):
        tool = self.tool("signal.signal(signal.SIGUSR1, lambda *a: None)\nprint('Ready to analyze', flush=True)\n"
                         "f = open(sys.argv[1], 'rb')\nwhile f.read(1 << 20): pass\n")
        self.assert_fails(self.analyse(tool, "--wait-timeout", "2"), "gave up waiting for the analysis tool's output")

    def test_has_no_handler(self):
        tool = self.tool("print('Ready to analyze', flush=True)\nf = open(sys.argv[1], 'rb')\nwhile f.read(1 << 20): pass\n")
        self.assert_fails(self.analyse(tool), "killed by signal 10", "when it was asked for its output (by SIGUSR1)")

    def test_dies_while_it_prints_its_output(self):
        tool = self.tool("def output(*a):\n  print('-----begin analysis output-----', flush=True); os._exit(3)\n"
                         "signal.signal(signal.SIGUSR1, output)\nprint('Ready to analyze', flush=True)\n"
                         "f = open(sys.argv[1], 'rb')\nwhile f.read(1 << 20): pass\n")
        self.assert_fails(self.analyse(tool), "exited with status 3", 'before it printed "-----end analysis output-----"')

    def test_a_fifo_that_nobody_opens(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.assert_fails(self.trace("--trace_fifo_path", fifo, *GUEST_TRUE, "--wait-timeout", "2"), "a reader of " + fifo)

    def test_a_fifo_whose_reader_reads_nothing(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        result = self.trace("--trace_fifo_path", fifo, *GUEST_TRUE, "--wait-timeout", "2")
        os.close(reader)
        self.assert_fails(result, "the reader of the FIFO has read nothing for 2 s")

    def test_a_reader_that_dies(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = subprocess.Popen(["head", "-c", "100000", fifo], stdout=subprocess.DEVNULL)
        result = self.trace("--trace_fifo_path", fifo, *GUEST_TRUE)
        reader.wait()
        self.assert_fails(result, "the reader of the FIFO closed the FIFO after")


class Killed(SystemTest):
    LONG = ["run", "sh", "-c", "echo tracing; while :; do :; done"]

    def wait_until(self, what, process):
        """Waits until the run has come to a stage."""
        if what == "started":
            return
        self.qemu_pid()
        if what == "tracing":
            self.assertEqual(process.stdout.readline(), "tracing\n")

    def test_qemu_killed_in_mid_run(self):
        process = self.start(*self.LONG)
        self.wait_until("tracing", process)
        os.kill(self.qemu_pid(), signal.SIGKILL)
        self.assert_fails(self.finish(process), "QEMU was killed by signal 9")

    def test_ctrl_c_at_every_stage(self):
        for stage in ("started", "loading", "tracing"):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(stage=stage, signal=number):
                    process = self.start(*self.LONG)
                    time.sleep(0.1)
                    self.wait_until(stage, process)
                    process.send_signal(number)
                    result = self.finish(process, 60)
                    self.assert_no_leftovers()
                    if stage == "started" and result.status == -number:
                        continue  # on a busy machine it has not come to its first line yet
                    self.assertEqual(result.status, 130, result.err)
                    self.assertEqual(result.err.splitlines()[-1], "memory_tracer: interrupted")
                    if stage == "tracing":
                        self.assert_stopped(result)

    def test_ctrl_c_while_the_tool_is_waited_for(self):
        tool = self.script("tool", "#!/bin/sh\nsleep 1000\n")
        process = self.start("--analysis_tool_path", tool, *GUEST_TRUE, IMAGE, SNAPSHOT, QEMU)
        deadline = time.time() + 30
        while not any("sleep 1000" in command for _, command in self.processes()) and time.time() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assert_fails(self.finish(process, 20), "interrupted", status=130)

    def test_ctrl_c_while_a_reader_is_waited_for(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = self.start("--trace_fifo_path", fifo, *GUEST_TRUE, IMAGE, SNAPSHOT, QEMU)
        self.qemu_pid()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        self.assert_fails(self.finish(process, 20), "interrupted", status=130)

    def test_ctrl_c_while_the_reader_is_stuck(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        process = self.start("--trace_fifo_path", fifo, *GUEST_TRUE, IMAGE, SNAPSHOT, QEMU)
        self.qemu_pid()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        result = self.finish(process, 60)
        os.close(reader)
        self.assertEqual(result.status, 130, result.err)
        self.assertIn("interrupted", result.err.splitlines()[-1])

    def test_qemu_and_tool_die_with_a_runner_that_is_killed(self):
        process = self.start(*self.LONG)
        self.wait_until("tracing", process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assert_no_leftovers_but_folders()

    def assert_no_leftovers_but_folders(self):
        """After SIGKILL the temporary folder stays; but it must be empty by then."""
        deadline = time.time() + 10
        while self.processes() and time.time() < deadline:
            time.sleep(0.05)
        for name in os.listdir(self.temporary):
            os.rmdir(os.path.join(self.temporary, name))


class FullDisk(SystemTest):
    def mount(self, size):
        """Puts a small file system at the temporary folder."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.temporary], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.temporary])

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("mounting a small file system needs root")

    def tearDown(self):
        super().tearDown()

    def test_full_before_the_run(self):
        self.mount("16k")
        result = self.trace("--dont_trace", *GUEST_TRUE)
        self.assert_fails(result, "No space left on device")

    def test_full_while_a_folder_is_packed(self):
        self.mount("4m")
        folder = self.path("folder")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "wb") as file:
            file.write(b"x" * (20 << 20))
        result = self.trace("--dont_trace", *GUEST_TRUE, "--workload_dir_path", folder)
        self.assert_fails(result, "No space left on device")

    def test_full_before_a_trace_has_a_record(self):
        small = self.path("small")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
        try:
            self.assert_fails(self.tracer("record", "-o", os.path.join(small, "trace"), "--", "true"), "No space left on device")
            self.assertEqual(os.listdir(small), [])
        finally:
            subprocess.run(["umount", small], check=True)

    def test_full_in_mid_run(self):
        self.mount("4m")
        result = self.tracer("run", "sh", "-c", "dd if=/dev/urandom of=/root/big bs=1M count=40; sync; echo fine")
        lines = [line for line in result.err.splitlines() if line.startswith("memory_tracer: ")]
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("the guest's disk failed", lines[-1])
        self.assertIn("No space left on device", lines[-1])


class NoDefaultImage(SystemTest):
    def test_says_how_to_make_one(self):
        self.environment["MEMORY_TRACER_IMAGE"] = self.path("none.qcow2")
        self.assert_fails(self.tracer("run", "true"), "image build")

    def test_build_with_a_suite_that_is_not(self):
        result = self.tracer("image", "build", "--suite", "no-such-suite", "--output", self.path("x.qcow2"))
        self.assertEqual(result.status, 1, result.err)
        self.assertIn("bootstrapping Debian no-such-suite and its kernel from packages failed (can the package mirrors be "
                      "reached?)", result.err.splitlines()[-1])
        self.assertEqual([name for name in os.listdir(self.folder) if name != "tmp"], [])

    def test_ctrl_c_while_it_is_built(self):
        process = self.start("image", "build", "--output", self.path("x.qcow2"))
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        result = self.finish(process, 60)
        self.assertEqual(result.status, 130, result.err)
        self.assertEqual(result.err.splitlines()[-1], "memory_tracer: interrupted")
        self.assertEqual([name for name in os.listdir(self.folder) if name != "tmp"], [])


if __name__ == "__main__":
    unittest.main()
