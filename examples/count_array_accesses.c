/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small analysis tool: counts the accesses to each element of the array that the workload's info describes.
 *
 * usage (by memory_tracer): count_array_accesses FIFO [ADDRESS ELEMENT_BYTES ELEMENTS]
 *
 * It shows all of the protocol: install the SIGUSR1 handler, say "Ready to analyze", open and read the FIFO, and on
 * SIGUSR1 print the output between the two lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory_tracer/record.h>

#define RECORDS_AT_ONCE 65536 /* 1 MiB, the usual limit for the size of a pipe */

static volatile sig_atomic_t output_wanted;

static void on_sigusr1(int signal)
{
    (void)signal;
    output_wanted = 1;
}

static struct {
    uint64_t records, user, loads, stores, in_array, invalid;
    uint64_t first, element_bytes, elements;
    uint64_t *by_element;
    uint64_t in_array_by_kernel;
    unsigned vcpus; /* one more than the highest seen */
    struct {
        uint64_t in_array, first_element, last_element;
    } by_vcpu[256];
} counts;

static void count(const struct gmbeoo_record *record)
{
    uint64_t offset = record->virt_addr - counts.first;
    unsigned vcpu = gmbeoo_vcpu(record) & 255;

    counts.records++;
    counts.invalid += !gmbeoo_is_valid(record);
    counts.user += gmbeoo_cpl(record) == 3;
    *(gmbeoo_is_store(record) ? &counts.stores : &counts.loads) += 1;
    if (vcpu >= counts.vcpus)
        counts.vcpus = vcpu + 1;
    if (counts.elements && offset < counts.element_bytes * counts.elements) {
        uint64_t element = offset / counts.element_bytes;

        counts.in_array_by_kernel += gmbeoo_cpl(record) != 3;
        counts.by_element[element]++;
        if (!counts.by_vcpu[vcpu].in_array++ || element < counts.by_vcpu[vcpu].first_element)
            counts.by_vcpu[vcpu].first_element = element;
        if (element > counts.by_vcpu[vcpu].last_element)
            counts.by_vcpu[vcpu].last_element = element;
        counts.in_array++;
    }
}

static void print_output(void)
{
    uint64_t least = UINT64_MAX, most = 0;

    for (uint64_t i = 0; i < counts.elements; i++) {
        least = counts.by_element[i] < least ? counts.by_element[i] : least;
        most = counts.by_element[i] > most ? counts.by_element[i] : most;
    }
    printf("-----begin analysis output-----\n");
    printf("records: %llu\n", (unsigned long long)counts.records);
    printf("invalid records: %llu\n", (unsigned long long)counts.invalid);
    printf("loads: %llu\n", (unsigned long long)counts.loads);
    printf("stores: %llu\n", (unsigned long long)counts.stores);
    printf("by user code: %llu\n", (unsigned long long)counts.user);
    printf("by the kernel: %llu\n", (unsigned long long)(counts.records - counts.user));
    if (counts.elements)
        printf("in the array: %llu, per element from %llu to %llu\n", (unsigned long long)counts.in_array,
               (unsigned long long)least, (unsigned long long)most);
    if (counts.in_array_by_kernel)
        printf("in the array by the kernel: %llu\n", (unsigned long long)counts.in_array_by_kernel);
    for (unsigned i = 0; counts.vcpus > 1 && i < counts.vcpus; i++)
        if (counts.by_vcpu[i].in_array)
            printf("in the array by vCPU %u: %llu, elements %llu to %llu\n", i,
                   (unsigned long long)counts.by_vcpu[i].in_array, (unsigned long long)counts.by_vcpu[i].first_element,
                   (unsigned long long)counts.by_vcpu[i].last_element);
    printf("-----end analysis output-----\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct gmbeoo_record records[RECORDS_AT_ONCE + 1];
    struct sigaction action = { .sa_handler = on_sigusr1 }; /* without SA_RESTART: read() shall return */
    size_t filled = 0;                                      /* bytes; a read may end within a record */
    int fifo;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FIFO [ADDRESS ELEMENT_BYTES ELEMENTS]\n", argv[0]);
        return 2;
    }
    if (argc >= 5) {
        counts.first = strtoull(argv[2], NULL, 0);
        counts.element_bytes = strtoull(argv[3], NULL, 0);
        counts.elements = strtoull(argv[4], NULL, 0);
        counts.by_element = calloc(counts.elements, sizeof *counts.by_element);
        if (!counts.element_bytes || !counts.by_element) {
            fprintf(stderr, "%s: bad array\n", argv[0]);
            return 2;
        }
    }
    sigaction(SIGUSR1, &action, NULL);
    printf("Ready to analyze\n");
    fflush(stdout);
    fifo = open(argv[1], O_RDONLY);
    if (fifo < 0) {
        perror(argv[1]);
        return 1;
    }
    while (!output_wanted) {
        ssize_t n = read(fifo, (char *)records + filled, RECORDS_AT_ONCE * sizeof *records - filled);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        filled += (size_t)n;
        for (size_t i = 0; i < filled / sizeof *records; i++)
            count(&records[i]);
        records[0] = records[filled / sizeof *records];
        filled %= sizeof *records;
    }
    if (output_wanted)
        print_output();
    return 0;
}
