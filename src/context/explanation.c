/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file an instruction was loaded from: see explanation.h. */
#include "explanation.h"

#include <string.h>

#include "../record/x86.h"

#define PAGE_BYTES 4096u
/* Where a file was loaded is found by pages of executed code that no file explains. Some long, so rare, instructions of
 * such a page are compared with each page of the file, and most of them must be equal. One page that fits is enough. */
#define PAGES_MAX 2048
#define SAMPLES 8
#define SAMPLE_BYTES 5
#define SAMPLES_FOUND 4
#define SAMPLES_MISSED 2 /* how many may differ, because another process executed them */
#define LOADED_MAX 1024
/* This many instructions in a row are not equal by chance. */
#define SEQUENCE 16

/* Which of the files that may be loaded at an instruction's address have its bytes there. */
typedef struct {
    uint32_t owner; /* number in `loaded`, plus 1; the first one that has these bytes */
    bool ambiguous; /* others have them, too */
} Explanation;

static bool matches(const LoadedFile *file, const struct mt_instruction *instruction)
{
    const uint8_t *code = elf_code_at(file->elf, instruction->pc - file->bias, instruction->length);

    return code && !memcmp(code, instruction->bytes, instruction->length);
}

/* Only user code is loaded from files. */
static bool is_candidate(const struct mt_instruction *instruction)
{
    return x86_is_user(instruction->cpl) && instruction->length && instruction->length <= sizeof instruction->bytes &&
           !x86_is_kernel_address(instruction->pc);
}

static Explanation explain(const struct mt_instruction *instruction, const GArray *loaded)
{
    Explanation explanation = { 0 };

    for (guint i = 0; i < loaded->len && !explanation.ambiguous; i++) {
        if (!matches(&g_array_index(loaded, LoadedFile, i), instruction))
            continue;
        explanation.ambiguous = explanation.owner;
        if (!explanation.owner)
            explanation.owner = i + 1;
    }
    return explanation;
}

static Explanation *explain_all(const struct mt_instruction *instructions, uint32_t count, const GArray *loaded)
{
    Explanation *explanations = g_new0(Explanation, (gsize)count + 1);

    for (uint32_t i = 0; i < count; i++)
        if (is_candidate(&instructions[i]))
            explanations[i] = explain(&instructions[i], loaded);
    return explanations;
}

/* Where files lie. */

typedef struct {
    const struct mt_instruction *samples[SAMPLES];
    unsigned count;
} CodePage;

/* Keeps the page's longest instructions: they are the rarest. */
static void add_sample(CodePage *page, const struct mt_instruction *instruction)
{
    unsigned shortest = 0;

    if (page->count < SAMPLES) {
        page->samples[page->count++] = instruction;
        return;
    }
    for (unsigned i = 1; i < SAMPLES; i++)
        if (page->samples[i]->length < page->samples[shortest]->length)
            shortest = i;
    if (instruction->length > page->samples[shortest]->length)
        page->samples[shortest] = instruction;
}

/* The pages (CodePage, by number) with code that no file explains. */
static GHashTable *unexplained_pages(const struct mt_instruction *instructions, uint32_t count, const GArray *loaded)
{
    GHashTable *pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    g_autofree Explanation *explanations = explain_all(instructions, count, loaded);

    for (uint32_t i = 0; i < count; i++) {
        const struct mt_instruction *instruction = &instructions[i];
        uint64_t number = instruction->pc / PAGE_BYTES;
        CodePage *page;

        if (explanations[i].owner || !is_candidate(instruction) || instruction->length < SAMPLE_BYTES)
            continue;
        page = g_hash_table_lookup(pages, &number);
        if (!page && g_hash_table_size(pages) < PAGES_MAX) {
            page = g_new0(CodePage, 1);
            g_hash_table_insert(pages, g_memdup2(&number, sizeof number), page);
        }
        if (page)
            add_sample(page, instruction);
    }
    return pages;
}

/* Whether the code that was executed in a page is that of the file's page `own`. */
static bool page_matches(const CodePage *page, const ElfSegment *segment, uint64_t own)
{
    unsigned found = 0;

    for (unsigned i = 0; i < page->count; i++) {
        const struct mt_instruction *sample = page->samples[i];
        uint64_t at = own * PAGE_BYTES + sample->pc % PAGE_BYTES - segment->address;

        if (at < segment->bytes && segment->bytes - at >= sample->length &&
            !memcmp(segment->code + at, sample->bytes, sample->length))
            found++;
        else if (i - found >= SAMPLES_MISSED)
            return false;
    }
    return found >= SAMPLES_FOUND;
}

static bool is_known(const GArray *loaded, const LoadedFile *file)
{
    for (guint i = 0; i < loaded->len; i++) {
        const LoadedFile *other = &g_array_index(loaded, LoadedFile, i);

        if (other->elf == file->elf && other->bias == file->bias)
            return true;
    }
    return false;
}

/* Tries whether one of the file's pages fits this page of executed code. */
static void find_page(uint64_t number, const CodePage *page, const ElfCode *elf, GArray *loaded)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        const ElfSegment *segment = &g_array_index(elf->segments, ElfSegment, i);
        uint64_t first = segment->address / PAGE_BYTES;
        uint64_t last = (segment->address + segment->bytes - 1) / PAGE_BYTES;

        for (uint64_t own = first; own <= last && loaded->len < LOADED_MAX; own++) {
            LoadedFile file = { .elf = elf, .bias = (number - own) * PAGE_BYTES };

            if (page_matches(page, segment, own) && !is_known(loaded, &file))
                g_array_append_val(loaded, file);
        }
    }
}

