# SPDX-License-Identifier: GPL-2.0-or-later
"""Trace files: what is recorded, what the verbs make of it, and what is left when something dies."""
import csv
import gzip
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import unittest

from harness import ARRAY, BUILD, IMAGE, QEMU, ROOT, SNAPSHOT, SPEAKS, TRACER, SystemTest, check_stream, trace_chunks, not_sanitized
from images import VCPUS, several_vcpus

PYTHON = "/usr/bin/python3"  # Debian's, which has its packages: numpy and protobuf
QSORT = os.path.join(BUILD, "qsort_ints")
ELEMENTS, TIMES = 10000, 5


class Recorded(SystemTest):
    """The array of 10,000 ints, each incremented 5 times, with all fields."""

    @classmethod
    def setUpClass(cls):
        cls.cache = {}

    def array_trace(self, *options, fields="all"):
        """Gives the trace file, and where the array is."""
        path = self.path("array.mtrace")
        result = self.trace("--output", path, "--fields", fields, "--workload_path_on_host", ARRAY, SPEAKS,
                            "--print_trace_info", *options)
        self.assert_succeeds(result)
        self.assertEqual(result.number("num_of_events_written_to_trace_buf"), self.assert_good(path)["records"])
        return path, int(re.search(r"workload info:\n(0x[0-9a-f]+) 4 10000\n", result.out).group(1), 16)

    def rows(self, path, *options):
        result = self.tracer("convert", "--to", "csv", *options, path)
        self.assertEqual(result.status, 0, result.err)
        return list(csv.DictReader(io.StringIO(result.out)))

    def test_every_field_of_known_accesses(self):
        path, array = self.array_trace()
        rows = self.rows(path, "--address", f"{array:x}..{array + 4 * ELEMENTS:x}")
        self.assertEqual(len(rows), 2 * ELEMENTS * TIMES)
        pages, pcs = {}, set()
        for i, row in enumerate(rows):
            step, element = i // 2 // ELEMENTS, i // 2 % ELEMENTS
            address = array + 4 * element
            self.assertEqual((int(row["address"], 16), row["size"], row["cpl"], row["vcpu"], row["type"]),
                             (address, "4", "3", "0", "store" if i % 2 else "load"))
            self.assertEqual(int(row["value"], 16), element + step + i % 2)
            self.assertEqual((int(row["paddr"], 16) & 4095, row["io"]), (address & 4095, "0"))
            self.assertEqual(pages.setdefault(address >> 12, int(row["paddr"], 16) >> 12), int(row["paddr"], 16) >> 12)
            pcs.add(int(row["pc"], 16))
        self.assertEqual(len(set(pages.values())), len(pages))
        self.assertLessEqual(len(pcs), 2)  # one add, or a load and a store
        times = [int(row["time_ns"]) for row in rows]
        self.assertEqual(times, sorted(times))
        self.assertGreater(times[-1], times[0])
        # The instructions are those of the program.
        text = self.tracer("dump", path, "--pc", f"{min(pcs):x}..{max(pcs) + 1:x}", "--events",
                           f"{rows[0]['index']}..{rows[20]['index']}").out
        self.assertIn("main+0x", text)
        symbols = subprocess.run(["objdump", "-d", "--no-show-raw-insn", ARRAY], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout
        for pc in pcs:
            mnemonic = re.search(rf"^ *{pc - 0x555555554000:x}:\s+(\w+)", symbols, re.M).group(1)
            self.assertRegex(text, rf"{pc:016x}  main\+0x\S+ +{mnemonic.rstrip('l')}")

    def test_the_fields_that_were_not_asked_for_are_not_there(self):
        path, array = self.array_trace(fields="pc,no-task")
        rows = self.rows(path, "--address", f"{array:x}..{array + 4 * ELEMENTS:x}", "--cpl", "3")
        self.assertEqual(len(rows), 2 * ELEMENTS * TIMES)
        self.assertEqual(set(rows[0]), {"index", "vcpu", "cpl", "type", "size", "sign_extended", "big_endian", "address",
                                        "pc"})

    def test_the_file_describes_itself(self):
        path = self.record("a.mtrace", "--user-only", "--fields", "pc,time", "--", ARRAY, "100", "1")
        info = self.info(path)
        metadata = info["metadata"]
        self.assertEqual((info["complete"], info["fields"], info["vcpus"]), (True, ["pc", "time", "task"], 1))
        self.assertEqual(metadata["command"], [ARRAY, "100", "1"])
        self.assertEqual((metadata["image"], metadata["snapshot"]), (IMAGE, SNAPSHOT))
        self.assertEqual((metadata["user_only"], metadata["log_tracing_ratio"]), (True, 0))
        self.assertRegex(metadata["kernel"], r"^\d+\.\d+")
        self.assertRegex(metadata["qemu"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(metadata["recorded_at"], r"^20\d\d-\d\d-\d\dT")
        self.assertEqual(metadata["records"], info["records"])
        self.assertEqual(info["accesses"], info["records"] + info["accesses_skipped"] + info["records_dropped"])
        text = self.tracer("info", path).out
        self.assertIn("bytes per record", text)

    def test_the_kernels_symbols_name_its_code(self):
        path = self.record("a.mtrace", "/bin/true")
        text = self.tracer("dump", path, "--cpl", "0", "--events", "..50000").out
        self.assertRegex(text, r"ffffffff[0-9a-f]{8}  (do_syscall_64|entry_SYSCALL\w+|asm_sysvec_\w+)\+0x")

    def test_words_that_are_no_text(self):
        path = self.record("a.mtrace", "--", b"/bin/true", b"\xe9\xff")
        self.assertEqual(self.info(path)["metadata"]["command"][0], "/bin/true")

    @not_sanitized
    def test_sampled_and_dropped_records_add_up(self):
        for options in (["--log-of-GMBE-block-len", "10", "--log-of-GMBE-tracing-ratio", "3"], ["--roi"],
                        ["--icount", "--fields", "pc,time"], ["--strict-order"],
                        ["--log-of-GMBE-tracing-ratio", "3", "--sample-seed", str((1 << 64) - 1)]):
            with self.subTest(options):
                info = self.info(self.record("a.mtrace", *options, "--", ARRAY, "1000", "10"))
                self.assertEqual(info["accesses"], info["records"] + info["accesses_skipped"])
                self.assertEqual(info["metadata"].get("sample_seed"), (1 << 64) - 1 if "--sample-seed" in options else None)

    def test_exit_status_and_output_are_passed_on(self):
        result = self.tracer("record", "-o", self.path("a.mtrace"), "--", "sh", "-c", "echo hello; exit 3")
        self.assertEqual((result.status, result.out), (3, "hello\n"))
        self.assertIn("bytes per record", result.err)

    @not_sanitized
    def test_several_vcpus(self):
        path = self.record("v.mtrace", "--image", several_vcpus(), "--", "sh", "-c",
                           "for i in 1 2 3 4; do seq 1000 >/dev/null & done; wait")
        rows = self.tracer("convert", "-t", "gmbeoo", "-o", self.path("raw"), path)
        self.assertEqual(rows.status, 0)
        with open(self.path("raw"), "rb") as file:
            vcpus = {info >> 8 & 0xffff for info, in struct.iter_unpack("<Q8x", file.read())}
        self.assertEqual(vcpus, set(range(VCPUS)))
        # Taken apart and put together again, each vCPU has the records that it had.
        parts = []
        for vcpu in range(VCPUS):
            parts.append(self.path(f"{vcpu}.mtrace"))
            self.assertEqual(self.tracer("cut", path, "--vcpu", str(vcpu), "-o", parts[-1]).status, 0)
        self.assertEqual(self.tracer("merge", *parts, "-o", self.path("merged.mtrace")).status, 0)
        self.assert_good(self.path("merged.mtrace"))
        for vcpu in range(VCPUS):
            of = [self.tracer("convert", "-t", "lackey", "--vcpu", str(vcpu), name).out
                  for name in (path, self.path("merged.mtrace"))]
            self.assertTrue(of[0] == of[1])


class Verbs(SystemTest):
    """On one trace of a real program, with all fields."""

    @classmethod
    def setUpClass(cls):
        cls.folder_of_trace = os.path.join(BUILD, "test_traces")
        os.makedirs(cls.folder_of_trace, exist_ok=True)
        cls.whole_path = os.path.join(cls.folder_of_trace, "whole.mtrace")
        cls.trace_path = os.path.join(cls.folder_of_trace, "part.mtrace")
        subprocess.run([TRACER, "record", "-o", cls.whole_path, "--fields", "all", "--", ARRAY, "1000", "3"], check=True,
                       stderr=subprocess.DEVNULL)
        subprocess.run([TRACER, "cut", "--events", "150000..300000", "-o", cls.trace_path, cls.whole_path], check=True,
                       stderr=subprocess.DEVNULL)

    def convert(self, name, *options, source=None):
        path = self.path("out." + name)
        result = self.tracer("convert", "--to", name, "-o", path, *options, source or self.trace_path)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual("without" in result.err, name != "trace")
        with open(path, "rb") as file:
            return file.read()

    def records(self, *options):
        """(info, address) pairs, by way of the raw stream."""
        return list(struct.iter_unpack("<QQ", self.convert("gmbeoo", *options)))

    def test_raw_streams_and_back(self):
        gmbeoo, compact = self.convert("gmbeoo"), self.convert("compact")
        check_stream(gmbeoo)
        check_stream(compact)
        self.assertEqual(len(gmbeoo), 16 * self.info(self.trace_path)["records"])
        for source, target, expected in ((gmbeoo, "compact", compact), (compact, "gmbeoo", gmbeoo)):
            result = subprocess.run([TRACER, "convert", "--to", target], input=source,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            self.assertTrue(result.stdout == expected)
        with open(self.path("raw"), "wb") as file:
            file.write(gmbeoo)
        self.convert("trace", source=self.path("raw"))
        self.assert_good(self.path("out.trace"))
        self.assertTrue(self.convert("gmbeoo", source=self.path("out.trace")) == gmbeoo)

    def test_text_formats(self):
        lower_half = ("--address", "..8000000000000000")  # Ramulator 2 can't read more
        records = self.records(*lower_half)
        size = [1 << (info & 7) for info, _ in records]
        store = [info >> 5 & 1 for info, _ in records]
        expected = {
            "lackey": "".join(f" {'LS'[s]} {a:08x},{n}\n" for (_, a), n, s in zip(records, size, store)),
            "din": "".join(f"{s} {a:x}\n" for (_, a), s in zip(records, store)),
            "ramulator2": "".join(f"{('LD', 'ST')[s]} 0x{a:x}\n" for (_, a), s in zip(records, store)),
        }
        for name, text in expected.items():
            one = ["--one-request"] if name == "ramulator2" else []
            self.assertTrue(self.convert(name, *lower_half, *one).decode() == text, name)
        lines = self.convert("dramsim3", *lower_half, "--one-request").decode().splitlines()
        self.assertEqual(len(lines), len(records))
        before = 0
        for line, (_, address), s in zip(lines, records, store):
            word, operation, cycle = line.split()
            self.assertEqual((int(word, 16), operation), (address, ("READ", "WRITE")[s]))
            self.assertLessEqual(before, int(cycle))
            before = int(cycle)

    def test_physical_addresses(self):
        rows = list(csv.DictReader(io.StringIO(self.convert("csv", "--stores").decode())))
        known = [int(row["paddr"], 16) for row in rows if row["io"] == "0"]
        lines = self.convert("ramulator2", "--physical", "--stores", "--one-request").decode().split()
        self.assertTrue([int(word, 16) for word in lines[1::2]] == known)
        plain = self.path("plain.mtrace")
        self.assertEqual(self.tracer("cut", self.trace_path, "--events", "..10", "-o", plain).status, 0)
        gmbeoo = self.path("few")
        self.assertEqual(self.tracer("convert", "-t", "gmbeoo", "-o", gmbeoo, plain).status, 0)
        self.assert_fails(self.tracer("convert", "-t", "din", "--physical", gmbeoo), "--fields paddr")

    def test_gem5_is_read_with_protobuf(self):
        data = gzip.decompress(self.convert("gem5", "--one-request"))
        with open(self.path("packet.proto"), "w") as file:
            file.write('syntax = "proto2"; package test;\n'
                       "message PacketHeader { required string obj_id = 1; optional uint32 ver = 2 [default = 0];\n"
                       "  required uint64 tick_freq = 3; }\n"
                       "message Packet { required uint64 tick = 1; required uint32 cmd = 2; optional uint64 addr = 3;\n"
                       "  optional uint32 size = 4; optional uint32 flags = 5; optional uint64 pkt_id = 6;\n"
                       "  optional uint64 pc = 7; }\n")
        subprocess.run(["protoc", "--python_out", self.folder, "-I", self.folder, self.path("packet.proto")], check=True)
        with open(self.path("trace"), "wb") as file:
            file.write(data)
        with open(self.path("read.py"), "w") as file:
            file.write("import json, sys\n"
                       f"sys.path.insert(0, {self.folder!r})\n"
                       "import packet_pb2\n"
                       "from google.protobuf.internal.decoder import _DecodeVarint32\n"
                       "data = open(sys.argv[1], 'rb').read()\n"
                       "assert data[:4] == b'gem5'\n"
                       "at, packets, header = 4, [], None\n"
                       "while at < len(data):\n"
                       "    size, at = _DecodeVarint32(data, at)\n"
                       "    message = packet_pb2.Packet() if header else packet_pb2.PacketHeader()\n"
                       "    message.ParseFromString(data[at:at + size])\n"
                       "    at += size\n"
                       "    if header: packets.append((message.tick, message.cmd, message.addr, message.size, message.pc))\n"
                       "    else: header = message\n"
                       "print(json.dumps([header.obj_id, header.tick_freq, packets]))\n")
        result = subprocess.run([PYTHON, self.path("read.py"), self.path("trace")], stdout=subprocess.PIPE, check=True)
        who, frequency, packets = json.loads(result.stdout)
        self.assertEqual((who, frequency), ("memory_tracer", 10**12))
        rows = list(csv.DictReader(io.StringIO(self.convert("csv").decode())))
        ticks = [packet.pop(0) for packet in packets]
        self.assertEqual((ticks, ticks[0]), (sorted(ticks), 0))
        times = [int(row["time_ns"]) for row in rows]
        self.assertAlmostEqual((ticks[-1] - ticks[0]) / 1000, times[-1] - times[0], delta=max(
            after - before for before, after in zip([times[0] - 4096] + times, times)))
        expected = [[4 if row["type"] == "store" else 1, int(row["address"], 16),
                     int(row["size"]), int(row["pc"] or "0", 16)] for row in rows]
        self.assertTrue(packets == expected)

    @not_sanitized
    def test_npy_is_mapped_by_numpy(self):
        self.convert("npy")
        script = ("import numpy, sys\n"
                  "a = numpy.load(sys.argv[1], mmap_mode='r')\n"
                  "names = ['address', 'size', 'store', 'cpl', 'vcpu', 'pc', 'paddr', 'io', 'value', 'time_ns']\n"
                  "for row in a: print(*[int(row[name]) for name in names])\n")
        result = subprocess.run([PYTHON, "-c", script, self.path("out.npy")], stdout=subprocess.PIPE, text=True, check=True)
        rows = csv.DictReader(io.StringIO(self.convert("csv").decode()))
        none = (1 << 64) - 1
        expected = "".join(
            f"{int(r['address'], 16)} {r['size']} {int(r['type'] == 'store')} {r['cpl']} {r['vcpu']} "
            f"{int(r['pc'] or '0', 16)} {int(r['paddr'], 16) if r['paddr'] else none} {r['io'] or 0} "
            f"{int(r['value'], 16) & none} {r['time_ns']}\n" for r in rows)
        self.assertTrue(result.stdout == expected)

    def test_oracle_general_knows_the_future(self):
        requests = list(struct.iter_unpack("<IQIq", self.convert("oracleGeneral")))
        lines, next_of, expected = [], {}, []
        for info, address in self.records():
            for line in sorted({address >> 6, (address + (1 << (info & 7)) - 1) >> 6}):
                lines.append(line << 6)
        for i in range(len(lines) - 1, -1, -1):
            expected.append((lines[i], 64, next_of.get(lines[i], -1)))
            next_of[lines[i]] = i + 1  # counted from 1
        self.assertTrue([request[1:] for request in requests] == expected[::-1])

    def test_golden_conversions(self):
        golden = os.path.join(ROOT, "tests", "golden")
        for name in ("lackey", "din", "ramulator2", "dramsim3", "csv"):
            options = ["--physical"] if name == "ramulator2" else []
            with open(os.path.join(golden, "all." + name), "rb") as file:
                self.assertEqual(self.convert(name, *options, source=os.path.join(golden, "all.mtrace")), file.read(), name)

    def test_selections(self):
        records = self.records()
        self.assertEqual(self.records("--events", "100..200"), records[100:200])
        self.assertEqual(self.records("--events", "70000.."), records[70000:])
        self.assertEqual(self.records("--cpl", "3", "--stores"),
                         [r for r in records if r[0] >> 6 & 3 == 3 and r[0] & 32])
        self.assertEqual(self.records("--address", "0x7ff000000000..800000000000", "--loads"),
                         [r for r in records if 0x7ff000000000 <= r[1] < 0x800000000000 and not r[0] & 32])
        self.assertEqual(self.records("--vcpu", "0"), records)
        self.assert_fails(self.tracer("dump", "--vcpu", "1", self.trace_path), "has the vCPUs 0 to 0")

    def test_cut_and_merge(self):
        parts = [self.path("a.mtrace"), self.path("b.mtrace")]
        for part, events in zip(parts, ("..30000", "30000..")):
            self.assertEqual(self.tracer("cut", self.trace_path, "--events", events, "-o", part).status, 0)
            self.assert_good(part)
        merged = self.path("merged.mtrace")
        self.assertEqual(self.tracer("merge", *parts, "-o", merged).status, 0)
        self.assert_good(merged)
        self.assertTrue(self.rows_of_csv(merged) == self.rows_of_csv(self.trace_path))
        self.assertEqual(self.inputs(merged), [0, 1])
        both = self.path("both.mtrace")  # one that was merged, and another
        self.assertEqual(self.tracer("merge", merged, parts[0], "-o", both).status, 0)
        self.assertEqual(sorted(set(self.inputs(both))), [0, 1, 2])
        renumbered = self.path("renumbered.mtrace")
        self.assertEqual(self.tracer("merge", "--vcpus", "renumber", *parts, "-o", renumbered).status, 0)
        self.assertEqual(self.info(renumbered)["vcpus"], 2)
        self.assertTrue(self.convert("lackey", source=renumbered) == self.convert("lackey"))

    def rows_of_csv(self, path):
        """What a merged trace has, too: not what the kernel's memory is used for."""
        return [(row, None, None) if int(row["address"], 16) >> 63 else (row, region, name)
                for row in csv.DictReader(io.StringIO(self.convert("csv", source=path).decode()))
                for region, name in [(row.pop("region"), row.pop("object"))]]

    @staticmethod
    def inputs(path):
        """From which input of a merge each block is."""
        with open(path, "rb") as file:
            data = file.read()
        return [struct.unpack_from("<I", data, offset + 32 + 60)[0] for offset, kind in trace_chunks(data) if kind == 3]

    def damaged(self, name, change):
        with open(self.trace_path, "rb") as file:
            data = bytearray(file.read())
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(change(data))
        return path

    @not_sanitized
    def test_a_damaged_file_is_told_from_a_good_one_and_recovered(self):
        big = self.path("big.mtrace")
        self.assertEqual(self.tracer("merge", *[self.whole_path] * 2, "-o", big).status, 0)
        records, blocks = self.info(big)["records"], self.info(big)["blocks"]
        self.assertGreater(blocks, 3)
        with open(big, "rb") as file:
            data = file.read()
        # In a block that has others before and behind it, wherever the file's other chunks lie.
        offsets = [offset for offset, kind in trace_chunks(data) if kind == 3]
        place = offsets[len(offsets) // 2] + 100
        for name, broken in (("cut", data[:place]), ("no_index", data[:-40]),
                             ("flipped", data[:place] + b"\xff\x00\xff" + data[place + 3:])):
            with self.subTest(name):
                path = self.path(name)
                with open(path, "wb") as file:
                    file.write(broken)
                result = self.tracer("check", path)
                self.assertEqual(result.status, 1)
                self.assertRegex(result.out, "problem: .*offset [0-9]+: ")
                self.assertNotIn("missing", result.out)  # what comes after the damage isn't known
                copy = self.path(name + ".recovered")
                self.assertIn("recovered", self.tracer("recover", path, "-o", copy).out)
                with open(path, "rb") as file:
                    self.assertTrue(file.read() == broken)
                self.assertIn("recovered", self.tracer("recover", path).out)
                info = self.info(path)
                self.assertTrue(info["complete"])
                self.assertGreater(info["records"], 0)
                self.assertLessEqual(info["records"], records)
                self.assertEqual(info["records"], records if name == "no_index" else info["records"])
                self.assertEqual(self.info(copy)["records"], info["records"])
                self.assertIn("is complete", self.tracer("recover", path).out)
                self.assertEqual(self.tracer("dump", "--events", "..10", path).status, 0)
                result = self.tracer("check", path)
                self.assertEqual(result.status, 0 if name == "no_index" else 1, result.out)
                if name == "flipped":
                    self.assertIn(f"problem: {records - info['records']} records that are missing", result.out)
                if name == "cut":
                    self.assertIn("problem: 1 recording that has no end", result.out)
        self.assertIn("missing", self.tracer("recover", self.path("flipped"), "-o", self.path("x")).out
                      + self.tracer("check", self.path("flipped")).out)

    def test_check_says_what_is_wrong(self):
        valid, user, store = 1 << 63, 3 << 6, 1 << 5
        for records, finding, status in (
                ([(valid | 3, 8), (valid | store, 9)], "good, 2 records", 0),
                ([(valid | 5, 8)], "problem: 1 accesses of more than 16 bytes", 1),
                ([(valid, 1 << 57), (valid, 1 << 60)], "problem: 2 addresses that are not canonical", 1),
                ([(valid | user, (1 << 64) - 8)], "exception: 1 accesses by user code to the kernel's half", 0)):
            with self.subTest(finding):
                data = b"".join(struct.pack("<QQ", *record) for record in records)
                result = subprocess.run([TRACER, "check", "-"], input=data, stdout=subprocess.PIPE)
                self.assertIn(finding, result.stdout.decode())
                self.assertEqual(result.returncode, status)
        # By one thread or by several, what is found is the same.
        one = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), TRACER, "check", "--json", self.whole_path],
                             stdout=subprocess.PIPE, check=True, text=True).stdout
        self.assertGreater(json.loads(one)["loads_compared"], 0)
        self.assertEqual(self.tracer("check", "--json", self.whole_path).out, one)
        self.assertIn("exception: 1 loads by user code of a value that no store of the trace put there (a device did, by DMA",
                      self.tracer("check", os.path.join(ROOT, "tests", "golden", "all.mtrace")).out)
        # A device or another vCPU has changed memory that the trace doesn't tell of: an exception.
        self.assertIn("loads by user code were compared", self.tracer("check", self.whole_path).out)

    def test_bad_input(self):
        empty, text = self.path("empty"), self.path("text")
        open(empty, "w").close()
        with open(text, "w") as file:
            file.write("this is no trace, and 40 bytes long, so.")
        for verb in ("info", "dump", "check", "recover"):
            with self.subTest(verb):
                self.assert_fails(self.tracer(verb, self.path("none")), "none", "No such file")
                self.assert_fails(self.tracer(verb), status=2)
        for verb in ("info", "recover"):
            self.assert_fails(self.tracer(verb, text), "text: offset 0: this is not a trace file")
            self.assert_fails(self.tracer(verb, empty), "empty: offset 0: this is not a trace file")
        for arguments in (["dump", text], ["convert", "-t", "csv", text], ["check", text]):
            self.assert_fails(self.tracer(*arguments), "text: neither a trace file nor a stream of records")
        newer = self.damaged("newer", lambda data: data[:8] + b"\x02\0\0\0" + data[12:])
        for verb in ("info", "dump", "check", "recover"):
            self.assert_fails(self.tracer(verb, newer), "version 2")
        for arguments in (["convert", self.trace_path], ["convert", "-t", "nothing", self.trace_path],
                          ["dump", "--cpl", "-1", self.trace_path], ["dump", "--vcpu", "-1", self.trace_path],
                          ["cut", self.trace_path, "-o", "-"], ["cut", self.trace_path, "-o", ""],
                          ["record", "-o", "-", "/bin/true"], ["record", "-o", "x", "--record-format", "compact", "/bin/true"],
                          ["merge", "-", "-", "-o", "x"], ["recover", self.trace_path, "-o", "-"],
                          ["dump", "--events", "9..3", self.trace_path], ["dump", "--events", "x", self.trace_path],
                          ["dump", "--cpl", "4", self.trace_path], ["cut", self.trace_path], ["merge", self.trace_path],
                          ["merge", "--vcpus", "some", "-o", "x", self.trace_path],
                          ["record", "/bin/true"], ["record", "-o", "x"],
                          ["record", "-o", "x", "--fields", "pc,everything", "/bin/true"],
                          ["--output", "x", "--dont_trace", "--workload_path_on_guest", "/bin/true", IMAGE, SNAPSHOT, QEMU],
                          ["--dont_trace", "--fields", "pc", "--workload_path_on_guest", "/bin/true", IMAGE, SNAPSHOT, QEMU]):
            with self.subTest(arguments):
                self.assert_fails(self.tracer(*arguments), status=2)
        self.assertFalse(os.path.exists("x"))
        os.mkfifo(self.path("fifo"))
        self.assert_fails(self.tracer("record", "-o", self.path("fifo"), "/bin/true"), "must be a regular file")
        self.assert_fails(self.tracer("cut", "-o", self.path("fifo"), self.trace_path), "must be a regular file")
        self.assert_fails(self.tracer("convert", "-t", "csv", "--physical", self.trace_path), "of no use", status=2)
        os.symlink(self.path("target"), self.path("link"))
        open(self.path("target"), "w").close()
        self.convert("din")
        self.assertEqual(self.tracer("convert", "-t", "din", "-o", self.path("link"), self.trace_path).status, 0)
        self.assertTrue(os.path.islink(self.path("link")))
        self.assertEqual(os.path.getsize(self.path("target")), os.path.getsize(self.path("out.din")))
        for arguments in (["convert", "-t", "din", "-o", "/nowhere/x", self.trace_path],
                          ["cut", "-o", "/nowhere/x", self.trace_path], ["record", "-o", "/nowhere/x", "/bin/true"]):
            with self.subTest(arguments):
                self.assert_fails(self.tracer(*arguments), "/nowhere/x", "No such file or directory")
        self.assert_fails(self.tracer("convert", "-t", "npy", self.trace_path), "only be written into a file")
        self.assertIn("No space left", self.tracer("convert", "-t", "csv", "-o", "/dev/full", self.trace_path).err)

    def damage_chunk(self, kind, name):
        """A copy of the trace in which the first chunk of this type is damaged."""
        with open(self.trace_path, "rb") as file:
            data = bytearray(file.read())
        offset = 64
        while struct.unpack_from("<I", data, offset + 4)[0] != kind:
            offset += 32 + (struct.unpack_from("<Q", data, offset + 8)[0] + 7) // 8 * 8
        data[offset + 40] ^= 0xff
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_what_is_no_record_may_be_damaged_too(self):
        attachment = self.damage_chunk(4, "attachment")
        result = self.tracer("check", attachment)
        self.assertEqual(result.status, 1)
        self.assertRegex(result.out, "problem: .*attachment: offset [0-9]+: a chunk's contents don't fit its hash")
        self.assertIn("ATTENTION: without kallsyms", self.tracer("dump", "--events", "..10", attachment).err)
        self.assertIn("symbols", self.tracer("recover", attachment).out)
        instructions = self.damage_chunk(2, "instructions")
        self.assertIn("was damaged, and some of it is lost", self.tracer("recover", instructions).out)
        self.assertIn("accesses by instructions that the trace doesn't have", self.tracer("check", instructions).out)
        self.assertIn("(unknown instruction)", self.tracer("dump", "--events", "..10", instructions).out)
        rows = csv.DictReader(io.StringIO(self.tracer("convert", "--to", "csv", instructions).out))
        self.assertIn("", [row["pc"] for row in rows])
        self.assertEqual(self.tracer("cut", "-o", self.path("cut"), instructions).status, 0)

    @not_sanitized
    def test_what_is_made_of_an_incomplete_trace_says_so(self):
        with open(self.whole_path, "rb") as file:
            data = file.read()
        with open(self.path("no_index"), "wb") as file:
            file.write(data[:-40])
        cut = self.path("cut.mtrace")
        self.assertEqual(self.tracer("cut", "-o", cut, self.path("no_index")).status, 0)
        merged = self.path("merged.mtrace")
        self.assertEqual(self.tracer("merge", "-o", merged, cut, self.whole_path).status, 0)
        for path in (cut, merged):
            self.assertIn("exception: 1 trace that was made from an incomplete one", self.tracer("check", path).out)

    def test_output_files(self):
        cut = self.path("cut.mtrace")
        with open(cut + ".part", "w") as file:
            file.write("precious")
        open(cut, "w").close()
        os.chmod(cut, 0o640)
        processes = [self.start("cut", "-o", cut, "--events", f"..{count}", self.trace_path) for count in (1000, 2000)]
        for process in processes:
            self.assertEqual(self.finish(process).status, 0)
        self.assertIn(self.assert_good(cut)["records"], (1000, 2000))
        self.assertEqual(os.stat(cut).st_mode & 0o777, 0o640)
        with open(cut + ".part") as file:
            self.assertEqual(file.read(), "precious")

    def test_interrupted_conversions_leave_nothing(self):
        endless = ["sh", "-c", "while :; do cat \"$0\"; done | \"$@\"", self.path("raw"), TRACER]
        with open(self.path("raw"), "wb") as file:
            file.write(self.convert("gmbeoo"))
        for arguments in (["convert", "-t", "din", "-o", self.path("x")], ["cut", "-", "-o", self.path("x")]):
            process = subprocess.Popen(endless + arguments, env=self.environment, stderr=subprocess.DEVNULL,
                                       start_new_session=True)
            while not [name for name in os.listdir(self.folder) if name.startswith("x.part-")]:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
            self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("x")], [])

    def test_a_reader_of_standard_output_may_go(self):
        process = self.start("dump", self.trace_path)
        process.stdout.readline()
        process.stdout.close()
        self.assertNotEqual(process.wait(timeout=60), 0)
        process.stderr.close()


