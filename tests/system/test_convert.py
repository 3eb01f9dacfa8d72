# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversions of traces that were made for the purpose, record by record: no guest is needed."""
import csv
import gzip
import io
import json
import os
import pty
import random
import re
import struct
import subprocess
import time
import unittest

from cache_reference import lru_misses
from harness import BUILD, ROOT, TRACER, SystemTest

MAKE_TRACE = os.path.join(BUILD, "make_trace")
PC, PADDR, VALUE, TIME = 1, 2, 4, 8
STORE, USER = 1 << 5, 3 << 6
UNKNOWN, IO = (1 << 64) - 1, 1 << 63


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def gem5_packets(data):
    """Dictionaries of field number and value (numbers only)."""
    data = gzip.decompress(data)
    assert data[:4] == b"gem5"
    at, messages = 4, []
    while at < len(data):
        size, at = varint(data, at)
        end, message = at + size, {}
        while at < end:
            key, at = varint(data, at)
            value, at = varint(data, at)
            if key & 7 == 2:
                at += value
            message[key >> 3] = value
        messages.append(message)
    return messages[1:]  # the first one is the header


class Converted(SystemTest):
    def make(self, name, rows, fields=0, vcpus=1, block=1 << 20, before=()):
        """A trace of (info, address[, paddr]) tuples: one chunk. Or of lines, as make_trace has them."""
        lines = list(before)
        if rows and not isinstance(rows[0], str):
            lines.append(f"c 0 0 {len(rows)}")
            rows = [f"r {row[0]:x} {row[1]:x} {row[2] if len(row) > 2 else 0:x} 0 0" for row in rows]
        path = self.path(name)
        subprocess.run([MAKE_TRACE, path, str(fields), str(vcpus), str(block)], input="\n".join(lines + rows) + "\n",
                       text=True, check=True)
        return path

    def convert(self, name, *options):
        """Gives what was written, and what was said."""
        path = self.path("out." + name)
        result = self.tracer("convert", "--to", name, "-o", path, *options)
        self.assertEqual(result.status, 0, result.err)
        with open(path, "rb") as file:
            return file.read(), result.err


class Physical(Converted):
    """For an access to two pages, the trace has the first page's frame only."""

    def crossing(self):
        return self.make("crossing.mtrace", [
            (3 | STORE | USER, 0x500000ffc, 0x1e0effc),  # 4 of 8 bytes are in the next page
            (3 | USER, 0x500000ffd, 0x1e0effd),  # 3 of them are in the first one
            (3 | USER, 0x500000ff8, 0x1e0eff8),  # ends with the page
            (4 | USER, 0x500000fb8, 0x1e0efb8),  # two lines, one page
            (3 | USER, 0x500002fff, UNKNOWN),
            (2 | STORE, 0x500003010, IO | 0xfe000010),
        ], fields=PADDR)

    def test_no_part_lies_in_a_frame_that_is_only_guessed(self):
        trace = self.crossing()
        text, said = self.convert("lackey", "--physical", trace)
        self.assertEqual(text.decode(), " S 01e0effc,4\n L 01e0effd,3\n L 01e0eff8,8\n L 01e0efb8,16\n")
        self.assertIn("ATTENTION: 2 accesses had a second page", said)
        self.assertIn("ATTENTION: 1 records were left out", said)
        self.assertIn("note: 1 accesses to devices were left out", said)
        lines = [line for _, line, _, _ in struct.iter_unpack("<IQIq", self.convert("oracleGeneral", "--physical", trace)[0])]
        self.assertEqual(lines, [0x1e0efc0, 0x1e0efc0, 0x1e0efc0, 0x1e0ef80, 0x1e0efc0])
        self.assertEqual(self.convert("din", "--physical", trace)[0].decode(),
                         "1 1e0effc\n0 1e0effd\n0 1e0eff8\n0 1e0efb8\n")
        for packet in gem5_packets(self.convert("gem5", "--physical", trace)[0]):
            self.assertLessEqual(packet[3] + packet[4], 0x1e0f000)

    def test_streams_get_parts_whose_sizes_are_powers_of_two(self):
        stream, said = self.convert("gmbeoo", "--physical", self.crossing())
        self.assertEqual([(1 << (info & 7), info & STORE, address) for info, address in struct.iter_unpack("<QQ", stream)],
                         [(4, STORE, 0x1e0effc), (1, 0, 0x1e0effd), (2, 0, 0x1e0effe), (8, 0, 0x1e0eff8),
                          (16, 0, 0x1e0efb8)])
        self.assertIn("2 accesses had a second page", said)
        compact, _ = self.convert("compact", "--physical", self.crossing())
        self.assertEqual([word >> 48 & 7 for word, in struct.iter_unpack("<Q", compact)], [2, 0, 1, 3, 4])

    def test_virtual_addresses_are_written_whole(self):
        text, said = self.convert("lackey", self.crossing())
        self.assertIn(" S 500000ffc,8\n L 500000ffd,8\n", text.decode())
        self.assertEqual(len(text.splitlines()), 6)
        self.assertNotIn("second page", said)


