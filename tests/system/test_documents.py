# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages show all of their text, and the options and files that documents name exist."""
import glob
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import BUILD, ROOT, TRACER

# The page of each verb; "": the positional command line.
VERBS = {"": "memory_tracer.1", "run": "memory_tracer-run.1", "record": "memory_tracer-record.1",
         "ctl": "memory_tracer-ctl.1"}
VERBS.update({f"image {verb}": "memory_tracer-image.1" for verb in ("build", "prepare", "info")})
VERBS.update({verb: "memory_tracer-trace.1" for verb in "info tasks objects dump check recover cut merge convert".split()})
VERBS.update({"stat": "memory_tracer-stat.1", "analyze": "memory_tracer-stat.1"})
VERBS.update({verb: f"memory_tracer-{verb}.1" for verb in ("cache", "sweep", "tlb", "mrc", "reuse", "sharing", "heatmap", "wss")})
REFUSED = [("record", "record-format")]  # options that a verb has in common with others, and no use for
NEAR = 600  # characters: the same paragraph, or the next one
LICENCE = re.compile(r"^<!-- .* -->$", re.M)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def manual_pages():
    return sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(ROOT, "doc", "*.[0-9].md")))


def documents():
    return sorted(os.path.relpath(path, ROOT) for folder in ("*.md", "doc/*.md") for path in glob.glob(os.path.join(ROOT, folder)))


def is_code(line):
    """Whether it is shown as it is: text indented by four that follows no line of a definition."""
    return line.startswith("    ")


def plain_text(page):
    """What a reader of the source sees as its text: without title, emphasis and escapes."""
    source = LICENCE.sub("", read(f"doc/{page}.md").split("\n\n", 1)[1])
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", source):
        if not all(is_code(line) for line in paragraph.split("\n")):
            paragraph = re.sub(r"^(#+ |:  +|- )", "", paragraph, flags=re.M)
            paragraph = re.sub(r"(?<!\\)\*\*(\S|\S.*?\S)\*\*", r"\1", paragraph, flags=re.S)
            paragraph = re.sub(r"(?<!\\)\*(\S|\S.*?\S)\*", r"\1", paragraph, flags=re.S)
            paragraph = re.sub(r"\\(\W)", r"\1", paragraph)
        paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def rendered_text(page):
    environment = dict(os.environ, MANWIDTH="9999", MANPAGER="cat", LC_ALL="C.UTF-8", MAN_KEEP_FORMATTING="")
    environment["MANOPT"] = "--no-hyphenation --no-justification"
    text = subprocess.run(["man", "-l", os.path.join(BUILD, page)], env=environment, stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[1:-1])  # without the head and the foot, which are not in the source


def words(text):
    """White space and the shapes of dashes, quotes and bullets don't matter."""
    for shape, usual in (("‐−–", "-"), ("‘’´", "'"), ("“”", '"'), ("•", "")):
        for character in shape:
            text = text.replace(character, usual)
    return text.split()


class ManualPages(unittest.TestCase):
    def test_they_show_all_of_their_text(self):
        if not shutil.which("lowdown") or not shutil.which("man"):
            self.skipTest("lowdown and man are needed")
        for page in manual_pages():
            with self.subTest(page=page):
                self.assertEqual(words(rendered_text(page)), words(plain_text(page)))

    def test_they_name_every_option(self):
        for verb, page in VERBS.items():
            text = plain_text(page)
            answer = subprocess.run([TRACER, *verb.split(), "--print-options"], stdout=subprocess.PIPE, text=True, check=True)
            for line in answer.stdout.splitlines():
                name, letter = line.split("\t")[:2]
                if (verb, name) not in REFUSED:
                    with self.subTest(verb=verb, option=name):
                        spellings = re.escape("--" + name) + (f"|-{letter}" if letter else "")
                        self.assertRegex(text, rf"(?<![\w-])(?:{spellings})(?![\w-])")

    def test_every_verb_is_in_the_help_and_on_the_first_page(self):
        answer = subprocess.run([TRACER, "--print-verbs"], stdout=subprocess.PIPE, text=True, check=True)
        text = subprocess.run([TRACER, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        synopsis = plain_text("memory_tracer.1").split("SYNOPSIS")[1].split("DESCRIPTION")[0]
        for line in answer.stdout.splitlines():
            verb, what = line.split("\t")
            with self.subTest(verb=verb):
                self.assertRegex(text, rf"(?m)^  {verb} +{re.escape(what)}$")
                self.assertRegex(synopsis, rf"(memory_tracer|\|) {verb}\b")

    def test_files_that_they_name_are_installed(self):
        answer = subprocess.run(["meson", "introspect", "--installed", BUILD], stdout=subprocess.PIPE, text=True, check=True)
        installed = list(json.loads(answer.stdout).values())
        for page in manual_pages():
            for name in set(re.findall(r"\b(?:[\w-]+/[\w/.-]+|[\w-]+)\.(?:md|h)\b|\b(?:bench|examples)/[\w.]+", plain_text(page))):
                with self.subTest(page=page, name=name):
                    self.assertTrue(any(path.endswith("/" + name) for path in installed))


class Documents(unittest.TestCase):
    def test_links_lead_to_files(self):
        for path in documents():
            text = re.sub(r"`[^`\n]*`", "", read(path))
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
                with self.subTest(document=path, target=target):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)))

    def test_gmbe_is_explained_where_it_first_appears(self):
        for path in documents() + ["include/memory_tracer/record.h"]:
            text = read(path)
            name = text.find("GMBE")
            if name >= 0:
                with self.subTest(document=path):
                    explanation = re.search(r"guest_mem_before_exec|GMBEOO, see\s+\*\*memory_tracer\*\*\(1\)", text)
                    self.assertTrue(explanation and explanation.start() < name + NEAR)

    def test_gmbe_is_explained_in_every_help(self):
        for verb in list(VERBS) + ["../qemu_mem_tracer_runner"]:
            program = [os.path.join(BUILD, os.path.basename(verb))] if "/" in verb else [TRACER, *verb.split()]
            text = subprocess.run([*program, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
            with self.subTest(verb=verb):
                explained = "guest_mem_before_exec" in text or "16-byte (GMBEOO)" in text
                self.assertEqual(explained, "GMBE" in text.replace("guest_mem_before_exec", ""))


if __name__ == "__main__":
    unittest.main()
