/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin's files share: its arguments and its one state. */
#ifndef MEMORY_TRACER_PLUGIN_PLUGIN_H
#define MEMORY_TRACER_PLUGIN_PLUGIN_H

#include "../ring/ring.h"
#include "qemu_api.h"

typedef struct PluginOptions {
    char *out;   /* path of the FIFO (or file) to write to; NULL with ring_fd */
    int ring_fd; /* the runner's ring; -1 with out */
    enum { START_AT_MARKER, START_NOW, START_NEVER } start;
    bool user_only;
    enum ring_policy when_full;
    uint32_t ring_bytes;
} PluginOptions;

/* arguments.c: reads "name=value" words. Returns false with a one-line message in *error. */
bool plugin_options_parse(PluginOptions *options, int argc, char **argv, GError **error);

/* output.c: the thread that writes records to `out` when no runner takes them. */
typedef struct PluginOutput PluginOutput;
PluginOutput *plugin_output_new(Ring *ring, const char *path, GError **error);
/* Waits until everything was written (the ring's state must be RING_STOPPED) and closes the output. */
void plugin_output_finish(PluginOutput *output);

/* cpl.c: the privilege level of the code that is being translated. */
/* To be called once, by a vCPU that is starting. */
bool cpl_init(void);
/* To be called by the translation callback. Returns 0 to 3, or -1 if the registers can't be read. */
int cpl_of_translation(void);

#endif