class Lines(Converted):
    def test_oracle_general_has_every_line_of_a_large_access(self):
        trace = self.make("large.mtrace", [(7 | USER, 0x1020), (3, (1 << 64) - 4)])
        lines = [line for _, line, _, _ in struct.iter_unpack("<IQIq", self.convert("oracleGeneral", trace)[0])]
        self.assertEqual(lines, [0x1000, 0x1040, 0x1080, (1 << 64) - 64, 0])

    def test_a_request_is_of_one_line(self):
        trace = self.make("lines.mtrace", [(3 | STORE, 0x103c), (2, 0x103c), (3, 0x1040), (7, 0x2020)])
        texts = {name: self.convert(name, trace)[0].decode() for name in ("ramulator2", "dramsim3")}
        self.assertEqual(texts["ramulator2"], "ST 0x103c\nST 0x1040\nLD 0x103c\nLD 0x1040\n"
                                              "LD 0x2020\nLD 0x2040\nLD 0x2080\n")
        self.assertEqual(texts["dramsim3"], "0x103C WRITE 0\n0x1040 WRITE 0\n0x103C READ 1\n0x1040 READ 2\n"
                                            "0x2020 READ 3\n0x2040 READ 3\n0x2080 READ 3\n")
        packets = gem5_packets(self.convert("gem5", trace)[0])
        self.assertEqual([(packet[3], packet[4]) for packet in packets],
                         [(0x103c, 4), (0x1040, 4), (0x103c, 4), (0x1040, 8), (0x2020, 32), (0x2040, 64), (0x2080, 32)])
        self.assertEqual(self.convert("ramulator2", "--one-request", trace)[0].decode(),
                         "ST 0x103c\nLD 0x103c\nLD 0x1040\nLD 0x2020\n")
        self.assertEqual([packet[4] for packet in gem5_packets(self.convert("gem5", "--one-request", trace)[0])],
                         [8, 4, 8, 128])
        self.assert_fails(self.tracer("convert", "--to", "lackey", "--one-request", trace), "--one-request", status=2)

    def test_oracle_general_counts_requests_from_1_as_libcachesim_does(self):
        trace = self.make("few.mtrace", [(3, 0x1000), (3, 0x203c), (3, 0x1008), (3, 0x2040), (3, 0x1000)])
        self.assertEqual([(line, following) for _, line, _, following in
                          struct.iter_unpack("<IQIq", self.convert("oracleGeneral", trace)[0])],
                         [(0x1000, 4), (0x2000, -1), (0x2040, 5), (0x1000, 6), (0x2040, -1), (0x1000, -1)])


