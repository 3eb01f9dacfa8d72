# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules for every file of the repository."""
import os
import subprocess
import unittest

from harness import ROOT

LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"
FIRST_LINES = 8  # a manual page begins with its title


def needs_licence(path):
    """Not the licence itself, empty files, and the traces that are compared byte for byte."""
    is_data = path.startswith("tests/golden/") and not path.endswith(".h")
    return path != "COPYING" and not is_data and os.path.getsize(os.path.join(ROOT, path)) > 0


class Sources(unittest.TestCase):
    def test_every_file_names_its_licence(self):
        if not os.path.exists(os.path.join(ROOT, ".git")):
            self.skipTest("this is no git checkout, so the files of the repository are not known")
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]  # in containers, the checkout is another user's
        names = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        files = [name for name in names.split("\0") if name and os.path.exists(os.path.join(ROOT, name))]
        self.assertIn("README.md", files)
        without = []
        for name in filter(needs_licence, files):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                if LICENCE not in "".join(file.readline() for _ in range(FIRST_LINES)):
                    without.append(name)
        self.assertEqual(without, [])


if __name__ == "__main__":
    unittest.main()
