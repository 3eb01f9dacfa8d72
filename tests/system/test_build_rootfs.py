# SPDX-License-Identifier: GPL-2.0-or-later
"""guest/build_rootfs: which files of a kernel's package are unpacked. The package is one that the test makes."""
import os
import subprocess
import unittest

from harness import ROOT, SystemTest

MODULES = "usr/lib/modules/6.12/kernel/"
USUAL = ["boot/vmlinuz-6.12", "usr/lib/modules/6.12/modules.dep", MODULES + "drivers/virtio/virtio_pci.ko.xz",
         MODULES + "drivers/block/virtio_blk.ko.xz", MODULES + "drivers/char/lp.ko.xz", MODULES + "fs/9p/9p.ko.xz",
         MODULES + "net/9p/9pnet_virtio.ko.xz", MODULES + "net/packet/af_packet.ko.xz", MODULES + "lib/crc16.ko.xz",
         MODULES + "crypto/crc32c_generic.ko.xz", MODULES + "arch/x86/crypto/crc32c-intel.ko.xz"]


class KernelPackage(SystemTest):
    def unpacked(self, files):
        package, root, programs = self.path("package"), self.path("root"), self.path("programs")
        for name in ["DEBIAN/control", *files]:
            path = os.path.join(package, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write("Package: linux-image-6.12\nVersion: 1\nArchitecture: amd64\nMaintainer: a\nDescription: a\n")
        os.makedirs(os.path.join(root, "tmp"))
        os.mkdir(programs)
        for name, script in (("apt-cache", "exit 0"), ("apt-get", f"dpkg-deb -b {package} linux-image-6.12.deb >/dev/null")):
            with open(os.path.join(programs, name), "w") as file:
                file.write("#!/bin/sh\n" + script + "\n")
            os.chmod(os.path.join(programs, name), 0o755)
        environment = dict(os.environ, PATH=programs + ":" + os.environ["PATH"], MMDEBSTRAP_APT_CONFIG="/dev/null")
        result = subprocess.run([os.path.join(ROOT, "guest", "build_rootfs"), "--kernel-hook", root], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        return sorted(os.path.relpath(os.path.join(folder, name), root)
                      for folder, _, names in os.walk(root) for name in names)

    def test_modules_are_unpacked(self):
        files = USUAL + [MODULES + "drivers/char/virtio_console.ko.xz"]
        self.assertEqual(self.unpacked(files + [MODULES + "sound/snd.ko.xz"]), sorted(files))

    def test_a_module_may_be_a_part_of_the_kernel(self):
        self.assertEqual(self.unpacked(USUAL), sorted(USUAL))  # without virtio_console, as in Debian 13


if __name__ == "__main__":
    unittest.main()
