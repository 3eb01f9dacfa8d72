/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer recover FILE: gives a trace file that was cut or damaged a new index. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../source/input.h"
#include "../trace/decoder.h"
#include "../trace/file.h"
#include "../trace/writer.h"
#include "cmd.h"

/* Takes the blocks out of the list that can't be decoded. */
static void remove_bad_blocks(TraceFile *file, uint64_t records)
{
    Progress progress;
    g_autoptr(Decoder) decoder = decoder_new(MT_COLUMN_ALL, file->header.fields);
    g_autoptr(GByteArray) payload = g_byte_array_new();

    progress_begin(&progress, records, false);
    for (guint i = 0; i < file->chunks->len; i++) {
        const struct format_index_entry *chunk = &g_array_index(file->chunks, struct format_index_entry, i);
        struct mt_batch batch;
        const char *problem;
        int more = -1;

        if (chunk->type != FORMAT_BLOCK)
            continue;
        progress_add(&progress, chunk->records);
        if (trace_file_read(file, chunk, payload, NULL) &&
            decoder_begin(decoder, payload->data, payload->len, file->header.vcpus, &problem))
            while ((more = decoder_next(decoder, &batch, &problem)) > 0)
                ;
        if (more < 0)
            g_array_remove_index(file->chunks, i--);
    }
    progress_end(&progress);
}

static bool copy_file(const char *from, const char *to, GError **error)
{
    g_autoptr(GFile) source = g_file_new_for_path(from), target = g_file_new_for_path(to);

    g_autoptr(GError) problem = NULL;

    return g_file_copy(source, target, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, &problem) ||
           mt_fail(error, "can't write %s: %s", to, problem->message);
}

/* How many records are in the good blocks, and how many there were at least. */
static void count_records(const TraceFile *file, uint64_t *records, uint64_t *known)
{
    *records = *known = 0;
    for (guint i = 0; i < file->chunks->len; i++) {
        const struct format_index_entry *chunk = &g_array_index(file->chunks, struct format_index_entry, i);

        *records += chunk->type == FORMAT_BLOCK ? chunk->records : 0;
        *known = MAX(*known, chunk->known);
    }
}

/* The number of records that the recovered file's metadata tells; *exact: its end, with the totals, is there. */
static uint64_t records_by_metadata(const char *path, bool *exact)
{
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_FILE, NULL);
    g_autoptr(JsonObject) metadata = trace ? input_metadata(trace) : json_object_new();
    uint64_t records = 0;

    *exact = false;
    if (trace)
        records = input_known_records(trace, metadata, exact);
    mt_trace_close(trace);
    return records;
}

/* Writes the index behind the last good chunk of `path`, and cuts the file there. */
static bool write_index(const char *path, const TraceFile *file, GError **error)
{
    uint64_t end = format_padded(file->good_bytes);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool fine = fd >= 0 && !ftruncate(fd, (off_t)end);

    if (!fine)
        mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
    if (fine && !trace_write_index(fd, end, file->chunks, error)) {
        g_prefix_error(error, "can't write %s: ", path);
        fine = false;
    }
    if (fd >= 0 && close(fd) && fine)
        fine = mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
    return fine;
}

static int recover(const char *path, const char *output, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(TraceFile) file = NULL;
    g_autoptr(TraceFile) as_it_is = NULL;
    uint64_t records, known;
    bool done, exact;

    if (fd < 0) {
        mt_fail(error, "can't read %s: %s", path, g_strerror(errno));
        return -1;
    }
    file = trace_file_open(fd, path, TRACE_FILE_SALVAGE, error);
    if (!file)
        return -1;
    count_records(file, &records, &known);
    remove_bad_blocks(file, records);
    count_records(file, &records, &known);
    as_it_is = trace_file_open(open(path, O_RDONLY | O_CLOEXEC), path, TRACE_FILE_READ, NULL);
    done = as_it_is && as_it_is->complete && as_it_is->chunks->len == file->chunks->len;
    if ((output && !copy_file(path, output, error)) || (!done && !write_index(output ? output : path, file, error)))
        return -1;
    known = MAX(known, records_by_metadata(output ? output : path, &exact));
    printf("%s%s %" G_GUINT64_FORMAT " records", output ? output : path, done ? " is complete:" : ": recovered",
           records);
    if (known > records)
        printf("; %s%" G_GUINT64_FORMAT " are missing", exact ? "" : "at least ", known - records);
    else if (exact && !done)
        printf("; none are missing");
    else if (!exact)
        printf("; how many came after them is not known");
    if (file->lost_others)
        printf("; other data (metadata, symbols, instructions) was damaged, and some of it is lost");
    putchar('\n');
    return 0;
}

int cmd_recover(int argc, char **argv, GError **error)
{
    g_autofree char *output = NULL;
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Leave FILE as it is, and write the result here", "NEW" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Gives a trace file that was cut or damaged a new index of all that is whole in it, and "
                       "says how many records are missing.",
                       NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "recover: one FILE is needed (see --help)");
        return -1;
    }
    if (output && !options_check_trace_output(output, error))
        return -1;
    return recover(argv[1], output, error);
}