class Death(SystemTest):
    """What was recorded before somebody dies can be read."""

    def start_recording(self, path):
        process = self.start("record", "-o", path, "--", QSORT, "4194304")
        deadline = time.time() + 60
        while not os.path.exists(path) or "records" not in self.beginning(path):
            self.assertLess(time.time(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        return process

    def beginning(self, path):
        """What the file has, once it has a whole block."""
        info = json.loads(self.tracer("info", "--json", path).out or "{}")
        return info if info.get("records") else {}

    def assert_recoverable(self, path):
        before = self.tracer("dump", "--events", "..1000", path)
        self.assertEqual(before.status, 0, before.err)
        self.assertIn("ATTENTION: the trace is incomplete", before.err)
        self.assertEqual(len(before.out.splitlines()), 1001)
        result = self.tracer("recover", path)
        found = re.search(r"recovered [0-9]+ records; (at least ([0-9]+) are missing|how many)", result.out)
        findings = {"recording that has no end: what came after its last record is not known": 1}
        if found.group(2):
            findings["records that are missing"] = int(found.group(2))
        self.assertEqual(json.loads(self.tracer("check", "--json", path).out)["findings"], findings)
        self.assertGreaterEqual(self.info(path)["records"], 1 << 20)

    def test_the_runner_is_killed(self):
        process = self.start_recording(self.path("a.mtrace"))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        deadline = time.time() + 10
        while self.processes() and time.time() < deadline:
            time.sleep(0.05)
        for name in os.listdir(self.temporary):
            os.rmdir(os.path.join(self.temporary, name))
        self.assert_recoverable(self.path("a.mtrace"))

    def test_qemu_is_killed(self):
        process = self.start_recording(self.path("a.mtrace"))
        os.kill(self.qemu_pid(), signal.SIGKILL)
        self.assert_fails(self.finish(process), "QEMU was killed by signal 9")
        self.assert_ended_by("QEMU was killed by signal 9 (Killed)")

    def assert_ended_by(self, reason):
        """The file is whole, and says why it has no more."""
        path = self.path("a.mtrace")
        self.assertGreaterEqual(self.assert_good(path)["records"], 1 << 20)
        info = self.info(path)
        self.assertEqual((info["complete"], info["metadata"]["ended_by"]), (True, reason))

    def test_interrupted(self):
        process = self.start_recording(self.path("a.mtrace"))
        process.send_signal(signal.SIGINT)
        self.assert_stopped(self.finish(process))
        self.assert_ended_by("interrupted")

    @unittest.skipIf(os.geteuid(), "mounting a small file system needs root")
    def test_the_disk_is_full(self):
        folder = self.path("small")
        os.mkdir(folder)
        room = os.path.getsize(self.record("short.mtrace", "--user-only", "--", "/bin/true")) + 2000000  # some blocks
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        path = os.path.join(folder, "a.mtrace")
        result = self.tracer("record", "-o", path, "--", QSORT, "4194304")
        self.assert_fails(result, "what was recorded so far can be read", "a.mtrace: No space left on device")
        before = self.tracer("dump", "--events", "..1000", path)
        self.assertEqual(len(before.out.splitlines()), 1001)
        copy = self.path("copy.mtrace")
        self.assertIn("recovered", self.tracer("recover", path, "-o", copy).out)
        findings = json.loads(self.tracer("check", "--json", copy).out)["findings"]
        self.assertLessEqual(set(findings), {"recording that has no end: what came after its last record is not known",
                                             "records that are missing"})


if __name__ == "__main__":
    unittest.main()
