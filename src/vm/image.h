/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest images. Beside IMAGE lies IMAGE.json. For each snapshot it describes the machine that the snapshot was taken
 * of: a snapshot can only be loaded into the same machine.
 */
#ifndef MEMORY_TRACER_VM_IMAGE_H
#define MEMORY_TRACER_VM_IMAGE_H

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "../base/loop.h"

#define IMAGE_DEFAULT_SNAPSHOT "ready_for_memory_tracer"
/* --icount needs a snapshot of its own, because a snapshot holds the clocks: its name has this suffix. */
#define IMAGE_ICOUNT_SUFFIX "_icount"
#define IMAGE_ICOUNT "shift=1,sleep=on" /* 2 ns of guest time per instruction */
#define IMAGE_DEFAULT_RAM_MB 2560
#define IMAGE_DEFAULT_USER "root"
#define IMAGE_DEFAULT_DISK_MB 4096
/* Names as Debian's policy has them, separated by commas. */
#define IMAGE_PACKAGES_PATTERN "^([a-z0-9][a-z0-9+.-]+(,[a-z0-9][a-z0-9+.-]+)*)?\\z"
/* The devices that qemu_start() gives every guest. To be changed whenever they are. */
#define IMAGE_DEVICES                                                                                                  \
    "virtio-blk-pci virtio-blk-pci/transfer virtio-serial-pci/virtserialport isa-serial 9*virtio-9p-pci pvpanic-pci"

typedef struct ImageMachine {
    char *machine; /* QEMU's -machine */
    char *cpu;     /* QEMU's -cpu */
    char *icount;  /* QEMU's -icount; empty: guest time is real time */
    unsigned ram_mb;
    unsigned vcpus;
    char *devices;      /* IMAGE_DEVICES when the snapshot was taken */
    char *kernel;       /* release */
    char *qemu_version; /* that took the snapshot */
    unsigned agent_protocol;
    char *packages;    /* Debian packages that were asked for, separated by commas; empty: none */
    char *user;        /* that the workload runs as; empty: the agent's own, root */
    char *fingerprint; /* of the agent and the recipe it was built with; tells whether it is up to date */
    bool known;        /* false: there is no metadata, these are the defaults */
} ImageMachine;

/* Reads what IMAGE.json says of a snapshot. If it says nothing, gives the defaults (known is false). NULL with an error
 * if it says something that memory_tracer would not have written. */
ImageMachine *image_machine_load(const char *image, const char *snapshot, GError **error);
/* Adds the machine to IMAGE.json, or replaces it there. False with an error. */
bool image_machine_save(const ImageMachine *machine, const char *image, const char *snapshot, GError **error);
void image_machine_free(ImageMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageMachine, image_machine_free)

/* The machine that `image build` makes. */
ImageMachine *image_machine_new(unsigned ram_mb, unsigned vcpus);
/* Switches between real time and IMAGE_ICOUNT. */
void image_machine_set_icount(ImageMachine *machine, bool icount);

/* What qemu-img tells about an image: an object with "format", "virtual-size", "snapshots"... To be unreferenced; NULL
 * with an error, also if the image needs another file. */
JsonNode *image_query(const char *image, const char *qemu_img, RunLoop *loop, GError **error);
/* The names of the internal snapshots in that, oldest first. To be freed. */
GStrv image_snapshot_names(JsonNode *information);
/* The names of the image's internal snapshots, oldest first. To be freed; NULL with an error. */
GStrv image_list_snapshots(const char *image, const char *qemu_img, RunLoop *loop, GError **error);

/* Creates at `path` a copy-on-write layer over the image *file*, so that runs don't change the image, and several can
 * use it at a time. Through the layer one sees the qcow2 file, with its snapshots. False with an error. */
bool image_create_layer(const char *image, const char *path, const char *qemu_img, RunLoop *loop, GError **error);

#endif