class Time(Converted):
    """A chunk's time is when it was handed over: its records were made between the time of the chunk before and this time."""

    def chunks(self, name, *chunks, vcpus=1, **options):
        """Of (vcpu, time, count) tuples. The addresses are the indexes of the records, times 64."""
        lines, index = [], 0
        for vcpu, time, count in chunks:
            lines.append(f"c {vcpu} {time} {count}")
            lines += [f"r 3 {64 * (index + i):x} 0 0 0" for i in range(count)]
            index += count
        return self.make(name, lines, fields=TIME, vcpus=vcpus, **options)

    def cycles(self, trace, *options):
        return [int(line.split()[2]) for line in self.convert("dramsim3", *options, trace)[0].decode().splitlines()]

    def test_the_records_of_a_chunk_are_spread_over_its_time(self):
        trace = self.chunks("t.mtrace", (0, 1000, 10), (0, 1040, 4), (0, 1040, 4), (0, 3000, 2000), block=13)
        expected = ([1000000 * (i + 1) // 10 for i in range(10)] + [1000000 + 40000 * (i + 1) // 8 for i in range(8)]
                    + [1040000 + 1960000 * (i + 1) // 2000 for i in range(2000)])
        ticks = [packet[1] for packet in gem5_packets(self.convert("gem5", trace)[0])]
        self.assertEqual(ticks, [ps - expected[0] for ps in expected])
        self.assertEqual(self.cycles(trace), [(ps - expected[0]) // 1000 for ps in expected])
        # Leaving out records doesn't change the others' distances in time, but it changes which time is 0.
        self.assertEqual(self.cycles(trace, "--events", "12.."), [(ps - expected[12]) // 1000 for ps in expected[12:]])

    def test_several_vcpus_have_times_of_their_own_that_never_go_back(self):
        trace = self.chunks("v.mtrace", (0, 1000, 100), (1, 1050, 10), (0, 2000, 100), (1, 2050, 100), (1, 90000, 2),
                            vcpus=2, block=50)
        cycles = self.cycles(trace)
        self.assertEqual(cycles, sorted(cycles))
        self.assertEqual(len(cycles), 312)
        self.assertEqual(cycles[:100], [10 * i for i in range(100)])
        self.assertEqual(cycles[-3:], [2040, 2050 + (90000 - 2050) // 2 - 10, 90000 - 10])
        self.assertEqual(self.cycles(trace, "--vcpu", "1")[:10], [105 * i for i in range(10)])

    def test_a_part_begins_when_its_first_chunk_did(self):
        trace = self.chunks("whole.mtrace", (0, 10**9, 100), (0, 10**9 + 400, 100))
        part = self.path("part.mtrace")
        self.assertEqual(self.tracer("cut", "--events", "20..", "-o", part, trace).status, 0)
        self.assertEqual(self.cycles(part), list(range(80)) + [79 + 4 * (i + 1) for i in range(100)])

    def test_without_time_a_record_is_a_cycle(self):
        trace = self.make("plain.mtrace", [(3, 64 * i) for i in range(100)])
        self.assertEqual(self.cycles(trace, "--events", "30..50"), list(range(20)))
        self.assertEqual([packet[1] for packet in gem5_packets(self.convert("gem5", "--address", "1000..1200", trace)[0])],
                         [1000 * i for i in range(8)])


class Trace(Converted):
    """`convert --to trace` keeps everything, as `cut` does."""

    def source(self):
        lines = ['m {"recorded_by": "test", "accesses": 8, "skipped": 2, "dropped": 0, "kernel": "6.1"}',
                 "a kallsyms ffffffff81000000 T _text", "a modules ext4 1", "a libraries 400000 /bin/x",
                 "a of_the_future something", "i 400000 3", "i ffffffff81000000 0"]
        for chunk in range(3):
            lines.append(f"c {chunk % 2} {1000 * (chunk + 1)} 2")
            lines += [f"r c{3 + i:x} {0x7000 + 16 * chunk + i:x} {0x99000 + 16 * chunk + i:x} {chunk + i:x} 1" for i in range(1)]
            lines += [f"r 22 ffffffff8000{chunk}000 {0x98000:x} {chunk:x} 2"]
        return self.make("source.mtrace", lines + ['m {"records": 6, "exit_status": 3}'], fields=PC | PADDR | VALUE | TIME,
                         vcpus=2, block=2)

    def attachments(self, path):
        """The payloads of a file's attachments."""
        with open(path, "rb") as file:
            data = file.read()
        offset, found = 64, []
        while struct.unpack_from("<I", data, offset + 4)[0] != 5:
            kind, size = struct.unpack_from("<IQ", data, offset + 4)
            if kind == 4:
                found.append(data[offset + 32:offset + 32 + size])
            offset += 32 + (size + 7) // 8 * 8
        return found

    def info(self, path):
        info = super().info(path)
        for name in ("blocks", "bytes", "bytes_per_record"):
            del info[name]
        return info

    def test_nothing_is_lost(self):
        source = self.source()
        self.convert("trace", source)
        self.assert_good(self.path("out.trace"))
        self.assertEqual(self.convert("csv", self.path("out.trace"))[0], self.convert("csv", source)[0])
        before, after = self.info(source), self.info(self.path("out.trace"))
        self.assertEqual(after["metadata"].pop("derived_by")[:3], ["convert", "--to", "trace"])
        self.assertEqual(after, before)
        self.assertEqual(len(self.attachments(source)), 4)
        self.assertEqual(self.attachments(self.path("out.trace")), self.attachments(source))

    def test_a_selection_is_what_cut_makes_of_it(self):
        source, cut = self.source(), self.path("cut.mtrace")
        self.assertEqual(self.tracer("cut", "--stores", "-o", cut, source).status, 0)
        self.convert("trace", "--stores", source)
        of = [self.info(path) for path in (cut, self.path("out.trace"))]
        for info in of:
            del info["metadata"]["derived_by"]
        self.assertEqual(*of)
        self.assertEqual(of[0]["records"], 3)
        self.assertNotIn("accesses", of[0])  # the recording's total is that of another trace
        self.assertEqual(*[self.convert("csv", path)[0] for path in (cut, self.path("out.trace"))])
        self.assertEqual(self.attachments(cut), self.attachments(source))

    def test_only_into_a_file(self):
        source = self.source()
        self.assert_fails(self.tracer("convert", "--to", "trace", source), "pipe")
        self.assert_fails(self.tracer("convert", "--to", "trace", "-o", "/dev/full", source), "pipe")
        result = self.tracer("convert", "--to", "gem5", "-o", "/dev/full", source)
        self.assert_fails(result, "memory_tracer: can't write /dev/full: No space left on device")
        self.assert_fails(self.tracer("convert", "--to", "trace", "--physical", "-o", self.path("x"), source), status=2)


class Simulators(Converted):
    """Readers of two formats by their layouts, and the caches that memory_tracer-trace(1) says they come to."""

    def setUp(self):
        super().setUp()
        chance, at = random.Random(12), 0
        rows = []
        for _ in range(4000):
            at = chance.choice((at, at + 8, 64 * int(3000 ** chance.random()), 8 * chance.randrange(1 << 16)))
            rows.append((3 | chance.choice((0, STORE)), at))
        self.trace_path = self.make("a.mtrace", rows)

    def misses(self, verb, *arguments):
        result = self.tracer(verb, "--json", *arguments, self.trace_path)
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    @staticmethod
    def belady_misses(requests, size):
        """The next line to be replaced is the one whose next request is the latest (Belady's algorithm), as the requests tell."""
        cache, misses = {}, 0
        for number, (_, line, _, following) in enumerate(requests, 1):
            if line in cache:
                assert cache[line] == number, "the request before has told another one"
            else:
                misses += 1
                if len(cache) == size:
                    del cache[max(cache, key=cache.get)]
            cache[line] = following if following > 0 else float("inf")
        return misses

    def test_oracle_general(self):
        data = self.convert("oracleGeneral", self.trace_path)[0]
        self.assertEqual(len(data), 24 * 4000)
        requests = list(struct.iter_unpack("<IQIq", data))
        self.assertEqual({request[2] for request in requests}, {64})
        level = self.misses("cache", "--l1d", "16K,full")["levels"][0]
        self.assertEqual(lru_misses([line // 64 for _, line, _, _ in requests], 1, 256), level["misses"])
        points = self.misses("mrc")["curves"][0]["points"]
        ratio = next(point["miss_ratio"] for point in points if point["bytes"] == 16384)
        self.assertAlmostEqual(ratio * 4000, level["misses"], places=6)
        self.assertLess(self.belady_misses(requests, 256), level["misses"])

    def test_din(self):
        accesses = [line.split(" ") for line in self.convert("din", self.trace_path)[0].decode().splitlines()]
        self.assertEqual(len(accesses), 4000)
        self.assertEqual({label for label, _ in accesses}, {"0", "1"})
        stat = self.misses("stat")
        self.assertEqual(sum(label == "1" for label, _ in accesses), stat["stores"])
        level = self.misses("cache", "--l1d", "32K,8")["levels"][0]
        self.assertEqual(lru_misses([int(address, 16) // 64 for _, address in accesses], 64, 8), level["misses"])


class Numbers(Converted):
    """json-glib has signed numbers only."""

    def test_numbers_from_2_to_the_63_on_are_what_they_are(self):
        large = {"sample_seed": (1 << 64) - 1, "records": 1, "deep": {"list": [1 << 63, -1, "18446744073709551615"]}}
        source, copy = self.make("a.mtrace", [(3, 0)], before=["m " + json.dumps(large)]), self.path("copy.mtrace")
        self.assertEqual(self.tracer("cut", "-o", copy, source).status, 0)
        for path in (source, copy):
            metadata = self.info(path)["metadata"]
            self.assertEqual({name: metadata[name] for name in large}, large)
            self.assertRegex(self.tracer("info", path).out, r"sample_seed +18446744073709551615\n")
        claims = self.make("b.mtrace", [(3, 0)], before=['m {"accesses": 18446744073709551614, "skipped": 18446744073709551613}'])
        self.assertEqual(self.info(claims)["accesses"], (1 << 64) - 2)
        self.assert_good(claims)


SLOW_ANALYSIS = r"""
#include <memory_tracer/analysis.h>
#include <unistd.h>
static int state;
static void *begin(struct mt_error *error) { (void)error; return &state; }
static bool add(void *data, const struct mt_batch *batch, struct mt_error *error)
{
    (void)data; (void)batch; (void)error;
    usleep(300000);
    return true;
}
static void describe(void *data, struct mt_report *report) { (void)data; report->count(report, "done", 1); }
static void end(void *data) { (void)data; }
const struct mt_analysis memory_tracer_analysis = { MT_ANALYSIS_ABI, MT_COLUMN_ADDRESS, "slow", "", begin, add, describe, end };
"""


class ProgressLine(Converted):
    def begin(self, arguments):
        """A verb that is fed records by us, and its terminal."""
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([TRACER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=other_end, env=self.environment)
        os.close(other_end)
        os.set_blocking(terminal, False)
        return process, terminal

    def told(self, *commands):
        """Feeds records to verbs, slowly, until all have shown their progress; returns what they printed."""
        verbs = [self.begin(arguments) for arguments in commands]
        texts, deadline = [b""] * len(verbs), time.time() + 60
        while not all(b"records" in text for text in texts) and time.time() < deadline:
            for i, (process, terminal) in enumerate(verbs):
                process.stdin.write(struct.pack("<QQ", 1 << 63 | 3, 0x1000) * 20000)
                process.stdin.flush()
                texts[i] += self.read(terminal)
            time.sleep(0.1)
        for i, (process, terminal) in enumerate(verbs):
            process.stdin.close()
            self.assertEqual(process.wait(timeout=60), 0, commands[i])
            texts[i] += self.read(terminal)
            os.close(terminal)
        return [text.decode() for text in texts]

    @staticmethod
    def read(terminal):
        try:
            return os.read(terminal, 1 << 16)
        except OSError:  # nothing yet, or no more
            return b""

    def test_it_is_shown_on_a_terminal_when_it_takes_long(self):
        commands = [["check", "-"], ["convert", "-t", "din", "-o", self.path("din"), "-"],
                    ["convert", "-t", "npy", "-o", self.path("npy"), "-"],
                    ["convert", "-t", "oracleGeneral", "-o", self.path("oracle"), "-"], ["dump", "-"],
                    ["cut", "-o", self.path("cut"), "-"], ["merge", "-o", self.path("merged"), "-"],
                    ["analyze", "-a", "stat", "-a", "wss", "-"]]
        commands += [[name, "-"] for name in ("cache", "heatmap", "mrc", "reuse", "sharing", "stat", "sweep", "tlb", "wss")]
        for arguments, text in zip(commands, self.told(*commands)):
            with self.subTest(arguments):
                self.assertRegex(text, r"\r\x1b\[Kmemory_tracer: \d+ M records")
                # It is gone before anything else is said.
                self.assertEqual(re.sub(r"\r\x1b\[K(memory_tracer: \d+ M records(?=\r\x1b))?", "", text).count(" M records"), 0)

    def test_a_file_tells_how_much_is_left(self):
        slow = self.path("slow.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-I", os.path.join(ROOT, "include"), "-o", slow, "-x", "c", "-"],
                       input=SLOW_ANALYSIS, text=True, check=True)
        streams = []
        for name, form, value in (("gmbeoo", "<QQ", (1 << 63 | 3, 0x1000)), ("compact", "<Q", (3 << 48 | 0x1000,))):
            streams.append(self.path(name))
            with open(streams[-1], "wb") as file:
                file.write(struct.pack(form, *value) * 40000)
        self.assertEqual(self.tracer("cut", "-o", self.path("cut"), streams[0]).status, 0)
        paths = [self.path("cut"), *streams]
        verbs = [self.begin(["analyze", "--load", slow, path]) for path in paths]
        for (process, terminal), path in zip(verbs, paths):
            text, deadline = "", time.time() + 30
            while "left" not in text and time.time() < deadline and process.poll() is None:
                time.sleep(0.05)
                text += self.read(terminal).decode()
            process.kill()
            process.communicate()
            with self.subTest(path):
                self.assertRegex(text, r"\r\x1b\[Kmemory_tracer: 0 of 0 M records, \d+ s left")
            os.close(terminal)

    def test_it_is_not_shown_otherwise(self):
        records = struct.pack("<QQ", 1 << 63 | 3, 0x1000)
        process = subprocess.Popen([TRACER, "check", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        for _ in range(30):
            process.stdin.write(records * 10000)
            process.stdin.flush()
            time.sleep(0.1)
        self.assertEqual(process.communicate(timeout=60)[1], b"")


class Ramulator(Converted):
    def test_addresses_that_its_reader_aborts_at_are_refused(self):
        trace = self.make("kernel.mtrace", [(3 | USER, (1 << 63) - 8, 0xff8), (3, 0xffff888000001000, 0x1000)], fields=PADDR)
        result = self.tracer("convert", "--to", "ramulator2", "-o", self.path("x"), trace)
        self.assert_fails(result, "record 1 is at 0xffff888000001000", "2^63", "--physical", "--address")
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("x")], [])
        self.assertEqual(self.convert("ramulator2", "--physical", trace)[0].decode(), "LD 0xff8\nLD 0x1000\n")
        self.assertEqual(self.convert("ramulator2", "--address", "..8000000000000000", trace)[0].decode(),
                         "LD 0x7ffffffffffffff8\n")


if __name__ == "__main__":
    unittest.main()
