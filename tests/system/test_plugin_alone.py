# SPDX-License-Identifier: GPL-2.0-or-later
"""libgmbe.so in a bare QEMU, without our runner: a boot sector whose accesses are known to the last one."""
import os
import struct
import subprocess
import threading
import unittest

from harness import BUILD, QEMU, SystemTest, boot_image

EXITED = 0x10 << 1 | 1  # what isa-debug-exit makes of the boot sector's last word


class PluginAlone(SystemTest):
    def setUp(self):
        super().setUp()
        boot_image("boot_sector.S", self.path("boot.img"))

    def qemu(self, arguments):
        return subprocess.run([QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-m", "32",
                               "-drive", f"file={self.path('boot.img')},format=raw,if=ide", "-device", "isa-debug-exit,iobase=0xf4",
                               "-plugin", os.path.join(BUILD, "libgmbe.so") + arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, env=self.environment)

    def records(self, arguments):
        """Runs it with a FIFO and returns the records."""
        fifo, read = self.path("fifo"), []
        os.mkfifo(fifo)

        def reader():
            with open(fifo, "rb") as file:
                read.append(file.read())
        thread = threading.Thread(target=reader)
        thread.start()
        result = self.qemu(f",out={fifo}{arguments}")
        thread.join()
        os.unlink(fifo)
        self.assertEqual(result.returncode, EXITED, result.stderr)
        records = list(struct.iter_unpack("<QQ", read[0]))
        self.assertIn(f"{len(records)} accesses, {len(records)} records written", result.stderr)
        self.assertNotIn("ATTENTION", result.stderr)
        return records

    def test_every_access_between_the_markers_and_no_other(self):
        records = self.records(",start=marker")
        valid = 1 << 63
        self.assertEqual(records[:2000], [(valid | 2, 0x9000), (valid | 2 | 32, 0x9000)] * 1000)
        copied = records[2000:3000]
        self.assertEqual(copied, [pair for i in range(500)
                                  for pair in ((valid, 0x9000 + i), (valid | 32, 0xa000 + i))])
        self.assertEqual(records[3000:], [(valid | 2 | 32, 0x6ffc - 4 * i) for i in range(10)])

    def test_marker_is_the_default(self):
        self.assertEqual(len(self.records("")), 3010)

    def test_from_the_first_instruction(self):
        records = self.records(",start=now")
        self.assertGreater(len(records), 3013)  # the firmware's, too
        # The word is set before the start marker, incremented, and set twice more where the stop marker has been seen.
        self.assertEqual(sum(1 for info, address in records if address == 0x9000 and info & 7 == 2 and info & 32), 1001)

    def test_a_region_that_is_not_ended(self):
        boot_image("boot_open_region.S", self.path("boot.img"))
        out = self.path("trace")
        result = self.qemu(f",out={out},roi=on")
        self.assertEqual((result.returncode, os.path.getsize(out)), (EXITED, 16 * 10), result.stderr)
        self.assertIn("ATTENTION: regions of interest that have begun and not ended: 1\n", result.stderr)

    def test_user_only_in_a_guest_without_users(self):
        self.assertEqual(self.records(",user_only=on"), [])

    def test_a_file_instead_of_a_fifo(self):
        out = self.path("trace")
        result = self.qemu(f",out={out}")
        self.assertEqual(result.returncode, EXITED, result.stderr)
        self.assertEqual(os.path.getsize(out), 16 * 3010)

    def test_a_file_with_contents_is_kept(self):
        """It may be the guest's disk."""
        with open(self.path("boot.img"), "rb") as file:
            before = file.read()
        result = self.qemu(f",out={self.path('boot.img')}")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("boot.img is there already, and not empty", result.stderr)
        with open(self.path("boot.img"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_devices_and_empty_files_may_be_there(self):
        with open(self.path("empty"), "w"):
            pass
        for out in ("/dev/null", self.path("empty")):
            self.assertEqual(self.qemu(f",out={out}").returncode, EXITED)
        self.assertEqual(os.path.getsize(self.path("empty")), 16 * 3010)

    def test_a_small_ring_loses_nothing(self):
        self.assertGreater(len(self.records(",start=now,ring_kib=64")), 3013)

    def test_wrong_arguments_are_refused(self):
        for arguments, text in ((",start=soon,out=x", "start must be"), (",colour=red,out=x", "unknown argument"),
                                ("", "one of out and ring_fd is needed"), (",out=x,ring_fd=3", "one of out and ring_fd"),
                                (",ring_fd=0", "is not a ring"), (",out=/no/such/folder/x", "can't open /no/such/folder/x"),
                                (",out=/", "can't open /: Is a directory")):
            with self.subTest(arguments):
                result = self.qemu(arguments)
                self.assertEqual(result.returncode, 1)
                self.assertIn("libgmbe: ", result.stderr)
                self.assertIn(text, result.stderr)

    def test_a_reader_that_goes_is_reported_and_the_guest_goes_on(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        reader = subprocess.Popen(["head", "-c", "16", fifo], stdout=subprocess.DEVNULL)
        result = self.qemu(f",out={fifo},start=now")
        reader.wait()
        self.assertEqual(result.returncode, EXITED, result.stderr)
        self.assertIn("ATTENTION", result.stderr)
        self.assertIn("records were lost", result.stderr)

    def test_it_says_that_it_waits_for_a_reader(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        process = subprocess.Popen([QEMU, "-nodefaults", "-display", "none", "-accel", "tcg", "-plugin",
                                    os.path.join(BUILD, "libgmbe.so") + f",out={fifo}"], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, env=self.environment)
        self.assertIn("waiting for a reader of", process.stderr.readline())
        process.kill()
        process.communicate()


if __name__ == "__main__":
    unittest.main()
