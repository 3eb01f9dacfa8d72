# SPDX-License-Identifier: GPL-2.0-or-later
"""memory_tracer image build, where it is not as usual. It takes a minute: a guest is bootstrapped."""
import json
import os
import unittest

from harness import QEMU, SNAPSHOT, SystemTest


class Build(SystemTest):
    def setUp(self):
        super().setUp()
        self.image = self.path("image.qcow2")
        self.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"  # an ordinary user's: mke2fs and modinfo aren't there

    def assert_only_the_image(self, *others):
        self.assertEqual(sorted(name for name in os.listdir(self.folder) if name != "tmp"),
                         sorted(["image.qcow2", "image.qcow2.json", *others]))

    def test_without_its_icount_snapshot_the_other_one_is_kept(self):
        qemu = self.script("qemu-system-x86_64", f"""#!/bin/sh
case " $* " in *" -icount "*) echo "no icount today" >&2; exit 1 ;; esac
exec {QEMU} "$@"
""")
        left = self.path(".image-build-run-abcdef")  # of one that was killed
        os.mkdir(left)
        with open(os.path.join(left, "root.img"), "w") as file:
            file.write("x" * 1000)
        # Of more vCPUs than there are cores, on any machine.
        vcpus = len(os.sched_getaffinity(0)) + 1
        result = self.finish(self.start("image", "build", "--vcpus", str(vcpus), "--qemu", qemu, "--output", self.image), 1500)
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.err, "the image has no snapshot for --icount: .*no icount today")
        self.assertIn(f"{vcpus} vCPUs are more than the {vcpus - 1} core", result.err)
        self.assert_only_the_image("qemu-system-x86_64")
        with open(self.image + ".json") as file:
            self.assertEqual(list(json.load(file)["snapshots"]), [SNAPSHOT])
        result = self.tracer("run", "--sink", "untraced", "--image", self.image, "echo", "ran")
        self.assertEqual((result.status, result.out), (0, "ran\n"), result.err)
        self.assert_fails(self.tracer("run", "--icount", "--image", self.image, "true"), f"no snapshot '{SNAPSHOT}_icount'")


if __name__ == "__main__":
    unittest.main()
