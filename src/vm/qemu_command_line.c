/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's command line: see qemu_command_line.h. Whatever device is added here belongs into IMAGE_DEVICES. */
#define _GNU_SOURCE
#include "qemu_command_line.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../protocol/frames.h"

static void add(GPtrArray *argv, ...)
{
    va_list words;

    va_start(words, argv);
    for (const char *word; (word = va_arg(words, const char *));)
        g_ptr_array_add(argv, g_strdup(word));
    va_end(words);
}

/* In values of QEMU's options, commas are doubled. */
static char *quote_commas(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);

    return g_strjoinv(",,", parts);
}

/* Whether QEMU was linked with a library. If `binary` is a script, this is false. */
static bool is_linked_with(const char *binary, const char *library)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(binary, FALSE, NULL);

    return file && memmem(g_mapped_file_get_contents(file), g_mapped_file_get_length(file), library, strlen(library));
}

/*
 * How QEMU is to read files. With io_uring a snapshot loads in less than half the time that QEMU's threads take,
 * because what is in the page cache comes at once. The kernel must allow io_uring, and QEMU must be linked with
 * liburing.
 */
static const char *choose_aio(const char *binary)
{
    struct io_uring_params parameters = { 0 };
    int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);

    if (ring < 0)
        return "threads";
    close(ring);
    return is_linked_with(binary, "liburing.so") ? "io_uring" : "threads";
}

/*
 * What runs in the guest is not trusted: QEMU gives up abilities that it doesn't need (to start programs, to become
 * another user and so on). A QEMU without libseccomp refuses the option, and on a kernel without filters it doesn't
 * start.
 */
static void add_sandbox(GPtrArray *argv, const char *binary)
{
    bool kernel_has_filters = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) && errno == EFAULT;

    if (kernel_has_filters && is_linked_with(binary, "libseccomp.so"))
        add(argv, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", NULL);
}

/* The -blockdev options for the disk. */
static void add_disk(GPtrArray *argv, const QemuOptions *options)
{
    const char *aio = choose_aio(options->binary);
    g_autofree char *disk = quote_commas(options->disk), *image = quote_commas(options->image);
    g_autofree char *file = g_strdup_printf("driver=file,node-name=file,aio=%s,%sfilename=%s", aio,
                                            options->disk_is_layer ? "cache.no-flush=on," : "", disk);
    /* The image file is the layer's backing, opened read-only; the layer's header names it, too. */
    g_autofree char *layer = g_strdup_printf("driver=qcow2,node-name=layer,file=file,backing.driver=raw,"
                                             "backing.file.driver=file,backing.file.aio=%s,backing.file.filename=%s",
                                             aio, image);

    add(argv, "-blockdev", file, NULL);
    if (options->disk_is_layer)
        add(argv, "-blockdev", layer, NULL);
    add(argv, "-blockdev",
        options->disk_is_layer ? "driver=qcow2,node-name=disk,file=layer" : "driver=qcow2,node-name=disk,file=file",
        "-device", "virtio-blk-pci,drive=disk,werror=stop,rerror=stop", NULL);
}

/* The drive that brings things into the guest. It is always there, and its size is always the same. */
static void add_transfer_drive(GPtrArray *argv, const QemuOptions *options)
{
    g_autofree char *node = NULL;

    if (options->transfer) {
        g_autofree char *path = quote_commas(options->transfer);

        node =
            g_strdup_printf("driver=raw,node-name=transfer,read-only=on,file.driver=file,file.aio=%s,file.filename=%s",
                            choose_aio(options->binary), path);
    } else {
        node = g_strdup_printf("driver=null-co,node-name=transfer,read-only=on,read-zeroes=on,size=%" G_GUINT64_FORMAT,
                               MT_DRIVE_BYTES);
    }
    add(argv, "-blockdev", node, "-device", "virtio-blk-pci,drive=transfer,serial=" MT_TRANSFER_SERIAL, NULL);
}

/* Folders that the guest can mount. They are always there, as a snapshot holds them: the ones that aren't asked for are
 * empty. */
static void add_shares(GPtrArray *argv, const char *const *folders, const char *empty)
{
    for (unsigned i = 0; i < MT_SHARES; i++) {
        const char *folder = folders && *folders ? *folders++ : NULL;
        g_autofree char *path = quote_commas(folder ? folder : empty);
        g_autofree char *share =
            g_strdup_printf("local,id=share%u,path=%s,security_model=none,readonly=%s,multidevs=remap", i, path,
                            folder && i ? "off" : "on");
        g_autofree char *device = g_strdup_printf("virtio-9p-pci,fsdev=share%u,mount_tag=" MT_SHARE_TAG "%u", i, i);

        add(argv, "-fsdev", share, "-device", device, NULL);
    }
}

