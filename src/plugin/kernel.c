/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's kernel: see kernel.h. */
#include "kernel.h"

#include <string.h>

#include "../record/change.h"
#include "interface.h"

#define NAME_BYTES 256 /* of a file, with the 0 at its end */
#define MAX_STEPS 256  /* from a file to its root */
/* Memory is read in aligned blocks of this size, and some of them are kept: QEMU walks the guest's page tables for each
 * read, and reads are close together. */
#define BLOCK_BYTES 512
#define BLOCKS 16
#define NO_BLOCK UINT64_MAX
#define MODE_BACKING (1u << 25) /* FMODE_BACKING: the real file behind a file of an overlay */

static KernelLayout layout;
static bool known;
static struct qemu_plugin_register *registers[KERNEL_REGISTERS];
static struct {
    uint64_t number; /* address / BLOCK_BYTES */
    GByteArray *bytes;
} blocks[BLOCKS];
static GMutex reading; /* guards the blocks */

bool kernel_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, error))
        return false;
    kernel_layout_read(&layout, text);
    known = kernel_layout_tells_tasks(&layout);
    return true;
}

bool kernel_is_known(void)
{
    return known;
}

const KernelLayout *kernel_layout(void)
{
    return &layout;
}

void kernel_find_registers(void)
{
    static const char *const names[] = { [KERNEL_RDI] = "rdi",
                                         [KERNEL_RSI] = "rsi",
                                         [KERNEL_RAX] = "rax",
                                         [KERNEL_GS_BASE] = "gs_base",
                                         [KERNEL_CR3] = "cr3" };
    g_autoptr(GArray) all = known ? qemu_plugin_get_registers() : NULL;

    for (unsigned i = 0; all && i < KERNEL_REGISTERS; i++)
        registers[i] = interface_find_register(all, names[i]);
}

/* This thread's buffer: QEMU wants a GByteArray. */
static GByteArray *buffer(void)
{
    static __thread GByteArray *bytes;

    if (!bytes)
        bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, 0);
    return bytes;
}

bool kernel_read_register(KernelRegister number, uint64_t *value)
{
    GByteArray *bytes = buffer();

    if (!registers[number] || !interface_read_register(registers[number], bytes) || bytes->len < sizeof *value)
        return false;
    memcpy(value, bytes->data, sizeof *value);
    return true;
}

void kernel_read_anew(void)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i].number = NO_BLOCK;
}

void kernel_read_begin(void)
{
    g_mutex_lock(&reading);
    kernel_read_anew();
}

void kernel_read_end(void)
{
    g_mutex_unlock(&reading);
}

/* A block of the guest's memory; NULL if it can't be read. */
static const uint8_t *read_block(uint64_t number)
{
    unsigned i = number % BLOCKS;

    if (blocks[i].number != number) {
        if (!blocks[i].bytes)
            blocks[i].bytes = g_byte_array_new();
        blocks[i].number = NO_BLOCK;
        if (!qemu_plugin_read_memory_vaddr(number * BLOCK_BYTES, blocks[i].bytes, BLOCK_BYTES) ||
            blocks[i].bytes->len != BLOCK_BYTES)
            return NULL;
        blocks[i].number = number;
    }
    return blocks[i].bytes->data;
}

static bool read_large(uint64_t address, void *to, size_t bytes)
{
    GByteArray *from = buffer();

    if (!qemu_plugin_read_memory_vaddr(address, from, bytes) || from->len != bytes)
        return false;
    memcpy(to, from->data, bytes);
    return true;
}

bool kernel_read_memory(uint64_t address, void *to, size_t bytes)
{
    if (bytes > BLOCK_BYTES)
        return read_large(address, to, bytes);
    for (size_t done = 0, part; done < bytes; done += part) {
        uint64_t at = address + done;
        const uint8_t *block = read_block(at / BLOCK_BYTES);

        part = MIN(bytes - done, BLOCK_BYTES - at % BLOCK_BYTES);
        if (!block)
            return false;
        memcpy((uint8_t *)to + done, block + at % BLOCK_BYTES, part);
    }
    return true;
}

uint64_t kernel_member(uint64_t address, KernelOffset offset)
{
    uint64_t distance = layout.offset[offset];

    return address && distance != KERNEL_UNKNOWN ? address + distance : 0;
}

bool kernel_read_bytes(uint64_t address, KernelOffset offset, void *to, size_t bytes)
{
    uint64_t member = kernel_member(address, offset);

    return member && kernel_read_memory(member, to, bytes);
}

bool kernel_read_u32(uint64_t address, KernelOffset offset, uint32_t *value)
{
    return kernel_read_bytes(address, offset, value, sizeof *value);
}

bool kernel_read_u64(uint64_t address, KernelOffset offset, uint64_t *value)
{
    return kernel_read_bytes(address, offset, value, sizeof *value);
}

