# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes of pages: the verbs' results for known sizes, and recorded sizes compared with what the guest says."""
import csv
import io
import json
import os
import re
import signal
import subprocess
import time
import unittest

from harness import BUILD, ROOT, SystemTest

PADDR, PAGE_SIZES = 2, 128
SIZES = {0: None, 1: 4096, 2: 2 << 20, 3: 1 << 30}
UNKNOWN = (1 << 64) - 1
AREA = 4 << 20
DIRECT_MAP = "ffff800000000000..ffffc80000000000"

PROGRAM = r"""
#include <fcntl.h>
#include <memory_tracer/roi.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA (4ul << 20)
#define LARGE (2ul << 20)

/* How many pages of an area the kernel calls transparent huge pages (22) or of hugetlbfs (17): its pagemap and
 * kpageflags say so. */
static unsigned count_large(const char *area, size_t bytes)
{
    int pages = open("/proc/self/pagemap", O_RDONLY), flags = open("/proc/kpageflags", O_RDONLY);
    unsigned count = 0;

    for (size_t at = 0; at < bytes; at += 4096) {
        uint64_t entry = 0, flag = 0;

        if (pread(pages, &entry, 8, (uintptr_t)(area + at) / 4096 * 8) == 8 &&
            pread(flags, &flag, 8, (entry & ((1ul << 55) - 1)) * 8) == 8)
            count += (flag >> 22 | flag >> 17) & 1;
    }
    return count;
}

static void use(const char *name, int advice, int flags, size_t bytes)
{
    char *area = mmap(NULL, bytes + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    if (area == MAP_FAILED) {
        printf("%s none\n", name);
        return;
    }
    area = (char *)(((uintptr_t)area + LARGE - 1) & ~(LARGE - 1));
    if (advice >= 0)
        madvise(area, bytes, advice);
    MEMORY_TRACER_ROI_BEGIN();
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < bytes; i += 4096)
            ((volatile char *)area)[i] = 1;
    MEMORY_TRACER_ROI_END();
    printf("%s %p %u\n", name, (void *)area, count_large(area, bytes));
}

int main(void)
{
    FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");
    char line[256];

    if (file) {
        fputs("2", file);
        fclose(file);
    }
    use("small", MADV_NOHUGEPAGE, 0, AREA);
    use("huge", MADV_HUGEPAGE, 0, AREA);
    use("hugetlb", -1, MAP_HUGETLB, LARGE);
    file = fopen("/proc/meminfo", "r");
    while (fgets(line, sizeof line, file))
        if (strstr(line, "DirectMap"))
            fputs(line, stdout);
    return 0;
}
"""


ANALYSIS = r"""
#include <memory_tracer/analysis.h>
#include <stdlib.h>

static void *begin(struct mt_error *error)
{
    (void)error;
    return calloc(64, sizeof(uint64_t));
}

static bool add(void *state, const struct mt_batch *batch, struct mt_error *error)
{
    (void)error;
    for (size_t i = 0; batch->page_size && i < batch->count; i++)
        ((uint64_t *)state)[batch->page_size[i]]++;
    return true;
}

static void describe(void *state, struct mt_report *report)
{
    report->count(report, "unknown", ((uint64_t *)state)[0]);
    report->count(report, "large", ((uint64_t *)state)[21]);
}

const struct mt_analysis memory_tracer_analysis = { MT_ANALYSIS_ABI, MT_COLUMN_PAGE_SIZE, "sizes", "", begin, add, describe, free };
"""