void explanation_find_loaded(const struct mt_instruction *instructions, uint32_t count, const GPtrArray *known,
                             GArray *loaded)
{
    g_autoptr(GHashTable) pages = unexplained_pages(instructions, count, loaded);
    GHashTableIter iterator;
    gpointer number, page;

    g_hash_table_iter_init(&iterator, pages);
    while (g_hash_table_iter_next(&iterator, &number, &page))
        for (guint i = 0; ((CodePage *)page)->count >= SAMPLES_FOUND && i < known->len; i++) {
            const ElfCode *elf = known->pdata[i];

            if (elf->movable)
                find_page(*(const uint64_t *)number, page, elf, loaded);
        }
}

/* Which instructions are whose. */

typedef struct {
    const struct mt_instruction *instructions;
    uint32_t count;
    const Explanation *explanations;
    GHashTable *shared; /* pages with code that no file explains; by number, as a pointer */
    uint32_t *owners;
} Assignment;

static gpointer page_key(const struct mt_instruction *instruction)
{
    return GSIZE_TO_POINTER(instruction->pc / PAGE_BYTES);
}

/* The pages with unknown code: an instruction there that a known file has may be the unknown file's, too. */
static GHashTable *shared_pages(const struct mt_instruction *instructions, uint32_t count,
                                const Explanation *explanations)
{
    GHashTable *pages = g_hash_table_new(NULL, NULL);

    for (uint32_t i = 0; i < count; i++)
        if (!explanations[i].owner && is_candidate(&instructions[i]))
            g_hash_table_add(pages, page_key(&instructions[i]));
    return pages;
}

/* Whether there was code at the file's addresses that none of the files has. */
static bool shares_addresses(const Assignment *assignment, const LoadedFile *file)
{
    for (uint32_t i = 0; i < assignment->count; i++)
        if (!assignment->explanations[i].owner && is_candidate(&assignment->instructions[i]) &&
            elf_code_covers(file->elf, assignment->instructions[i].pc - file->bias))
            return true;
    return false;
}

static void assign(const Assignment *assignment, const uint32_t *numbers, uint32_t count, uint32_t owner)
{
    for (uint32_t i = 0; i < count; i++) {
        const Explanation *explanation = &assignment->explanations[numbers[i]];

        if (explanation->owner == owner && !explanation->ambiguous &&
            !g_hash_table_contains(assignment->shared, page_key(&assignment->instructions[numbers[i]])))
            assignment->owners[numbers[i]] = owner;
    }
}

/* Gives a file its instructions, if they are in sequences that are long enough. */
static void assign_sequences(const Assignment *assignment, const LoadedFile *file, uint32_t owner)
{
    uint32_t least = shares_addresses(assignment, file) ? SEQUENCE : 1;
    g_autofree uint32_t *sequence = g_new(uint32_t, (gsize)assignment->count + 1);
    uint32_t length = 0;

    for (uint32_t i = 0; i < assignment->count; i++) {
        const struct mt_instruction *instruction = &assignment->instructions[i];

        if (!is_candidate(instruction) || !elf_code_covers(file->elf, instruction->pc - file->bias))
            continue;
        if (matches(file, instruction)) {
            sequence[length++] = i;
            continue;
        }
        if (length >= least)
            assign(assignment, sequence, length, owner);
        length = 0;
    }
    if (length >= least)
        assign(assignment, sequence, length, owner);
}

/* Removes files that were not executed: they explain only what other files explain, too. */
static void remove_unused(const struct mt_instruction *instructions, uint32_t count, GArray *loaded)
{
    g_autofree Explanation *explanations = explain_all(instructions, count, loaded);
    g_autofree bool *used = g_new0(bool, loaded->len + 1);
    guint left = 0;

    for (uint32_t i = 0; i < count; i++)
        if (!explanations[i].ambiguous)
            used[explanations[i].owner] = true;
    for (guint i = 0; i < loaded->len; i++)
        if (used[i + 1])
            g_array_index(loaded, LoadedFile, left++) = g_array_index(loaded, LoadedFile, i);
    g_array_set_size(loaded, left);
}

uint32_t *explanation_find_files(const struct mt_instruction *instructions, uint32_t count, GArray *loaded)
{
    uint32_t *owners = g_new0(uint32_t, (gsize)count + 1);
    g_autofree Explanation *explanations = NULL;
    g_autoptr(GHashTable) shared = NULL;

    remove_unused(instructions, count, loaded);
    explanations = explain_all(instructions, count, loaded);
    shared = shared_pages(instructions, count, explanations);
    const Assignment assignment = { instructions, count, explanations, shared, owners };

    for (guint i = 0; i < loaded->len; i++)
        assign_sequences(&assignment, &g_array_index(loaded, LoadedFile, i), i + 1);
    return owners;
}

bool explanation_matches(const LoadedFile *file, const struct mt_instruction *instruction)
{
    return is_candidate(instruction) && matches(file, instruction);
}
