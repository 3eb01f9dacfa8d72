# SPDX-License-Identifier: GPL-2.0-or-later
"""memory_tracer image build, where it is not as usual. It takes minutes: guests are bootstrapped."""
import json
import os
import shutil
import unittest

from harness import HEAVY_TESTS, QEMU, SNAPSHOT, SystemTest


class Build(SystemTest):
    def setUp(self):
        super().setUp()
        self.image = self.path("image.qcow2")
        self.environment["XDG_DATA_HOME"] = self.path("data")
        self.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"  # an ordinary user's: mke2fs and modinfo aren't there

    def assert_only_the_image(self, *others):
        self.assertEqual(sorted(name for name in os.listdir(self.folder) if name not in ("tmp", "data")),
                         sorted(["image.qcow2", "image.qcow2.json", *others]))

    def qemu_without_icount(self):
        """Saves the time that the other snapshot takes."""
        return self.script("qemu-system-x86_64", f"""#!/bin/sh
case " $* " in *" -icount "*) echo "no icount today" >&2; exit 1 ;; esac
exec {QEMU} "$@"
""")

    def build(self, *options, timeout_s=1500):
        return self.finish(self.start("image", "build", "--output", self.image, *options), timeout_s)

    def info(self, image):
        result = self.tracer("image", "info", "--json", image)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def assert_build_fails(self, result, text):
        """It ends with that line, and leaves nothing."""
        self.assertEqual((result.status, result.out), (1, ""), result.err)
        self.assertEqual(result.err.splitlines()[-1], f"memory_tracer: {text}")
        self.assertEqual([name for name in os.listdir(self.folder) if name != "tmp"], [])

    def test_a_guest_of_ones_own(self):
        """With packages, a disk and vCPUs of some size, and, for want of it, without --icount."""
        left = self.path(".image-build-run-abcdef")  # of one that was killed
        os.mkdir(left)
        with open(os.path.join(left, "root.img"), "w") as file:
            file.write("x" * 1000)
        vcpus = len(os.sched_getaffinity(0)) + 1  # more than there are cores, on any machine
        options = ["--packages", "tree,time", "--disk", "700", "--vcpus", str(vcpus), "--qemu", self.qemu_without_icount()]
        result = self.build(*options)
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.err, "the image has no snapshot for --icount: .*no icount today")
        self.assertIn(f"{vcpus} vCPUs are more than the {vcpus - 1} core", result.err)
        self.assert_only_the_image("qemu-system-x86_64")
        with open(self.image + ".json") as file:
            self.assertEqual(list(json.load(file)["snapshots"]), [SNAPSHOT])
        self.assert_has_the_packages()
        result = self.build("--if-needed", *options)
        self.assertEqual((result.status, result.out), (0, f"{self.image} is up to date\n"), result.err)
        self.assert_fails(self.tracer("run", "--icount", "--image", self.image, "true"), f"no snapshot '{SNAPSHOT}_icount'")
        self.assert_known_by_where_it_was_made()

    def assert_has_the_packages(self):
        info = self.info(self.image)
        self.assertEqual(info["virtual_bytes"], 700 << 20)
        self.assertEqual(info["snapshots"][0]["packages"], ["tree", "time"])
        self.assertIn("\n  packages                 tree, time\n", self.tracer("image", "info", self.image).out)
        guest = ["run", "--sink", "untraced", "--files", "image", "--image", self.image]
        result = self.tracer(*guest, "sh", "-c", "tree /etc/hosts; cat /etc/hostname; wc -c </etc/resolv.conf; "
                             "dpkg-query -W -f '${db:Status-Status}\n' tree time; df -m --output=size / | tail -n 1")
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.out, r"^/etc/hosts\s[^z]*\nguest\n0\ninstalled\ninstalled\n +6\d\d\n$")

    def assert_known_by_where_it_was_made(self):
        """It is the one that was made here, wherever it is moved to; a copy, which could be anybody's, is not."""
        copy, moved = self.path("copy.qcow2"), self.path("moved.qcow2")
        shutil.copy2(self.image, copy)
        os.rename(self.image, moved)
        self.assertTrue(self.info(moved)["made_here"])
        self.assertFalse(self.info(copy)["made_here"])
        self.assertIn("\nmade here: ", self.tracer("image", "info", moved).out)
        self.assertIn("\nnot made here: ", self.tracer("image", "info", copy).out)

    def test_packages_that_are_not(self):
        result = self.build("--packages", "no-such-package,mail-transport-agent,tree")
        self.assert_build_fails(result, "the packages can't be installed: Unable to locate package no-such-package; Package "
                                        "'mail-transport-agent' has no installation candidate")

    if HEAVY_TESTS:
        def test_a_disk_that_is_too_small(self):
            result = self.build("--disk", "128")
            self.assertRegex(result.err, r"\d\d\d MB: say --disk \d\d\d or more\n$")
            self.assert_build_fails(result, result.err.splitlines()[-1].replace("memory_tracer: ", "", 1))

    def test_usage(self):
        for options in (["--packages", "tree,"], ["--packages", "tree, gcc"], ["--packages", "Tree"], ["--packages", "-y"],
                        ["--packages", "tree=1.0"], ["--packages", "tree/stable"], ["--packages", "a\nb"],
                        ["--packages", "$(id)"], ["--disk", "127"], ["--disk", "1048577"], ["--disk", "x"]):
            with self.subTest(options):
                self.assert_fails(self.build(*options), status=2)


if __name__ == "__main__":
    unittest.main()
