# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/prepare: which QEMU is taken, and what is said where there is none. Nothing is installed: apt and dpkg are stubs."""
import os
import re
import subprocess
import unittest

from harness import ROOT, SystemTest

PREPARE = os.path.join(ROOT, "scripts", "prepare")


class Prepare(SystemTest):
    def stub(self, name, text):
        path = self.path("bin", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o755)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def prepare(self, qemu_version):
        self.stub("dpkg-query", 'case "$*" in *qemu*) exit 1 ;; *) echo installed ;; esac')
        self.stub("apt-get", "echo apt-get $1 >&2; exit 1")
        self.stub("apt-cache", "exit 1")
        self.stub("qemu-img", "exit 0")
        self.stub("qemu-system-x86_64", f"echo 'QEMU emulator version {qemu_version}'")
        environment = dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])
        return subprocess.run([PREPARE, "--packages_only"], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)

    def test_a_qemu_in_path_that_is_no_package_is_taken(self):
        for version in ("10.0.0", "10.2.50 (v10.2.0-1-gabc)", "11.1.3"):
            result = self.prepare(version)
            self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_an_old_qemu_is_not_taken(self):
        for version in ("6.2.0 (Debian 1:6.2+dfsg-2ubuntu6)", "8.2.2", "9.2.4"):
            self.assertEqual(self.prepare(version).returncode, 1)

    def test_it_says_how_to_build_qemu_in_the_words_of_the_document(self):
        with open(PREPARE) as file:
            functions = re.findall(r"^fail\(\).*?$|^fail_without_qemu\(\).*?^}$", file.read(), re.M | re.S)
        result = subprocess.run(["sh", "-c", "\n".join(functions) + "\nfail_without_qemu 'this Ubuntu'"],
                                stderr=subprocess.PIPE, text=True)
        self.assertIn("this Ubuntu has no QEMU 10.0 or newer", result.stderr)
        commands = re.search(r"^  sudo apt-get.*?(?=\n\n)", result.stderr, re.M | re.S).group()
        with open(os.path.join(ROOT, "doc", "install.md")) as file:
            self.assertIn(commands.split(), [block.split() for block in file.read().split("\n\n")])


if __name__ == "__main__":
    unittest.main()