uint64_t kernel_read_pointer(uint64_t address, KernelOffset offset)
{
    uint64_t value;

    return kernel_read_u64(address, offset, &value) ? value : 0;
}

bool kernel_read_variable(KernelVariable variable, uint64_t *value)
{
    uint64_t address = layout.variable[variable];

    return address != KERNEL_UNKNOWN && kernel_read_memory(address, value, sizeof *value);
}

/* Paths, which are built from their end. */

typedef struct {
    char text[CHANGE_TEXT_BYTES];
    size_t begin; /* where the text begins so far */
} Path;

/* Reads the string at `address`, of NAME_BYTES at most. The block behind its end need not be readable. */
static bool read_name(uint64_t address, char name[NAME_BYTES])
{
    size_t done = 0, part;

    do {
        part = MIN(NAME_BYTES - done, BLOCK_BYTES - (address + done) % BLOCK_BYTES);
        if (!address || !kernel_read_memory(address + done, name + done, part))
            return false;
        done += part;
    } while (!memchr(name + done - part, 0, part) && done < NAME_BYTES);
    name[NAME_BYTES - 1] = 0;
    return *name;
}

static void begin_path(Path *path)
{
    path->begin = sizeof path->text - 1;
    path->text[path->begin] = 0;
}

/* Puts "/name" before the text. */
static bool prepend(Path *path, const char *name)
{
    size_t length = strlen(name);

    if (length + 1 > path->begin)
        return false;
    path->begin -= length + 1;
    path->text[path->begin] = '/';
    memcpy(path->text + path->begin + 1, name, length);
    return true;
}

static bool prepend_dentry(Path *path, uint64_t dentry)
{
    char name[NAME_BYTES];

    return read_name(kernel_read_pointer(kernel_member(dentry, KERNEL_DENTRY_NAME), KERNEL_QSTR_NAME), name) &&
           prepend(path, name);
}

/* Walks as the kernel's d_path() does: up to the root of each mount, then on from its mount point. */
static bool walk(Path *path, uint64_t mount, uint64_t dentry, uint64_t root_mount, uint64_t root_dentry)
{
    uint64_t in_mount = layout.offset[KERNEL_MOUNT_VFSMOUNT];

    for (unsigned step = 0; step < MAX_STEPS; step++) {
        uint64_t parent;

        if (!mount || !dentry)
            return false;
        if (mount == root_mount && dentry == root_dentry)
            return true;
        if (dentry == kernel_read_pointer(mount, KERNEL_VFSMOUNT_ROOT)) {
            uint64_t whole = mount - in_mount, above = kernel_read_pointer(whole, KERNEL_MOUNT_PARENT);

            if (in_mount == KERNEL_UNKNOWN || !above)
                return false;
            if (above == whole) /* the system's root, or not mounted anywhere (memfd) */
                return true;
            dentry = kernel_read_pointer(whole, KERNEL_MOUNT_POINT);
            mount = above + in_mount;
            continue;
        }
        parent = kernel_read_pointer(dentry, KERNEL_DENTRY_PARENT);
        if (parent == dentry) /* outside of any mount */
            return prepend_dentry(path, dentry);
        if (!prepend_dentry(path, dentry))
            return false;
        dentry = parent;
    }
    return false;
}

static void finish_path(Path *path, bool whole, char *to)
{
    if (!whole)
        *to = 0;
    else if (path->begin == sizeof path->text - 1)
        strcpy(to, "/");
    else
        memcpy(to, path->text + path->begin, sizeof path->text - path->begin);
}

void kernel_read_path(uint64_t file, uint64_t fs, char *to)
{
    uint64_t path = kernel_member(file, KERNEL_FILE_PATH), backing = kernel_member(file, KERNEL_BACKING_FILE_PATH);
    uint64_t root = kernel_member(fs, KERNEL_FS_ROOT);
    Path found;
    uint32_t mode;

    begin_path(&found);
    if (backing && kernel_read_u32(file, KERNEL_FILE_MODE, &mode) && (mode & MODE_BACKING))
        path = backing;
    finish_path(&found,
                walk(&found, kernel_read_pointer(path, KERNEL_PATH_MOUNT),
                     kernel_read_pointer(path, KERNEL_PATH_DENTRY), kernel_read_pointer(root, KERNEL_PATH_MOUNT),
                     kernel_read_pointer(root, KERNEL_PATH_DENTRY)),
                to);
}

void kernel_read_node_path(uint64_t node, char *to)
{
    Path path;
    uint64_t parent;

    begin_path(&path);
    for (unsigned step = 0; node && step < MAX_STEPS; step++, node = parent) {
        char name[NAME_BYTES];

        parent = kernel_read_pointer(node, KERNEL_NODE_PARENT);
        if (!parent)
            break;
        if (!read_name(kernel_read_pointer(node, KERNEL_NODE_NAME), name) || !prepend(&path, name)) {
            *to = 0;
            return;
        }
    }
    finish_path(&path, node, to);
}
