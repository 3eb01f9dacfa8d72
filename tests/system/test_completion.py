# SPDX-License-Identifier: GPL-2.0-or-later
"""The completion that is made for bash and zsh."""
import os
import re
import shutil
import subprocess
import unittest

from harness import BUILD, ROOT, SystemTest

BASH = os.path.join(BUILD, "memory_tracer.bash")
ZSH = os.path.join(BUILD, "_memory_tracer")
# Prints what _memory_tracer() leaves in COMPREPLY for the words given; the last one is being typed.
ASK = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _memory_tracer; printf "%s\\n" "${COMPREPLY[@]}"'


class Completion(SystemTest):
    def complete(self, *words):
        result = subprocess.run(["bash", "-c", ASK, "bash", BASH, "memory_tracer", *words], cwd=ROOT, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def options_in_help(self, *verb):
        return set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", self.tracer(*verb, "--help").out, re.M)) - {"--help"}

    def test_verbs(self):
        self.assertEqual(self.complete("re"), ["record", "reuse", "recover"])
        self.assertEqual(self.complete("image", ""), ["build", "prepare", "info"])
        for verb in self.complete(""):
            self.assertEqual(self.tracer(verb, "--help").status, 0)

    def test_every_option_of_every_verb(self):
        verbs = [[verb] for verb in self.complete("") if verb != "image"]
        verbs += [["image", verb] for verb in self.complete("image", "")]
        for verb in verbs:
            with self.subTest(verb=verb):
                expected = self.options_in_help(*verb)
                self.assertTrue(expected or verb == ["ctl"])
                self.assertLessEqual(expected, set(self.complete(*verb, "--")))

    def test_values_of_options(self):
        self.assertEqual(self.complete("run", "--when-full", ""), ["block", "drop"])
        self.assertEqual(self.complete("run", "--when-full", "=", "d"), ["drop"])
        self.assertEqual(self.complete("convert", "-t", "ra"), ["ramulator2"])
        self.assertEqual(self.complete("run", "--rw", "do"), ["doc"])
        self.assertEqual(self.complete("dump", "--cpl", "3", "READ"), ["README.md"])

    def test_a_command_line_behind_run(self):
        self.assertIn("gzip", self.complete("run", "--json", "gzi"))
        self.assertEqual(self.complete("run", "--files", "host", "--", "ls", "READ"), ["README.md"])
        self.assertEqual(self.complete("run", "ls", "--jso"), [])  # an option of ls, not of run

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is needed")
        # The real functions work in a terminal only, so the test looks at their arguments.
        script = 'autoload -Uz is-at-least; _arguments() { print -rl -- "$@" }; _describe() { print -rl -- ${(P)2} }; ' \
                 'file=$1; shift; words=("$@"); CURRENT=$#; source $file'
        for words, expected in ((["memory_tracer", ""], "record:trace a program of this machine into a trace file"),
                                (["memory_tracer", "image", ""], "build:make the default guest"),
                                (["memory_tracer", "image", "build", ""], "*--ram=[The guest's RAM (default\\: 2560)]:MB: "),
                                (["memory_tracer", "merge", "--vcpus", ""], ":(keep renumber one)"),
                                (["memory_tracer", "run", ""], "*::command:_normal")):
            result = subprocess.run(["zsh", "-fc", script, "zsh", ZSH, *words], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True)
            self.assertIn(expected, result.stdout)


if __name__ == "__main__":
    unittest.main()