class PageSizes(SystemTest):
    def make(self, name, fields, rows):
        """A trace of 8-byte loads: (address, physical address, size's code) tuples."""
        lines = [f"c 0 0 {len(rows)}"] + [
            f"r 3 {address:x} {paddr | (code << 56 if fields & PAGE_SIZES else 0):x} 0 0" for address, paddr, code in rows]
        subprocess.run([os.path.join(BUILD, "make_trace"), self.path(name), str(fields), "1", "64"], input="\n".join(lines) + "\n",
                       text=True, check=True)
        return self.path(name)

    ROWS = ([(0x1000 * page + 8, 0x5000 + 0x1000 * page + 8, page % 4) for page in range(100)]
            + [(0x1010, 0x7010, 3), (0x1018, 0x7018, 3), (0x1018, 0x8018, 3), (0x1020, 0x8020, 1), (0x1020, UNKNOWN, 0), (0x1028, 0x8028, 1)])
    SIZES = [SIZES[code] for _, _, code in ROWS]

    def rows(self, *arguments):
        result = self.tracer("dump", "--json", *arguments)
        self.assertEqual((result.status, result.err), (0, ""))
        return [json.loads(line) for line in result.out.splitlines()]

    def csv(self, *arguments):
        result = self.tracer("convert", "--to", "csv", *arguments)
        self.assertEqual(result.status, 0, result.err)
        return list(csv.DictReader(io.StringIO(result.out)))

    def test_what_is_recorded_is_told(self):
        trace = self.make("sizes", PADDR | PAGE_SIZES, self.ROWS)
        self.assertEqual(self.info(trace)["fields"], ["paddr", "page_size"])
        rows = self.rows(trace)
        self.assertEqual([row["page_size"] for row in rows], self.SIZES)
        self.assertEqual([row["paddr"] for row in rows], [None if paddr == UNKNOWN else hex(paddr) for _, paddr, _ in self.ROWS])
        self.assertEqual([row["page_size"] for row in self.csv(trace)], [str(size or "") for size in self.SIZES])
        lines = self.tracer("dump", "--columns", "page_size", trace).out.split("\n")[1:-1]
        self.assertEqual([line.strip() for line in lines], [str(size or "?") for size in self.SIZES])
        # A selection, and one size without the others.
        self.assertEqual([row["page_size"] for row in self.rows("--address", "1010..1020", "--columns", "page_size", trace)], [1 << 30] * 3)

    def test_the_library_tells_them(self):
        subprocess.run(["gcc", "-shared", "-fPIC", "-I", os.path.join(ROOT, "include"), "-o", self.path("sizes.so"), "-x", "c", "-"],
                       input=ANALYSIS, text=True, check=True)
        counts = {}
        for fields in (PADDR | PAGE_SIZES, PADDR):
            result = self.tracer("analyze", "--json", "--load", self.path("sizes.so"), self.make("sizes", fields, self.ROWS))
            self.assertEqual(result.status, 0, result.err)
            counts[fields] = [int(re.search(rf'"{name}" *: *(\d+)', result.out).group(1)) for name in ("unknown", "large")]
        self.assertEqual(counts, {PADDR | PAGE_SIZES: [self.SIZES.count(None), self.SIZES.count(2 << 20)], PADDR: [0, 0]})

    def test_others_know_nothing_of_it(self):
        trace = self.make("paddr", PADDR, self.ROWS)
        self.assertNotIn("page_size", self.rows(trace)[0])
        self.assertNotIn("page_size", self.csv(trace)[0])
        result = self.tracer("dump", "--columns", "page_size", trace)
        self.assertEqual((result.status, result.out, result.err.count("\n")), (1, "", 1))

    def test_shares(self):
        trace = self.make("sizes", PADDR | PAGE_SIZES, self.ROWS * 20)
        for jobs in ("1", "2"):
            result = json.loads(self.tracer("stat", "--json", "--jobs", jobs, trace).out)
            self.assertEqual(result["accesses_by_page_size"], {name: 20 * self.SIZES.count(size) for name, size in
                                                               (("4K", 4096), ("2M", 2 << 20), ("1G", 1 << 30), ("unknown", None))})
        self.assertNotIn("accesses_by_page_size", json.loads(self.tracer("stat", "--json", self.make("paddr", PADDR, self.ROWS)).out))

    def test_cut_and_merge_keep_it(self):
        sizes, paddr = self.make("sizes", PADDR | PAGE_SIZES, self.ROWS), self.make("paddr", PADDR, self.ROWS)
        self.assertEqual(self.tracer("cut", "--events", "3..50", "-o", self.path("cut"), sizes).status, 0)
        self.assertEqual([row["page_size"] for row in self.rows(self.path("cut"))], self.SIZES[3:50])
        result = self.tracer("merge", "-o", self.path("merged"), sizes, paddr)
        self.assertEqual(result.status, 0, result.err)
        rows = [row for row in self.csv(self.path("merged"))]
        self.assertEqual([row["page_size"] for row in rows], [str(size or "") for size in self.SIZES] + [""] * len(self.ROWS))
        self.assertEqual([row["paddr"] for row in rows], ["" if paddr == UNKNOWN else hex(paddr) for _, paddr, _ in self.ROWS] * 2)

    def test_a_guest_agrees(self):
        program = self.path("pages")
        subprocess.run(["gcc", "-O1", "-static", "-I", os.path.join(ROOT, "include"), "-o", program, "-x", "c", "-"], input=PROGRAM,
                       text=True, check=True)
        trace = self.path("pages.mtrace")
        result = self.tracer("record", "-o", trace, "--fields", "paddr", "--roi", "--", program)
        self.assertEqual(result.status, 0, result.err)
        self.assertEqual(self.info(trace)["fields"], ["pc", "paddr", "task", "page_size"])
        areas = {name: (int(at, 16), int(large)) for name, at, large in re.findall(r"^(\w+) (0x\w+) (\d+)$", result.out, re.M)}
        self.assertEqual({name: large for name, (_, large) in areas.items()}, {"small": 0, "huge": 1024, "hugetlb": 512})
        for name, (at, large) in areas.items():
            pages = large or AREA // 4096
            rows = self.csv("--address", f"{at:x}..{at + 4096 * pages:x}", "--cpl", "3", trace)
            with self.subTest(area=name):
                self.assertEqual((len(rows), {row["page_size"] for row in rows}), (2 * pages, {str(2 << 20 if large else 4096)}))
                # A TLB that knows the sizes: the second round finds all large pages, and the small ones in the second level.
                tlb = json.loads(self.tracer("tlb", "--json", "--address", f"{at:x}..{at + 4096 * pages:x}", "--cpl", "3", trace).out)
                walks = pages // 512 if large else pages
                self.assertEqual((tlb["page_size"], [level["misses"] for level in tlb["levels"]]), ("recorded", [walks if large else 2 * pages, walks]))
                if large: # and so they are contiguous
                    self.assertEqual({int(row["paddr"], 16) - int(row["address"], 16) & (2 << 20) - 1 for row in rows}, {0})
        # The direct map: no more of it is of small pages than the guest says.
        rows = self.csv("--address", DIRECT_MAP, "--events", "..300000", trace)
        sizes = {size: {int(row["address"], 16) // size for row in rows if row["page_size"] == str(size)} for size in (4096, 2 << 20, 1 << 30)}
        self.assertEqual(sum(row["page_size"] == "" for row in rows), 0)
        self.assertTrue(sizes[2 << 20] or sizes[1 << 30])
        for size, name in ((4096, "4k"), (2 << 20, "2M"), (1 << 30, "1G")):
            told = re.search(rf"DirectMap{name}: +(\d+) kB", result.out)
            self.assertLessEqual(len(sizes[size]) * size, int(told.group(1)) << 10 if told else 0)

    def test_they_are_right_where_records_were_dropped(self):
        trace = self.path("dropped.mtrace")
        process = self.start("record", "-o", trace, "--when-full", "drop", "--fields", "paddr", "--", "sh", "-c", "seq 30000 | gzip | sha256sum")
        deadline = time.time() + 300
        while process.poll() is None and time.time() < deadline and not (os.path.exists(trace) and os.path.getsize(trace) > 200000):
            time.sleep(0.02)
        for _ in range(6): # the one who takes the records stands still again and again
            if process.poll() is None:
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.1)
                process.send_signal(signal.SIGCONT)
                time.sleep(0.1)
        _, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, err)
        self.assertGreater(self.info(trace)["records_dropped"], 0)
        # The kernel's direct map is at one distance from physical memory.
        result = self.tracer("convert", "--to", "csv", "--stores", "--address", DIRECT_MAP, trace)
        head, *lines = result.out.splitlines()
        address, paddr = head.split(",").index("address"), head.split(",").index("paddr")
        pages = {(row[address][:-3], row[paddr][:-3]) for row in (line.split(",") for line in lines)}
        distances = {int(virtual, 16) - int(physical, 16) << 12 for virtual, physical in pages}
        self.assertGreater(len(pages), 100)
        self.assertEqual((len(distances), distances.pop() % (1 << 30)), (1, 0))


if __name__ == "__main__":
    unittest.main()
