# SPDX-License-Identifier: GPL-2.0-or-later
"""memory_tracer image prepare and info, of a guest that was installed without memory_tracer."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

import images
from harness import ARRAY, COUNTER, IMAGE, SNAPSHOT, SPEAKS, TRACER, SystemTest, boot_image


class PrepareTest(SystemTest):
    """On a copy of `installed`."""

    def setUp(self):
        super().setUp()
        self.image = self.path("installed.qcow2")
        subprocess.run(["cp", "--reflink=auto", self.installed, self.image], check=True)

    def prepare(self, *options, snapshot="ready", timeout_s=1200):
        """`timeout_s` is more than the command waits for the guest: it can still tell the console's last words."""
        return self.finish(self.start("image", "prepare", self.image, snapshot, "--ram", "1024", *options), timeout_s)

    def start_interactively(self):
        """Gives the process, and our end of its terminal."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([TRACER, "image", "prepare", self.image, "ready", "--ram", "1024", "--interactive"],
                                   stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment)
        os.close(theirs)
        return process, ours

    def assert_untouched(self):
        self.assertEqual(sorted(os.listdir(self.folder)), ["installed.qcow2", "tmp"])
        self.assertEqual(subprocess.run(["cmp", self.installed, self.image]).returncode, 0)

    def assert_last_line(self, result, *texts):
        self.assertEqual(result.status, 1, result.err)
        for text in texts:
            self.assertIn(text, result.err.splitlines()[-1])


class Prepare(PrepareTest):
    @classmethod
    def setUpClass(cls):
        cls.installed = images.installed()

    def test_over_the_serial_console(self):
        result = self.prepare("--console-password", images.PASSWORD, "--workload-user", "researcher", "--vcpus", "2", snapshot=SNAPSHOT)
        self.assertEqual((result.status, result.out), (0, f"{self.image} has the snapshot {SNAPSHOT}\n"), result.err)
        self.assertNotIn(images.PASSWORD, result.err)

        info = json.loads(self.tracer("image", "info", "--json", self.image).out)
        self.assertEqual([snapshot["name"] for snapshot in info["snapshots"]], [SNAPSHOT])
        snapshot = info["snapshots"][0]
        self.assertEqual((snapshot["ram_mb"], snapshot["vcpus"], snapshot["user"], snapshot["icount"]),
                         (1024, 2, "researcher", ""))
        self.assertRegex(snapshot["kernel"], r"^\d+\.\d+")

        # It is used like any other.
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", ARRAY, SPEAKS, image=self.image,
                            snapshot=SNAPSHOT)
        self.assert_succeeds(result)
        self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)

        # Workloads are that user's, and so is what they bring along.
        folder = self.path("files")
        os.mkdir(folder)
        with open(os.path.join(folder, "data"), "w") as file:
            file.write("x")
        script = self.script("workload", "#!/bin/bash\nid -un; echo $HOME $USER; stat -c %U ~/qemu_mem_tracer_workload/data\n"
                             "cat /proc/1/comm\n")
        os.chmod(self.folder, 0o755)
        result = self.trace("--dont_trace", "--workload_path_on_host", script, "--workload_dir_path", folder, image=self.image,
                            snapshot=SNAPSHOT)
        self.assertEqual(result.status, 0, result.err)
        # With fewer cores than the guest's two vCPUs, there is a note before.
        self.assertTrue(result.err.endswith("researcher\n/home/researcher researcher\nresearcher\nsystemd\n"), result.err)

        # It was made here, so what it runs may see this machine's files, as the one who calls.
        result = self.tracer("run", "--image", self.image, "--sink", "untraced", "--", "sh", "-c",
                             f"id -u; cat {folder}/data; cat /proc/1/comm; echo > {folder}/new")
        self.assertEqual((result.status, result.out), (0, f"{os.geteuid()}\nxsystemd\n"), result.err)
        self.assertEqual(os.listdir(folder), ["data"])

        # A second snapshot needs no password any more: the agent is there when the guest boots.
        result = self.finish(self.start("image", "prepare", self.image, "second", "--ram", "1024", "--icount"), 600)
        self.assertEqual((result.status, result.out), (0, f"{self.image} has the snapshot second_icount\n"), result.err)
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", ARRAY, SPEAKS, "--icount",
                            image=self.image, snapshot="second")
        self.assert_succeeds(result)
        self.assertIn("in the array: 100000, per element from 10 to 10\n", result.out)
        self.assert_fails(self.prepare("--console-password", "x", snapshot=SNAPSHOT), f"has a snapshot '{SNAPSHOT}' already")

    def test_interactively(self):
        """A person types the command that they are told."""
        with open(self.path("data"), "w"):
            pass  # where the folder of the list of our guests should be
        self.environment["XDG_DATA_HOME"] = self.path("data")
        process, ours = self.start_interactively()
        said = ""

        def wait_for(text):
            nonlocal said
            deadline = time.time() + 300
            while text not in said:
                self.assertLess(time.time(), deadline, said)
                if select.select([ours], [], [], 1)[0]:
                    said += os.read(ours, 4096).decode(errors="replace")

        def type_in(text):
            nonlocal said
            said = ""
            os.write(ours, text.encode())
        wait_for("login:")
        command = re.search(r"type:\s+(mkdir .*install_agent)\r?\n", said).group(1)
        type_in("root\r")
        wait_for("assword:")
        type_in("wrong\r")
        wait_for("ncorrect")  # what a program that logs in looks for
        wait_for("login:")
        type_in("root\r")
        wait_for("assword:")
        type_in(images.PASSWORD + "\r")
        wait_for("# ")
        type_in(command + "\r")
        wait_for("has the snapshot ready")
        self.assertRegex(said, rf"{self.image} can't be added to the list of the guests that were made here \(.*\): .* "
                               "say --files host\r\n")
        os.close(ours)
        self.assertEqual(process.wait(30), 0)
        self.assertFalse(json.loads(self.tracer("image", "info", "--json", self.image).out)["made_here"])
        result = self.trace("--analysis_tool_path", COUNTER, "--workload_path_on_host", ARRAY, SPEAKS, image=self.image,
                            snapshot="ready")
        self.assert_succeeds(result)

        # Its kernel halts when it panics; but it tells QEMU before.
        script = self.script("workload", "#!/bin/sh\necho c >/proc/sysrq-trigger\nsleep 1000\n")
        result = self.trace("--dont_trace", "--workload_path_on_host", script, image=self.image, snapshot="ready")
        self.assert_fails(result, "the guest's kernel has panicked")

    def test_a_user_who_may_not_become_root(self):
        result = self.prepare("--user", "researcher", "--console-password", images.PASSWORD)
        self.assert_last_line(result, "the agent could not be installed", "sudo")
        self.assert_untouched()


class PrepareLoginPrompt(PrepareTest):
    """A guest that is nothing but a login prompt, and boots at once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="mt_login_prompt.")
        cls.addClassCleanup(shutil.rmtree, folder)
        boot_image("boot_login.S", os.path.join(folder, "boot"))
        os.truncate(os.path.join(folder, "boot"), 1 << 20)  # from a smaller disk, the firmware doesn't boot
        cls.installed = os.path.join(folder, "boot.qcow2")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", os.path.join(folder, "boot"), cls.installed],
                       check=True)

    def test_a_wrong_password(self):
        self.assert_last_line(self.prepare("--console-password", "wrong"), "doesn't let root log in")
        self.assert_untouched()

    def test_interactively_given_up(self):
        process, ours = self.start_interactively()
        said, deadline = "", time.time() + 60
        while "login:" not in said:
            self.assertLess(time.time(), deadline, said)
            if select.select([ours], [], [], 1)[0]:
                said += os.read(ours, 4096).decode(errors="replace")
        self.assertIn("gives up", said)
        os.write(ours, b"\x1d")
        self.assertEqual(process.wait(30), 130)
        os.close(ours)
        self.assert_untouched()

    def test_ctrl_c(self):
        process = self.start("image", "prepare", self.image, "ready", "--ram", "1024", "--console-password", "x")
        deadline = time.time() + 30
        while not any("-serial" in command for _, command in self.processes()) and time.time() < deadline:
            time.sleep(0.05)
        for pid, command in self.processes():
            self.assertNotIn("--console-password x", command)
        process.send_signal(2)
        result = self.finish(process, 30)
        self.assertEqual(result.status, 130, result.err)
        self.assert_untouched()