static const char *on_off(bool value)
{
    return value ? "on" : "off";
}

static char *plugin_argument(const QemuOptions *options)
{
    const CaptureOptions *capture = options->capture;
    g_autofree char *quoted = quote_commas(options->plugin);
    g_autofree char *kernel_path = options->layout ? quote_commas(options->layout) : NULL;
    g_autofree char *kernel = kernel_path ? g_strconcat(",kernel=", kernel_path, NULL) : g_strdup("");
    g_autofree char *seed =
        capture->seeded ? g_strdup_printf(",sample_seed=%" G_GUINT64_FORMAT, capture->sample_seed) : g_strdup("");
    g_autofree char *clock = NULL;
    unsigned shift;

    clock = sscanf(options->machine->icount, "shift=%u", &shift) == 1 ? g_strdup_printf(",icount_shift=%u", shift)
                                                                      : g_strdup("");
    return g_strdup_printf("%s,ring_fd=%d,start=%s,user_only=%s,roi=%s,strict_order=%s,when_full=%s,log_block_len=%u,"
                           "log_tracing_ratio=%u%s%s%s",
                           quoted, FD_RING, capture->stay_idle ? "never" : "marker", on_off(capture->user_only),
                           on_off(capture->roi), on_off(capture->strict_order),
                           capture->drop_when_full ? "drop" : "block", capture->log_block_len,
                           capture->log_tracing_ratio, seed, clock, kernel);
}

GPtrArray *qemu_command_line(const QemuOptions *options, const char *empty)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    const ImageMachine *machine = options->machine;
    g_autofree char *ram = g_strdup_printf("%u", machine->ram_mb), *vcpus = g_strdup_printf("%u", machine->vcpus);
    g_autofree char *agent = g_strdup_printf("socket,id=agent,fd=%d", FD_AGENT);
    g_autofree char *qmp = g_strdup_printf("socket,id=qmp,fd=%d", FD_QMP);
    bool one_thread = options->capture && options->capture->strict_order;

    add(argv, options->binary, "-nodefaults", "-no-user-config", "-nic", "none", "-vga", "none", NULL);
    add_sandbox(argv, options->binary);
    if (!options->display)
        add(argv, "-display", "none", NULL);
    add(argv, "-machine", machine->machine, "-cpu", machine->cpu, "-m", ram, "-smp", vcpus, NULL);
    add(argv, "-accel", one_thread ? "tcg,thread=single" : "tcg", NULL);
    if (*machine->icount)
        add(argv, "-icount", machine->icount, NULL);
    add_disk(argv, options);
    add_transfer_drive(argv, options);
    add(argv, "-chardev", agent, "-device", "virtio-serial-pci", "-device",
        "virtserialport,id=agent,chardev=agent,name=" MT_PORT_NAME, NULL);
    add(argv, "-chardev", qmp, "-mon", "chardev=qmp,mode=control", NULL);
    add_shares(argv, options->shares, empty);
    add(argv, "-device", "pvpanic-pci", NULL); /* tells us, by GUEST_PANICKED, where the guest has its driver */
    if (options->monitor) {
        g_autofree char *monitor = g_strdup_printf("socket,id=monitor,fd=%d", FD_MONITOR);

        add(argv, "-chardev", monitor, "-mon", "chardev=monitor,mode=readline", NULL);
    }
    if (options->console) {
        g_autofree char *path = quote_commas(options->console);
        g_autofree char *console = g_strdup_printf("file,id=console,path=%s", path);

        add(argv, "-chardev", console, NULL);
    } else if (options->use_console) {
        g_autofree char *console = g_strdup_printf("socket,id=console,fd=%d", FD_CONSOLE);

        add(argv, "-chardev", console, NULL);
    } else {
        add(argv, "-chardev", options->display ? "vc,id=console" : "null,id=console", NULL);
    }
    add(argv, "-serial", "chardev:console", NULL);
    if (options->snapshot || options->kernel)
        add(argv, "-action", "reboot=shutdown", NULL); /* else it would go on into the firmware */
    if (options->snapshot)
        add(argv, "-loadvm", options->snapshot, NULL);
    else if (options->kernel)
        add(argv, "-kernel", options->kernel, "-initrd", options->initramfs, "-append", options->kernel_arguments,
            NULL);
    if (options->ring) {
        g_autofree char *plugin = plugin_argument(options);

        add(argv, "-plugin", plugin, NULL);
    }
    g_ptr_array_add(argv, NULL);
    return argv;
}
