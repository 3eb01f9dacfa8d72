# SPDX-License-Identifier: GPL-2.0-or-later
"""The sizes of accesses are the architecture's, where QEMU's are others, too."""
import collections
import csv
import io
import os
import subprocess
import unittest

import encodings_of_x86 as encodings
from harness import ROOT, SystemTest, workload
from images import several_vcpus

OPERAND = 0x200000800  # tests/workloads/encodings.c
SLOTS = 0x10000000
LINES = 0x200000000  # tests/workloads/odd_loads.c


class Sizes(SystemTest):
    def rows(self, trace, begin, end):
        result = self.tracer("convert", "--to", "csv", "--address", f"{begin:x}..{end:x}", trace)
        self.assertEqual(result.status, 0, result.err)
        return list(csv.DictReader(io.StringIO(result.out)))

    def build_encodings(self, all_of_them):
        encodings.write_slots(all_of_them, self.path("slots"))
        with open(self.path("slots.S"), "w") as file:
            file.write(f'.section .slots, "ax", @progbits\n.globl slots_begin, slots_end\nslots_begin:\n'
                       f'.incbin "{self.path("slots")}"\nslots_end:\n.section .note.GNU-stack, "", @progbits\n')
        subprocess.run(["gcc", "-O1", "-static", "-no-pie", "-I", os.path.join(ROOT, "include"),
                        f"-Wl,--section-start=.slots={SLOTS:#x}", "-o", self.path("program"),
                        os.path.join(ROOT, "tests", "workloads", "encodings.c"), self.path("slots.S")], check=True)
        return self.path("program")

    def test_each_encoding_accesses_what_objdump_tells(self):
        all_of_them = encodings.all_encodings(self.folder)
        program = self.build_encodings(all_of_them)
        trace = self.path("e.mtrace")
        result = self.tracer("record", "-o", trace, "--roi", "--user-only", "--", program)
        self.assertEqual(result.status, 0, result.err)
        executed, accesses = list(map(int, result.out.split())), collections.defaultdict(list)
        self.assertGreater(len(executed), 2000)
        for row in self.rows(trace, OPERAND - 256, OPERAND + 256):
            number, offset = divmod(int(row["pc"], 16) - SLOTS, encodings.SLOT)
            if offset == 0 and 0 <= number < len(all_of_them):
                accesses[number].append((row["type"], int(row["address"], 16) - OPERAND, int(row["size"])))
        wrong = []
        for number in executed:
            encoding, made = all_of_them[number], accesses[number]
            for kind in {kind for kind, _, _ in made} or {"no access"}:
                touched = sorted(byte for what, first, size in made if what == kind
                                 for byte in range(first, first + size))
                if touched != list(range(encoding.size)):
                    wrong.append((encoding.code.hex(), encoding.text, encoding.size, made))
        self.assertEqual(wrong, [])

    def expected_of_odd_loads(self):
        """Type, offset, size and value."""
        def load(line, size):
            return ("load", 64 * line, size, int.from_bytes(bytes((64 * line + i) & 255 for i in range(size)), "little"))
        negated = load(7, 4), ("store", 64 * 7, 4, -load(7, 4)[3] & 0xffffffff)
        added = load(8, 4), ("store", 64 * 8, 4, load(8, 4)[3])
        return [load(0, 8), load(1, 4), load(2, 16), load(3, 16), load(4, 8), load(5, 16), load(6, 4), *negated, *added]

    def test_values_are_cut_to_the_operand(self):
        for options in ([], ["--image", several_vcpus()], ["--image", several_vcpus(), "--strict-order"]):
            for fields in ("value", "paddr", "paddr,value"):
                trace = self.path("odd.mtrace")
                self.assertEqual(self.tracer("record", "-o", trace, "--roi", "--user-only", "--fields", fields, *options,
                                             "--", workload("odd_loads")).status, 0)
                rows = self.rows(trace, LINES, LINES + 4096)
                seen = [(row["type"], int(row["address"], 16) - LINES, int(row["size"]), int(row.get("value", "0"), 16))
                        for row in rows]
                self.assertEqual(seen, [(*access[:3], access[3] if "value" in fields else 0)
                                        for access in self.expected_of_odd_loads()], (options, fields))
                for row in rows if "paddr" in fields else []:
                    self.assertEqual(int(row["paddr"], 16) & 4095, int(row["address"], 16) & 4095)

    def test_they_are_counted_exactly_while_others_are_counted_inline(self):
        """With these options one block of 2^20 accesses is traced, and all others are counted by QEMU."""
        times = 6_000_000
        sampling = ["--log_of_GMBE_block_len", "20", "--log_of_GMBE_tracing_ratio", "10"]
        for options in (sampling, [*sampling, "--image", several_vcpus()]):
            trace = self.path("counted.mtrace")
            result = self.tracer("record", "-o", trace, "--user-only", *options, "--", workload("odd_loads"), str(times))
            self.assertEqual(result.status, 0, result.err)
            end = self.info(trace)
            self.assertLess(end["records"], 4 << 20)
            self.assertAlmostEqual(end["accesses"], 4 * times, delta=times / 4)


if __name__ == "__main__":
    unittest.main()
