/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workload_mappings FILE SEED
 *
 * Maps, moves and unmaps memory at random, so that a trace can be compared with what the kernel itself says. FILE has
 * at least 64 pages. A number of times, a page is mapped at POINT + i * POINT_STEP, and then /proc/self/maps is printed
 * behind a line "point i". Nothing is mapped between both. With a third argument it does a part of that, prints
 * nothing, and is killed by a signal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define ARENA 0x100000000000ul
#define PAGES 256
#define POINT 0x200000000000ul
#define POINT_STEP 0x200000ul
#define POINTS 8
#define STEPS 150
#define FILE_PAGES 64
#define SHARED_PAGES 8

static char maps[1 << 20];
static uint64_t state;
static int file, shared;
/* Which call has mapped a page of the arena, from 1 on; 0: nothing is there. Neighbours of the same number are one area
 * of the kernel's. */
static unsigned owner[PAGES], last_owner;

static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20) % below;
}

static char *address_of(unsigned page)
{
    return (char *)(ARENA + page * PAGE);
}

static void set_owner(unsigned page, unsigned count, unsigned number)
{
    for (unsigned i = 0; i < count; i++)
        owner[page + i] = number;
}

static void pick_range(unsigned *page, unsigned *count)
{
    *count = 1 + pick(24);
    *page = pick(PAGES - *count);
}

/* A part of one area; false if a random page has none. */
static int pick_area(unsigned *page, unsigned *count)
{
    unsigned number;

    *page = pick(PAGES);
    number = owner[*page];
    *count = 0;
    while (*page + *count < PAGES && owner[*page + *count] == number)
        ++*count;
    *count = 1 + pick(*count);
    return number != 0;
}

static int protection(void)
{
    static const int all[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC };

    return all[pick(4)];
}

static void map(void)
{
    unsigned page, count, kind = pick(4);
    int flags = MAP_FIXED | (kind & 1 ? MAP_SHARED : MAP_PRIVATE) | (kind & 2 ? 0 : MAP_ANONYMOUS);

    pick_range(&page, &count);
    /* A length is rounded up. */
    if (mmap(address_of(page), count * PAGE - pick(4095), protection(), flags, kind & 2 ? file : -1,
             kind & 2 ? pick(FILE_PAGES - 24) * PAGE : 0) != MAP_FAILED)
        set_owner(page, count, ++last_owner);
}

static void unmap(void)
{
    unsigned page, count;

    pick_range(&page, &count);
    if (!pick(8)) { /* fails */
        munmap(address_of(page) + 8, count * PAGE);
        munmap(address_of(page), 0);
        munmap(address_of(page), UINT64_MAX / 2);
        return;
    }
    if (!munmap(address_of(page), count * PAGE - pick(4095)))
        set_owner(page, count, 0);
}

static void protect(void)
{
    unsigned page, count;

    if (pick_area(&page, &count) && !mprotect(address_of(page), count * PAGE, protection()))
        set_owner(page, count, ++last_owner);
}

static int is_free(unsigned page, unsigned count)
{
    while (count--)
        if (owner[page + count])
            return 0;
    return 1;
}

/* To a fixed place: one that has something must not lie where the memory comes from. */
static void move(void)
{
    unsigned page, count, to, new_count = 1 + pick(24), flags = MREMAP_MAYMOVE | MREMAP_FIXED, way = pick(4);

    if (!pick_area(&page, &count))
        return;
    if (way == 1) /* the old mapping stays */
        flags |= MREMAP_DONTUNMAP;
    if (way == 1)
        new_count = count;
    if (way == 2) /* shared memory is mapped once more */
        count = 0;
    to = pick(PAGES - new_count);
    if ((to < page + (count ? count : new_count) && page < to + new_count) || page + new_count > PAGES)
        return;
    if (!count && !is_free(to, new_count)) /* it would be unmapped even if the call fails */
        return;
    if (!count || !is_free(to, new_count))
        new_count = count ? (new_count < count ? new_count : count) : new_count;
    if (way == 1 && !is_free(to, new_count))
        return;
    if (mremap(address_of(page), count ? count * PAGE - pick(4095) : 0, new_count * PAGE - pick(4095) * (way != 1),
               flags, address_of(to)) == MAP_FAILED)
        return;
    if (count && way != 1)
        set_owner(page, count, 0);
    set_owner(to, new_count, ++last_owner);
}

