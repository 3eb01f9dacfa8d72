# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of doc/tutorial.md, run in its order, print what it says, except for numbers."""
import os
import re
import shutil
import subprocess
import unittest

import images
from harness import BUILD, HEAVY_TESTS, IMAGE, ROOT, OrdinaryUserTest, SystemTest

TIMEOUT_S = 1200
HEAVY = "<!-- heavy -->"
OF_ORDINARY_USER = ("test_a_shell_pipeline", "test_gcc")


def sections():
    """The tutorial's sections: name, whether it is a heavy one, and its commands with the lines they print."""
    with open(os.path.join(ROOT, "doc", "tutorial.md")) as file:
        for section in re.split(r"^## ", file.read(), flags=re.M)[1:]:
            name, commands = section.split("\n", 1)[0], []
            for line in re.findall(r"^    (.*)$", section, re.M):
                if line.startswith("$ "):
                    commands.append((line[2:], []))
                elif line != "...":
                    commands[-1][1].append(line)
            yield name, HEAVY in section, commands


def pattern(line):
    """What prints such a line: numbers depend on the machine, unless one is all there is; so does the space before them."""
    if re.fullmatch(r"[0-9a-f.]+ *-?", line):
        return re.escape(line)
    if line.endswith(".qcow2 is ready"): # the last time's may have been kept
        return re.escape(line.removesuffix("ready")) + "(ready|up to date)"
    words = (re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "[0-9a-f]+", re.escape(word)) for word in line.split())
    return r"\s+".join("[0-9a-f]+(/[0-9a-f]+)?" if word == "[0-9a-f]+/[0-9a-f]+" else word for word in words)  # a first thread's or not


def link_images(source, target):
    """Guests that examples have built are kept for the next time: `image build --if-needed` sees whether they are up to date. They are
    links, as a copy isn't a guest that was made here; on another file system they are built each time."""
    if not os.path.isdir(source) or os.stat(source).st_dev != os.stat(target).st_dev:
        return
    for name in os.listdir(source):
        if re.search(r"\.qcow2(\.json)?$", name):
            path = os.path.join(target, name)
            if os.path.exists(path):
                os.unlink(path)
            os.link(os.path.join(source, name), path)


class Tutorial(SystemTest):
    def setUp(self):
        super().setUp()
        self.here = self.path("repository")
        os.mkdir(self.here)
        os.symlink(os.path.join(ROOT, "examples"), os.path.join(self.here, "examples"))
        kept = os.path.join(images.FOLDER, "tutorial")
        os.makedirs(kept, exist_ok=True)
        link_images(kept, self.here)
        self.kept_images = kept
        # The system's programs, which have the packages that the tests install.
        self.environment.update(PATH=f"{BUILD}:/usr/bin:/bin:/usr/sbin:/sbin", MEMORY_TRACER_IMAGE=IMAGE)

    def take_four_vcpus(self):
        """Another test's guest, which is built with the same options."""
        if os.path.exists(os.path.join(self.here, "four.qcow2")) or os.stat(self.here).st_dev != os.stat(images.FOLDER).st_dev:
            return
        image = images.several_vcpus()
        for suffix in ("", ".json"):
            os.link(image + suffix, os.path.join(self.here, "four.qcow2" + suffix))

    def tearDown(self):
        link_images(self.here, self.kept_images)
        super().tearDown()

    def run_section(self, commands, **popen):
        self.assertTrue(commands)
        if any("--output four.qcow2" in command for command, _ in commands):
            self.take_four_vcpus()
        for command, wanted in commands:
            result = subprocess.run(["bash", "-c", command], cwd=self.here, env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, **popen)
            self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}")
            printed = [line.strip() for line in result.stdout.splitlines()]
            for line in wanted:
                self.assertTrue(any(re.fullmatch(pattern(line), text) for text in printed), f"{line}\n{result.stdout}")


@unittest.skipIf(os.geteuid(), "as an ordinary user, all of the tests are these")
class TutorialOfOrdinaryUser(OrdinaryUserTest):
    """Those that differ in what they do with the user's files: they read them, or write them."""

    run_section = Tutorial.run_section

    def setUp(self):
        super().setUp()
        self.here = self.path("repository")
        shutil.copytree(os.path.join(ROOT, "examples"), os.path.join(self.here, "examples"))
        self.give(self.here)
        self.environment.update(PATH=f"{self.installed}:/usr/bin:/bin")


def add_tests():
    for title, is_heavy, commands in sections():
        name = "test_" + re.sub(r"\W+", "_", title.split(":")[0]).lower()
        if HEAVY_TESTS or not is_heavy:
            setattr(Tutorial, name, lambda self, commands=commands: self.run_section(commands))
        if name in OF_ORDINARY_USER:
            setattr(TutorialOfOrdinaryUser, name, lambda self, commands=commands: self.run_section(commands, **self.ids))
    assert all(hasattr(TutorialOfOrdinaryUser, name) for name in OF_ORDINARY_USER), "a section has another name"


add_tests()

if __name__ == "__main__":
    unittest.main()
