# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dynamic program brings along into the guest; and that nothing of it runs on this machine to find that out."""
import os
import random
import struct
import subprocess
import unittest

from harness import BUILD, SystemTest

LIST = os.path.join(BUILD, "list_libraries")
PROGRAMS = ["bash", "python3", "perl", "gcc", "tar", "openssl", "gdb", "ssh", "xz", "sort", "find", "qemu-img",
            "qemu-system-x86_64", "mmdebstrap", "apt-get", "ninja", "git", "ldd"]
ANSWER = "int answer(void) { return %d; }\n"
MAIN = "#include <stdio.h>\nint answer(void);\nint main(void) { printf(\"%d\\n\", answer()); }\n"


def ldd(program):
    """The files that the program's own loader would take."""
    found = set()
    for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines():
        path = line.split("=>")[-1].strip().split(" (0x")[0]
        if path.startswith("/"):
            found.add(path)
    return found


class LibraryTest(SystemTest):
    def compile(self, name, source, *options, compiler="gcc"):
        """Compiles `source` to a file in the test's folder, and makes the folder that it is in."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run([compiler, "-x", "c", "-", "-x", "none", "-o", path, *options], input=source, text=True, check=True)
        return path

    def library(self, name, source=ANSWER % 42, *options):
        return self.compile(name, source, "-shared", "-fPIC", *options)

    def program(self, *options, name="prog"):
        """One that needs libanswer.so."""
        self.library("link/libanswer.so", ANSWER % 0, "-Wl,-soname,libanswer.so")
        return self.compile(name, MAIN, "-Wl,--no-as-needed", "-L" + self.path("link"), "-lanswer", *options)

    def list(self, program):
        return subprocess.run([LIST, program], env=self.environment, capture_output=True, text=True, timeout=60)

    def files(self, program):
        result = self.list(program)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.split()


class Search(LibraryTest):
    def test_the_same_libraries_as_ldd_finds(self):
        compared = 0
        for name in PROGRAMS:
            program = os.path.join("/usr/bin", name)
            if not os.path.exists(program):
                continue
            with open(program, "rb") as file:
                if file.read(4) != b"\x7fELF":
                    continue
            with self.subTest(program=program):
                self.assertEqual(set(self.files(program)) - {program}, ldd(program))
            compared += 1
        self.assertGreaterEqual(compared, 12)

    def test_the_order_of_places(self):
        """A DT_RPATH comes before LD_LIBRARY_PATH, and that before a DT_RUNPATH; $ORIGIN is where the program is."""
        library = {place: self.library(f"{place}/libanswer.so") for place in ("environment", "own path")}
        rpath = self.program("-Wl,--disable-new-dtags,-rpath,$ORIGIN/own path", name="rpath")
        runpath = self.program("-Wl,--enable-new-dtags,-rpath,${ORIGIN}/own path", name="runpath")
        for program, path, place in ((rpath, "environment", "own path"), (runpath, "environment", "environment"),
                                     (runpath, "no such folder", "own path"), (runpath, "", "own path")):
            self.environment["LD_LIBRARY_PATH"] = self.path(path) if path else ""
            with self.subTest(program=program, path=path):
                self.assertIn(library[place], self.list(program).stdout.splitlines())
                self.assertIn(library[place], ldd_with(program, self.environment))

    def test_an_rpath_is_inherited_and_a_runpath_is_not(self):
        self.library("deep/libdeep.so", "int deep(void) { return 1; }\n", "-Wl,-soname,libdeep.so")
        self.library("link/libanswer.so", "int deep(void);\nint answer(void) { return deep(); }\n", "-L" + self.path("deep"),
                     "-ldeep", "-Wl,-soname,libanswer.so")
        for tags, status in (("--disable-new-dtags", 0), ("--enable-new-dtags", 1)):
            program = self.compile("prog", MAIN, "-L" + self.path("link"), "-lanswer",
                                   f"-Wl,{tags},--allow-shlib-undefined,-rpath,{self.path('link')}:{self.path('deep')}")
            result = self.list(program)
            self.assertEqual(result.returncode, status, result.stderr)
            if status:
                self.assertEqual(result.stderr, f"this machine doesn't have the library libdeep.so, which "
                                                f"{self.path('link/libanswer.so')} needs\n")

    def test_a_file_for_another_processor_is_passed_over(self):
        with open(self.library("right/libanswer.so"), "rb") as file:
            library = bytearray(file.read())
        os.mkdir(self.path("wrong"))
        os.mkdir(self.path("worse"))
        os.mkfifo(self.path("worse/libanswer.so"))
        library[4] = 1  # ELFCLASS32
        struct.pack_into("<H", library, 18, 3)  # EM_386
        with open(self.path("wrong/libanswer.so"), "wb") as file:
            file.write(library)
        program = self.program(f"-Wl,-rpath,{self.path('wrong')}:{self.path('worse')}:{self.path('right')}")
        self.assertIn(self.path("right/libanswer.so"), self.files(program))
        self.assertNotIn(self.path("wrong/libanswer.so"), self.files(program))

    def test_variants_for_newer_processors_come_along(self):
        paths = [self.library(f"own/{folder}libanswer.so") for folder in ("", "glibc-hwcaps/x86-64-v3/")]
        files = self.files(self.program("-Wl,-rpath,$ORIGIN/own"))
        for path in paths:
            self.assertIn(path, files)

    def test_libraries_that_need_each_other(self):
        self.library("own/liba.so", "int a;\n", "-Wl,-soname,liba.so")
        self.library("own/libanswer.so", ANSWER % 1, "-Wl,--no-as-needed", "-L" + self.path("own"), "-la",
                     "-Wl,-soname,libanswer.so")
        self.library("own/liba.so", "int a;\n", "-Wl,--no-as-needed", "-L" + self.path("own"), "-lanswer",
                     "-Wl,-soname,liba.so")
        files = self.files(self.program(f"-Wl,-rpath-link,{self.path('own')},--disable-new-dtags,-rpath,{self.path('own')}"))
        self.assertEqual(files.count(self.path("own/liba.so")), 1)

    def test_a_program_by_a_symbolic_link_finds_what_is_beside_the_file(self):
        self.library("real/own/libanswer.so")
        self.program("-Wl,-rpath,$ORIGIN/own", name="real/prog")
        os.symlink("real/prog", self.path("link_to_prog"))
        self.assertIn("LD_LIBRARY_PATH=" + self.path("real/own"), self.files(self.path("link_to_prog")))
        result = self.tracer("run", "--files", "image", "--sink", "untraced", self.path("link_to_prog"))
        self.assertEqual((result.status, result.out), (0, "42\n"), result.err)


def ldd_with(program, environment):
    return subprocess.run(["ldd", program], env=environment, capture_output=True, text=True, check=True).stdout.replace(
        " (0x", "\n").replace("=> ", "\n").split("\n")


class InTheGuest(LibraryTest):
    def test_what_ld_library_path_finds(self):
        self.library("elsewhere/libanswer.so")
        program = self.program()
        self.assert_fails(self.tracer("run", "--files", "image", program), "libanswer.so", program, status=127)
        self.environment["LD_LIBRARY_PATH"] = self.path("elsewhere")
        for verb in (["run", "--files", "image", "--sink", "untraced"], ["record", "--files", "image", "-o", self.path("trace")]):
            result = self.tracer(*verb, program)
            self.assertEqual((result.status, result.out), (0, "42\n"), result.err)

    def test_a_library_by_a_path(self):
        library = self.library("by path/libanswer.so", ANSWER % 43)
        program = self.compile("prog", MAIN, library)
        result = self.tracer("run", "--files", "image", "--sink", "untraced", program)
        self.assertEqual((result.status, result.out), (0, "43\n"), result.err)

    def test_where_the_libraries_lie_is_recorded(self):
        program = self.compile("prog", "#include <stdio.h>\nint main(void) { char line[999];\n"
                               "FILE *maps = fopen(\"/proc/self/maps\", \"r\");\n"
                               "while (fgets(line, sizeof line, maps)) fputs(line, stdout); }\n")
        result = self.tracer("record", "-o", self.path("trace"), program)
        self.assertEqual(result.status, 0, result.err)
        start = min(int(line.split("-")[0], 16) for line in result.out.splitlines() if "libc.so.6" in line)
        with open(self.path("trace"), "rb") as file:
            attachment = file.read().split(b"libraries(\xb5/\xfd")[1]
        lines = subprocess.run(["zstd", "-qdc"], input=b"(\xb5/\xfd" + attachment, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL).stdout.split(b"\n\0")[0].decode(errors="replace").splitlines()
        self.assertIn(f"{start:016x} /lib/x86_64-linux-gnu/libc.so.6", lines)

    def test_a_program_of_another_loader_runs_once(self):
        """musl's loader would start the program when it is asked about libraries in glibc's way."""
        program = self.compile("prog", """#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    struct stat status;
    int fd = open("/root/ran", O_CREAT | O_APPEND | O_WRONLY, 0600);
    write(fd, "x", 1);
    fstat(fd, &status);
    printf("run %d\\n", (int)status.st_size);
}
""", compiler="musl-gcc")
        self.assertIn("/lib/ld-musl-x86_64.so.1", self.files(program))
        for verb in (["run", "--files", "image"], ["record", "--files", "image", "-o", self.path("trace")]):
            result = self.tracer(*verb, program)
            self.assertEqual((result.status, result.out), (0, "run 1\n"), result.err)


class NothingRunsHere(LibraryTest):
    def test_the_loader_that_a_program_chooses(self):
        mark = self.path("ran")
        loader = self.compile("loader", f"#include <fcntl.h>\nint main(void) {{ open(\"{mark}\", O_CREAT, 0600); }}\n",
                              "-static")
        program = self.compile("prog", "int main(void) { return 0; }\n", "-Wl,--dynamic-linker=" + loader)
        self.tracer("run", "--sink", "untraced", program)
        self.tracer("record", "-o", self.path("trace"), program)
        self.assertFalse(os.path.exists(mark))

    def test_a_loader_that_is_none(self):
        os.mkfifo(self.path("fifo"))
        self.script("script", "#!/bin/sh\ntouch ran\n")
        for loader, text in ((self.path("fifo"), "it is a FIFO"), ("/dev/zero", "it is a device"), ("/", "it is a folder"),
                             (self.path("script"), "is not an x86-64 program"), (self.path("gone"), "No such file"),
                             ("ld.so", "No such file")):
            program = self.compile("prog", "int main(void) { return 0; }\n", "-Wl,--dynamic-linker=" + loader)
            with self.subTest(loader=loader):
                self.assert_fails(self.tracer("run", program), "can't execute " + program, text,
                                  status=127 if text == "No such file" else 126)

    def test_a_library_that_is_none(self):
        library = self.library("libanswer.so")
        program = self.compile("prog", MAIN, library)
        os.unlink(library)
        os.mkfifo(library)
        self.assert_fails(self.tracer("run", "--files", "image", program), "doesn't have the library " + library, program,
                          status=127)

    def test_damaged_programs_are_refused_or_read(self):
        """Whatever is in the file, reading it comes to an end, without reading out of bounds."""
        with open(self.program(f"-Wl,-rpath,{self.path('link')}"), "rb") as file:
            good = file.read()
        header_end = 64 + 56 * struct.unpack_from("<H", good, 56)[0]
        places = list(range(4, header_end)) + self.dynamic_section(good)
        generator = random.Random(1)
        for _ in range(400):
            data = bytearray(good)
            for _ in range(generator.randint(1, 4)):
                data[generator.choice(places)] = generator.choice((0, 1, 0x7f, 0x80, 0xff, generator.randrange(256)))
            del data[generator.choice((len(data), len(data), generator.randrange(64, len(data)))):]
            path = self.path("damaged")
            with open(path, "wb") as file:
                file.write(data)
            result = self.list(path)
            self.assertIn(result.returncode, (0, 1), result.stderr)
            self.assertEqual(result.returncode, result.stderr.count("\n"))

    @staticmethod
    def dynamic_section(elf):
        """The file offsets of its bytes."""
        start, = struct.unpack_from("<Q", elf, 32)
        for i in range(struct.unpack_from("<H", elf, 56)[0]):
            kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, start + 56 * i)
            if kind == 2:
                return list(range(offset, offset + size))
        raise AssertionError("no dynamic section")


if __name__ == "__main__":
    unittest.main()