/* In its place, to any length. */
static void resize(void)
{
    unsigned page, count, new_count = 1 + pick(24);

    if (!pick_area(&page, &count) || page + new_count > PAGES)
        return;
    if (mremap(address_of(page), count * PAGE, new_count * PAGE, 0) == MAP_FAILED)
        return;
    set_owner(page, count, 0);
    set_owner(page, new_count, ++last_owner);
}

static void change_heap(void)
{
    uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);

    syscall(SYS_brk, pick(2) ? end + pick(16 * PAGE) : end - pick(12 * PAGE));
}

/* System V shared memory, of which a part may be unmapped before all of it is detached. */
static void attach(void)
{
    unsigned page = pick(PAGES - SHARED_PAGES);

    if (shmat(shared, address_of(page), SHM_REMAP | (pick(2) ? SHM_RDONLY : 0)) != (void *)-1)
        set_owner(page, SHARED_PAGES, ++last_owner);
}

static void detach(void)
{
    unsigned page = pick(PAGES - SHARED_PAGES), number = owner[page];

    shmdt(address_of(page) + 1); /* fails */
    if (!number || shmdt(address_of(page)))
        return;
    for (unsigned i = 0; i < SHARED_PAGES; i++) /* nobody knows which are left: mincore() tells what is mapped */
        if (owner[page + i]) {
            unsigned char present;

            if (syscall(SYS_mincore, address_of(page + i), PAGE, &present))
                owner[page + i] = 0;
            else
                owner[page + i] = ++last_owner;
        }
}

static void advise(void)
{
    unsigned page, count;

    pick_range(&page, &count);
    madvise(address_of(page), count * PAGE, MADV_DONTNEED);
}

static void do_something(void)
{
    static void (*const all[])(void) = { map,  map,    map,         unmap,  unmap,  protect,
                                         move, resize, change_heap, attach, detach, advise };

    all[pick(sizeof all / sizeof *all)]();
}

static void print_maps(unsigned point)
{
    int from = open("/proc/self/maps", O_RDONLY);
    size_t count = (size_t)snprintf(maps, sizeof maps, "point %u\n", point), written = 0;
    ssize_t got;

    while ((got = read(from, maps + count, sizeof maps - count)) > 0)
        count += (size_t)got;
    close(from);
    while (written < count && (got = write(STDOUT_FILENO, maps + written, count - written)) > 0)
        written += (size_t)got;
}

/* vfork(), exec and an end by a signal. */
static void run_child(char **argv)
{
    char *const arguments[] = { argv[0], argv[1], argv[2], (char *)"child", NULL };
    pid_t child = vfork();

    if (!child) {
        execv("/proc/self/exe", arguments);
        _exit(1);
    }
    waitpid(child, NULL, 0);
}

/* The child has its parent's mappings, and changes them. */
static void fork_child(char **argv)
{
    pid_t child = fork();

    (void)argv;
    if (!child) {
        for (unsigned i = 0; i < STEPS; i++)
            do_something();
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    file = open(argv[1], O_RDWR);
    state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ul + 1;
    shared = shmget(IPC_PRIVATE, SHARED_PAGES * PAGE, IPC_CREAT | 0600);
    if (file < 0 || shared < 0)
        return 1;
    for (unsigned point = 0; point < POINTS; point++) {
        for (unsigned i = 0; i < STEPS; i++)
            do_something();
        if (argc > 3)
            break;
        (point & 1 ? run_child : fork_child)(argv);
        mmap((void *)(POINT + point * POINT_STEP), PAGE, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        print_maps(point);
    }
    shmctl(shared, IPC_RMID, NULL);
    if (argc > 3)
        raise(SIGSEGV);
    return 0;
}
