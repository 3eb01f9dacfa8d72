# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes and values of accesses are the architecture's, also where QEMU reports other ones."""
import collections
import csv
import io
import os
import re
import subprocess
import unittest

import encodings_of_x86 as encodings
from harness import ROOT, SystemTest, workload
from images import several_vcpus

OPERAND = 0x200000800  # tests/workloads/encodings.c
SLOTS = 0x10000000
LINES, LOW = 0x200000000, 0x10000000  # tests/workloads/odd_loads.c


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
        self.assertGreater(len(executed), 2900)
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
                rows += self.rows(trace, LOW + 0x40000, LOW + 0x50000)
                self.assertEqual([(row["type"], int(row["address"], 16) - LOW, row["size"]) for row in rows[-4:]],
                                 [("load", 0x49901, "4"), ("load", 0x49905, "2"), ("load", 0x4e501, "4"),
                                  ("load", 0x4e505, "2")])  # 32-bit code
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

    def test_values_of_locked_instructions(self):
        """Where vCPUs run at the same time, only what `lock or` and `lock and` have loaded can't be known: unless their
        operand lets everything through, or QEMU lets the other vCPUs wait, as the operand isn't aligned."""
        for options in ([], ["--image", several_vcpus()], ["--image", several_vcpus(), "--strict-order"]):
            trace = self.path("locked.mtrace")
            result = self.tracer("record", "-o", trace, "--roi", "--user-only", "--fields", "paddr,value", *options, "--",
                                 workload("locked"))
            self.assertEqual(result.status, 0, result.err)
            rows, unknown = self.rows(trace, LINES, LINES + 16 * 4096), 0
            lines = [line.split() for line in result.out.splitlines()]
            self.assertGreater(len(lines), 200)
            self.assertEqual(len(rows), 2 * len(lines))
            for (address, size, before, after, name), load, store in zip(lines, rows[::2], rows[1::2]):
                for row, kind in (load, "load"), (store, "store"):
                    self.assertEqual((row["type"], row["size"], int(row["address"], 16)), (kind, size, int(address, 16)))
                self.assertEqual(int(store["value"], 16), int(after, 16), (options, name, address, before))
                covers = re.match("lock_(or|and)", name) and not name.startswith("lock_orl_$0")
                if covers and int(address, 16) % int(size) == 0 and options == ["--image", several_vcpus()]:
                    self.assertEqual(load["value"], "", name)
                    unknown += 1
                else:
                    self.assertEqual(int(load["value"], 16), int(before, 16), (options, name, address, after))
            self.assertEqual(unknown > 0, options == ["--image", several_vcpus()])

    def test_values_of_locked_instructions_that_several_vcpus_execute_at_once(self):
        threads, times = 4, 20000  # tests/workloads/contended.c
        trace = self.path("contended.mtrace")
        self.assertEqual(self.tracer("record", "-o", trace, "--roi", "--user-only", "--fields", "value", "--image",
                                     several_vcpus(), "--", workload("contended")).status, 0)

        def pairs(offset):
            values = collections.defaultdict(list)
            for row in self.rows(trace, LINES + offset, LINES + offset + 4):
                values[row["vcpu"]].append((row["type"], int(row["value"], 16)))
            for of_vcpu in values.values():
                self.assertEqual([kind for kind, _ in of_vcpu], ["load", "store"] * (len(of_vcpu) // 2))
            return [(load, store) for of_vcpu in values.values()
                    for (_, load), (_, store) in zip(of_vcpu[::2], of_vcpu[1::2])]

        each = [(value, value + 1) for value in range(threads * times)]
        self.assertTrue(sorted(pairs(0)) == each)
        compared = pairs(64)
        self.assertTrue(sorted(pair for pair in compared if pair[0] != pair[1]) == each)
        self.assertGreater(len(compared), len(each))  # the first comparison of each fails
        negated = pairs(128)
        self.assertEqual(len(negated), threads * times)
        self.assertEqual(negated.count((1, 0xffffffff)), threads * times // 2)
        self.assertEqual(negated.count((0xffffffff, 1)), threads * times // 2)


if __name__ == "__main__":
    unittest.main()