class PrepareNothing(SystemTest):
    def test_what_is_no_image(self):
        self.assert_fails(self.tracer("image", "prepare", self.path("gone"), "ready"), "is not a file")
        raw = self.path("raw")
        with open(raw, "wb") as file:
            file.truncate(1 << 20)
        self.assert_fails(self.tracer("image", "prepare", raw, "ready"), "is not a qcow2 image, but only qcow2 can hold snapshots")

    def test_usage(self):
        for arguments in (["prepare"], ["prepare", "x"], ["prepare", "x", "bad name"], ["prepare", "x", "y", "--ram", "1"],
                          ["prepare", "x", "y", "--vcpus", "0"], ["prepare", "x", "y", "--interactive", "--console-password",
                                                                  "z"], ["info"], ["info", "a", "b"], ["paint"],
                          ["build", "--vcpus", "1000"]):
            with self.subTest(arguments):
                self.assert_fails(self.tracer("image", *arguments), status=2)


class Info(SystemTest):
    def test_the_default_image(self):
        result = self.tracer("image", "info", IMAGE)
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out, rf"snapshot: {SNAPSHOT}\n  taken .*\n  RAM in MB +2560\n  vCPUs +1\n")
        self.assertIn(f"snapshot: {SNAPSHOT}_icount\n", result.out)

    def test_an_image_that_we_know_nothing_of(self):
        image = self.path("image.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
        self.assertIn("no snapshot\n", self.tracer("image", "info", image).out)
        subprocess.run(["qemu-img", "snapshot", "-c", "mine", image], check=True)
        self.assertIn("snapshot: mine\n", self.tracer("image", "info", image).out)
        self.assertIn("nothing is known of its machine", self.tracer("image", "info", image).out)

    def test_names_that_are_escape_sequences(self):
        image = self.path("image.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "64M"], check=True)
        subprocess.run(["qemu-img", "snapshot", "-c", "\033[2Jx", image], check=True)
        self.assertIn("snapshot: \\x1b[2Jx\n", self.tracer("image", "info", image).out)
        result = self.trace("--dont_trace", "--workload_path_on_guest", "true", image=image, snapshot="gone")
        self.assert_fails(result, "it has these: \\x1b[2Jx)")

    def test_no_image(self):
        self.assert_fails(self.tracer("image", "info", self.path("gone")), self.path("gone"))


class Untrusted(SystemTest):
    """An image and metadata from an untrusted source can't make QEMU open this machine's files."""

    def run_and_look(self, image):
        """What each verb says that would open the image."""
        yield self.trace("--dont_trace", "--workload_path_on_guest", "true", image=image)
        yield self.tracer("image", "info", image)
        yield self.tracer("image", "prepare", image, "another", "--console-password", "x")

    def test_metadata_with_options_of_their_own(self):
        target = self.path("target")
        for member, value in (("icount", f"shift=1,sleep=on,rr=record,rrfile={target}"), ("machine", f"q35,firmware={target}"),
                              ("machine", f"q35,dumpdtb={target}"), ("cpu", f"max,hv-vendor-id={target}"), ("cpu", 5),
                              ("kernel", ["x"]), ("user", {}), ("ram_mb", "much"), ("vcpus", 1e9)):
            with self.subTest(member, value=value):
                with open(target, "w") as file:
                    file.write("precious")
                with open(IMAGE + ".json") as file:
                    metadata = json.load(file)
                for name in (SNAPSHOT, SNAPSHOT + "_icount"):
                    metadata["snapshots"][name][member] = value
                image = self.path("image.qcow2")
                if not os.path.exists(image):
                    os.symlink(IMAGE, image)
                with open(image + ".json", "w") as file:
                    json.dump(metadata, file)
                for options in ([], ["--icount"]):
                    result = self.trace("--dont_trace", *options, "--workload_path_on_guest", "true", image=image)
                    self.assert_fails(result, image + ".json", f"'{member}' of snapshot")
                self.assert_fails(self.tracer("image", "info", image), image + ".json", f"'{member}' of snapshot")
                with open(target) as file:
                    self.assertEqual(file.read(), "precious")

    def test_image_with_a_backing_file(self):
        secret, image = self.path("secret"), self.path("image.qcow2")
        with open(secret, "wb") as file:
            file.truncate(1 << 20)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, image], check=True)
        subprocess.run(["qemu-img", "snapshot", "-c", SNAPSHOT, image], check=True)
        for result in self.run_and_look(image):
            self.assert_fails(result, image, "needs another file, its backing file")

    def test_image_with_a_data_file(self):
        image = self.path("image.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={self.path('data')}", image, "1M"],
                       check=True)
        for result in self.run_and_look(image):
            self.assert_fails(result, image, "needs another file, its data file")


if __name__ == "__main__":
    unittest.main()
