# SPDX-License-Identifier: GPL-2.0-or-later
"""What the container runs (scripts/container_entry). Whether the container can be built is tried by hand: doc/install.md."""
import json
import os
import subprocess
import unittest

from harness import BUILD, IMAGE, ROOT, TRACER, SystemTest

ENTRY = os.path.join(ROOT, "scripts", "container_entry")


class Entry(SystemTest):
    def made_here(self, *command):
        environment = dict(self.environment, PATH=BUILD + ":" + os.environ["PATH"], XDG_DATA_HOME=self.path("data"))
        answer = subprocess.run([*command, "image", "info", "--json", IMAGE], env=environment, stdout=subprocess.PIPE,
                                text=True, check=True)
        return json.loads(answer.stdout)["made_here"]

    def test_the_guest_counts_as_made_here(self):
        self.assertFalse(self.made_here(TRACER))
        self.assertTrue(self.made_here(ENTRY, IMAGE))
        self.assertTrue(self.made_here(TRACER))

    def test_no_other_guest_does(self):
        self.assertFalse(self.made_here(ENTRY, TRACER))

    def test_arguments_and_status_are_passed_on(self):
        environment = dict(self.environment, PATH=BUILD + ":" + os.environ["PATH"], XDG_DATA_HOME=self.path("data"))
        result = subprocess.run([ENTRY, IMAGE, "a b"], env=environment, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("unknown verb 'a b'", result.stderr)


if __name__ == "__main__":
    unittest.main()
