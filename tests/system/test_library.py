# SPDX-License-Identifier: GPL-2.0-or-later
"""libmemory_tracer as its users see it: installed, found with pkg-config, from C and C++."""
import ctypes
import os
import re
import struct
import subprocess
import unittest

from harness import ROOT, SystemTest

BUILD = os.path.join(ROOT, "build")  # never the one with sanitizers: programs without them can't use its library
GOLDEN = os.path.join(ROOT, "tests", "golden")
EXAMPLE = os.path.join(ROOT, "examples", "read_trace.c")


class Installed(SystemTest):
    def setUp(self):
        super().setUp()
        self.root = self.path("root")
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", self.root], check=True,
                       stdout=subprocess.DEVNULL)
        found = subprocess.run(["find", self.root, "-name", "*.pc"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.environment["PKG_CONFIG_PATH"] = os.path.dirname(found.strip())
        self.environment["PKG_CONFIG_SYSROOT_DIR"] = self.root
        self.library = os.path.dirname(os.path.dirname(found.strip()))
        self.environment["LD_LIBRARY_PATH"] = self.library

    def flags(self, *options):
        return subprocess.run(["pkg-config", *options, "libmemory_tracer"], env=self.environment, stdout=subprocess.PIPE,
                              text=True, check=True).stdout.split()

    def output(self, *command):
        return subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def test_a_program_is_built_with_it(self):
        program = self.path("read_trace")
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLE, *self.flags("--cflags", "--libs"),
                        "-lpthread"], check=True)
        expected = "CPL 0: 123 loads, 117 stores\nCPL 3: 122 loads, 238 stores\n3798 bytes\n"
        self.assertEqual(self.output(program, os.path.join(GOLDEN, "all.mtrace")), expected)
        stream = self.path("stream.compact")
        with open(stream, "wb") as file:
            for info in (0x03, 0x23, 0xc3, 0xc2, 0xe3):
                file.write(struct.pack("<Q", info << 48 | 0x7fff0000))
        self.assertEqual(self.output(program, stream), "CPL 0: 1 loads, 1 stores\nCPL 3: 2 loads, 1 stores\n36 bytes\n")
        self.assertIn("read_trace: /nowhere: can't open", self.output(program, "/nowhere"))

    def test_what_it_is_made_with_is_no_business_of_those_who_use_it(self):
        self.assertNotIn("glib", " ".join(self.flags("--cflags", "--libs")))

    def test_without_installing_it(self):
        self.environment["PKG_CONFIG_PATH"] = BUILD
        del self.environment["PKG_CONFIG_SYSROOT_DIR"]
        program = self.path("uninstalled")
        subprocess.run(["gcc", "-o", program, EXAMPLE, *self.flags("--cflags", "--libs"), "-lpthread"], check=True)
        self.environment["LD_LIBRARY_PATH"] = BUILD
        self.assertIn("3798 bytes", self.output(program, os.path.join(GOLDEN, "all.mtrace")))

    def test_languages_without_a_c_compiler_have_functions(self):
        library = ctypes.CDLL(os.path.join(self.library, "libmemory_tracer.so.0"))
        self.assertEqual([library.mt_size(info) for info in (0, 3, 0xe4)], [1, 8, 16])
        self.assertEqual((library.mt_cpl(0xe4), library.mt_is_store(0xe4) & 1, library.mt_is_store(0xc4) & 1), (3, 1, 0))

    def test_the_static_library(self):
        program = self.path("static")
        dependencies = [word for word in self.flags("--static", "--libs") if word not in ("-lmemory_tracer", "-pthread")]
        subprocess.run(["gcc", "-o", program, EXAMPLE, *self.flags("--cflags"),
                        os.path.join(self.library, "libmemory_tracer.a"), *dependencies, "-lpthread"], check=True)
        self.assertIn("3798 bytes", self.output(program, os.path.join(GOLDEN, "all.mtrace")))

    def test_headers_compile_alone_as_c_and_cpp(self):
        for header in ("trace.h", "record.h", "roi.h"):
            for compiler, name in (("gcc", "main.c"), ("g++", "main.cc")):
                with open(self.path(name), "w") as file:
                    file.write(f"#include <memory_tracer/{header}>\nint main() {{ return 0; }}\n")
                subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", self.path(name),
                                *self.flags("--cflags")], check=True)

    def test_only_what_is_public_is_exported_and_it_is_versioned(self):
        symbols = self.output("nm", "-D", "--defined-only", os.path.join(self.library, "libmemory_tracer.so"))
        names = set(re.findall(r" [TDBR] (\S+)", symbols))
        with open(os.path.join(ROOT, "include", "memory_tracer", "trace.h")) as file:
            declared = set(re.findall(r"^(?:const )?[\w ]+[ *](mt_\w+)\(.*;?$", file.read(), re.M))
        self.assertEqual(names, {name + "@@MEMORY_TRACER_0.2" for name in declared})


if __name__ == "__main__":
    unittest.main()
