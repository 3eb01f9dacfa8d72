# SPDX-License-Identifier: GPL-2.0-or-later
"""Many files and large ones, with this machine's files. They take minutes: ./check --all. Untraced where tracing proves nothing."""
import hashlib
import os
import unittest

from harness import HEAVY_TESTS, SystemTest

UNTRACED = ["--sink", "untraced"]
TIMEOUT_S = 1800
FILES = 100_000
FILES_PER_FOLDER = 1000
MIB = 1 << 20
LARGE_MIB = 3 * 1024


class Heavy(SystemTest):
    def setUp(self):
        super().setUp()
        self.scratch = self.path("scratch")
        os.mkdir(self.scratch)

    def run_here(self, command, *options):
        return self.finish(self.start("run", "--files", "host", *options, "--", "sh", "-c", command, cwd=self.scratch), TIMEOUT_S)

    def write_small_files(self):
        """Each has its own number in it, so that each must have been read."""
        for number in range(FILES):
            folder = os.path.join(self.scratch, f"{number // FILES_PER_FOLDER}")
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"{number}"), "w") as file:
                file.write(f"{number}\n")

    def write_large_file(self, path):
        """Sparse, but for a mark at its beginning, beyond 2 GiB and at its end. Gives its hash."""
        with open(path, "wb") as file:
            for offset in (0, 2 * 1024 * MIB + 12345, LARGE_MIB * MIB - 4):
                file.seek(offset)
                file.write(b"mark")
        with open(path, "rb") as file:
            hash_so_far = hashlib.sha256()
            for piece in iter(lambda: file.read(MIB), b""):
                hash_so_far.update(piece)
        return hash_so_far.hexdigest()

    def test_a_hundred_thousand_small_files(self):
        self.write_small_files()
        total = FILES * (FILES - 1) // 2
        result = self.run_here("find . -type f | wc -l; find . -type f -exec cat {} + | awk '{ total += $1 } END { printf \"%.0f\\n\", total }'",
                               *UNTRACED)
        self.assertEqual((result.status, result.out), (0, f"{FILES}\n{total}\n"), result.err)

    def test_a_tenth_of_them_traced(self):
        """Kernel and all; no more fits into the time."""
        self.write_small_files()
        result = self.run_here("cat ?/* | wc -l")
        self.assertEqual((result.status, result.out), (0, f"{10 * FILES_PER_FOLDER}\n"), result.err)
        self.assertRegex(result.err, r"lost records +0\n")

    def test_a_tenth_of_them_are_changed_and_dropped(self):
        self.write_small_files()
        result = self.run_here("for i in ?/*; do echo x >> $i; done; cat 1/1001", *UNTRACED)
        self.assertEqual((result.status, result.out), (0, "1001\nx\n"), result.err)
        self.assertIn(f"which stay as they were here: {10 * FILES_PER_FOLDER} ", result.err)
        with open(os.path.join(self.scratch, "1", "1001")) as file:
            self.assertEqual(file.read(), "1001\n")

    def test_a_fork_bomb_does_not_outlive_its_time(self):
        """It keeps the guest's agent from ending it, so QEMU is stopped."""
        result = self.run_here("f() { f | f & f | f; }; f", "--timeout", "2")
        self.assertIn("the guest hasn't ended the workload", result.err)
        self.assertEqual(result.status, 1)

    def test_a_large_file_is_read(self):
        wanted = self.write_large_file(os.path.join(self.scratch, "large"))
        result = self.run_here("wc -c < large; sha256sum < large", *UNTRACED)
        self.assertEqual((result.status, result.out), (0, f"{LARGE_MIB * MIB}\n{wanted}  -\n"), result.err)

    def test_a_large_file_is_written(self):
        """More than the guest's memory, and no hole in it."""
        os.mkdir(os.path.join(self.scratch, "shared"))
        result = self.run_here(f"yes 0123456 | head -c {LARGE_MIB}M > shared/large; stat -c %s shared/large", *UNTRACED,
                               "--rw", os.path.join(self.scratch, "shared"))
        self.assertEqual((result.status, result.out), (0, f"{LARGE_MIB * MIB}\n"), result.err)
        with open(os.path.join(self.scratch, "shared", "large"), "rb") as file:
            self.assertEqual(os.fstat(file.fileno()).st_size, LARGE_MIB * MIB)
            piece = b"0123456\n" * (MIB // 8)
            self.assertTrue(all(file.read(MIB) == piece for _ in range(LARGE_MIB)))


if not HEAVY_TESTS:
    del Heavy

if __name__ == "__main__":
    unittest.main()
