/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file an instruction belongs to, what a trace tells of that, and names. */
#include <elf.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/context/code_table.h"
#include "../../src/context/debug_file.h"
#include "../../src/context/demangle.h"
#include "../../src/context/elf_code.h"
#include "../../src/context/explanation.h"
#include "../../src/context/line_table.h"
#include "../../src/context/symbols.h"

#define CODE_BYTES 4096u
#define COUNT 64

/* Which file has what. */

/* A file whose code lies at an address and is 4-byte instructions: those of another seed differ. */
static ElfCode *make_elf(uint64_t address, uint8_t seed, bool movable)
{
    ElfCode *elf = g_new0(ElfCode, 1);
    ElfSegment segment = { .address = address, .bytes = CODE_BYTES, .code = g_malloc(CODE_BYTES) };

    for (unsigned i = 0; i < CODE_BYTES; i++)
        segment.code[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
    elf->segments = g_array_new(FALSE, FALSE, sizeof(ElfSegment));
    elf->functions = g_array_new(FALSE, FALSE, sizeof(ElfFunction));
    elf->objects = g_array_new(FALSE, FALSE, sizeof(ElfFunction));
    elf->names = g_string_chunk_new(64);
    elf->movable = movable;
    g_array_append_val(elf->segments, segment);
    return elf;
}

/* What is executed of it: `count` instructions of `length` bytes. */
static void execute(struct mt_instruction *to, const ElfCode *elf, uint64_t bias, unsigned first, unsigned count,
                    uint8_t length)
{
    const ElfSegment *segment = &g_array_index(elf->segments, ElfSegment, 0);

    for (unsigned i = 0; i < count; i++) {
        unsigned offset = (first + i) * length;

        to[i] = (struct mt_instruction){ .pc = segment->address + bias + offset, .cpl = 3, .length = length };
        memcpy(to[i].bytes, segment->code + offset, length);
    }
}

static GArray *loaded_at_home(const ElfCode *one, const ElfCode *other)
{
    GArray *loaded = g_array_new(FALSE, FALSE, sizeof(LoadedFile));
    LoadedFile files[] = { { .elf = one }, { .elf = other } };

    g_array_append_vals(loaded, files, other ? 2 : 1);
    return loaded;
}

static void test_only_equal_bytes_are_a_files(void)
{
    g_autoptr(ElfCode) elf = make_elf(0x400000, 1, false);
    g_autoptr(GArray) loaded = loaded_at_home(elf, NULL);
    struct mt_instruction instructions[4];
    g_autofree uint32_t *owners = NULL;

    execute(instructions, elf, 0, 0, 4, 4);
    instructions[1].cpl = 0;              /* the kernel's */
    instructions[2].pc += 0x100000;       /* elsewhere */
    instructions[3].pc = UINT64_MAX - 10; /* in the other half */
    owners = explanation_find_files(instructions, 4, loaded);
    g_assert_cmpuint(owners[0], ==, 1);
    for (unsigned i = 1; i < 4; i++)
        g_assert_cmpuint(owners[i], ==, 0);
}

static void test_what_two_files_have_is_neithers(void)
{
    g_autoptr(ElfCode) one = make_elf(0x400000, 1, false), other = make_elf(0x400000, 2, false);
    g_autoptr(GArray) loaded = loaded_at_home(one, other);
    struct mt_instruction instructions[COUNT];
    g_autofree uint32_t *owners = NULL;

    memcpy(g_array_index(other->segments, ElfSegment, 0).code, g_array_index(one->segments, ElfSegment, 0).code, 8);
    execute(instructions, one, 0, 0, COUNT / 2, 4);
    execute(instructions + COUNT / 2, other, 0, 2, COUNT / 2, 4);
    owners = explanation_find_files(instructions, COUNT, loaded);
    for (unsigned i = 0; i < COUNT; i++)
        g_assert_cmpuint(owners[i], ==, i < 2 ? 0 : i < COUNT / 2 ? 1 : 2);
}

/* If it counted, instructions that it shares with another file would be ambiguous. */
static void test_a_file_that_was_not_executed_does_not_count(void)
{
    g_autoptr(ElfCode) one = make_elf(0x400000, 1, false), other = make_elf(0x400000, 2, false);
    g_autoptr(GArray) loaded = loaded_at_home(other, one);
    struct mt_instruction instructions[COUNT];
    g_autofree uint32_t *owners = NULL;

    memcpy(g_array_index(other->segments, ElfSegment, 0).code, g_array_index(one->segments, ElfSegment, 0).code, 8);
    execute(instructions, one, 0, 0, COUNT, 4);
    owners = explanation_find_files(instructions, COUNT, loaded);
    g_assert_cmpuint(loaded->len, ==, 1);
    g_assert_true(g_array_index(loaded, LoadedFile, 0).elf == one);
    for (unsigned i = 0; i < COUNT; i++)
        g_assert_cmpuint(owners[i], ==, 1);
}

/* The unknown one is executed in the first page, and has an instruction of the known one there and in the second. */
static void test_an_unknown_file_at_the_same_addresses(void)
{
    g_autoptr(ElfCode) known = make_elf(0x400800, 1, false), unknown = make_elf(0x400800, 2, false);
    g_autoptr(GArray) loaded = loaded_at_home(known, NULL);
    struct mt_instruction instructions[3 * COUNT + 2];
    g_autofree uint32_t *owners = NULL;

    execute(instructions, known, 0, 0, COUNT, 4);                       /* in the first page */
    execute(instructions + COUNT, unknown, 0, COUNT, COUNT, 4);         /* there */
    execute(instructions + 2 * COUNT, known, 0, 1000, 2, 4);            /* in the second page, too few */
    execute(instructions + 2 * COUNT + 2, unknown, 0, 10, 1, 4);        /* ends that sequence */
    execute(instructions + 2 * COUNT + 3, known, 0, 900, COUNT - 1, 4); /* in the second page, enough */
    owners = explanation_find_files(instructions, 3 * COUNT + 2, loaded);
    for (unsigned i = 0; i < 3 * COUNT + 2; i++)
        g_assert_cmpuint(owners[i], ==, i >= 2 * COUNT + 3 ? 1 : 0);
}

static void test_where_a_file_was_loaded_is_found(void)
{
    g_autoptr(ElfCode) elf = make_elf(0x1000, 1, true), fixed = make_elf(0x400000, 2, false);
    g_autoptr(GArray) loaded = g_array_new(FALSE, FALSE, sizeof(LoadedFile));
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    struct mt_instruction instructions[2 * COUNT];
    g_autofree uint32_t *owners = NULL;

    g_ptr_array_add(known, elf);
    g_ptr_array_add(known, fixed);
    execute(instructions, elf, 0x7ffff7c00000, 3, COUNT, 6);
    execute(instructions + COUNT, fixed, 0x1000, 0, COUNT, 6); /* where it can't be */
    explanation_find_loaded(instructions, 2 * COUNT, known, loaded);
    g_assert_cmpuint(loaded->len, ==, 1);
    g_assert_cmphex(g_array_index(loaded, LoadedFile, 0).bias, ==, 0x7ffff7c00000);
    owners = explanation_find_files(instructions, 2 * COUNT, loaded);
    for (unsigned i = 0; i < 2 * COUNT; i++)
        g_assert_cmpuint(owners[i], ==, i < COUNT ? 1 : 0);
}

static void test_few_instructions_do_not_tell_where_a_file_was_loaded(void)
{
    g_autoptr(ElfCode) elf = make_elf(0x1000, 1, true);
    g_autoptr(GArray) loaded = g_array_new(FALSE, FALSE, sizeof(LoadedFile));
    g_autoptr(GPtrArray) known = g_ptr_array_new();
    struct mt_instruction instructions[3];

    g_ptr_array_add(known, elf);
    execute(instructions, elf, 0x7ffff7c00000, 3, 3, 6);
    explanation_find_loaded(instructions, 3, known, loaded);
    g_assert_cmpuint(loaded->len, ==, 0);
}

/* ELF files. */

typedef struct {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    struct {
        Elf64_Nhdr header;
        char name[4];
        uint8_t id[8];
    } note;
    uint8_t code[256];
    Elf64_Sym symbols[7];
    char strings[64];
    Elf64_Shdr sections[4];
} TinyElf;

static void add_symbol(TinyElf *elf, unsigned number, unsigned name, uint64_t address, uint64_t bytes, uint16_t section)
{
    elf->symbols[number] = (Elf64_Sym){ .st_name = name,
                                        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                        .st_shndx = section,
                                        .st_value = address,
                                        .st_size = bytes };
}

static TinyElf tiny_elf(void)
{
    TinyElf elf = { .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                                .e_type = ET_DYN,
                                .e_machine = EM_X86_64,
                                .e_version = EV_CURRENT,
                                .e_phoff = offsetof(TinyElf, segments),
                                .e_shoff = offsetof(TinyElf, sections),
                                .e_ehsize = sizeof(Elf64_Ehdr),
                                .e_phentsize = sizeof(Elf64_Phdr),
                                .e_phnum = 2,
                                .e_shentsize = sizeof(Elf64_Shdr),
                                .e_shnum = 4 },
                    .segments = { { .p_type = PT_LOAD,
                                    .p_flags = PF_R | PF_X,
                                    .p_offset = offsetof(TinyElf, code),
                                    .p_vaddr = 0x1000,
                                    .p_filesz = 256,
                                    .p_memsz = 256,
                                    .p_align = 1 },
                                  { .p_type = PT_NOTE,
                                    .p_offset = offsetof(TinyElf, note),
                                    .p_filesz = sizeof elf.note,
                                    .p_align = 4 } },
                    .note = { { 4, 8, NT_GNU_BUILD_ID }, "GNU", { 1, 2, 3, 4, 5, 6, 7, 0xab } },
                    .strings = "\0sized\0open\0next\0last\0alias\0bad\033name\0outside",
                    .sections = { [1] = { .sh_type = SHT_PROGBITS,
                                          .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                          .sh_addr = 0x1000,
                                          .sh_offset = offsetof(TinyElf, code),
                                          .sh_size = 200 },
                                  [2] = { .sh_type = SHT_SYMTAB,
                                          .sh_offset = offsetof(TinyElf, symbols),
                                          .sh_size = sizeof elf.symbols,
                                          .sh_link = 3,
                                          .sh_entsize = sizeof(Elf64_Sym) },
                                  [3] = { .sh_type = SHT_STRTAB,
                                          .sh_offset = offsetof(TinyElf, strings),
                                          .sh_size = sizeof elf.strings } } };

    memset(elf.code, 0x90, sizeof elf.code);
    add_symbol(&elf, 1, 1, 0x1000, 16, 1);
    add_symbol(&elf, 2, 7, 0x1010, 0, 1);
    add_symbol(&elf, 3, 12, 0x1020, 0, 1);
    add_symbol(&elf, 4, 17, 0x1030, 0, 1);
    add_symbol(&elf, 5, 22, 0x1000, 16, 1);
    add_symbol(&elf, 6, 28, 0x1040, 4, 1);
    return elf;
}

/* Gives what elf_code_read() makes of it. */
static ElfCode *read_elf(const void *elf, size_t bytes)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("test_names.XXXXXX", &path, NULL);
    ElfCode *code;

    g_assert_cmpint(write(fd, elf, bytes), ==, (ssize_t)bytes);
    close(fd);
    code = elf_code_read(path, NULL);
    g_unlink(path);
    return code;
}

static void assert_function(const ElfCode *code, guint number, const char *name, uint64_t address, uint64_t end)
{
    const ElfFunction *function = &g_array_index(code->functions, ElfFunction, number);

    g_assert_cmpstr(function->name, ==, name);
    g_assert_cmphex(function->address, ==, address);
    g_assert_cmphex(function->end, ==, end);
}

static void test_functions_of_a_file(void)
{
    TinyElf elf = tiny_elf();
    g_autoptr(ElfCode) code = read_elf(&elf, sizeof elf);

    g_assert_nonnull(code);
    g_assert_cmpstr(code->id, ==, "01020304050607ab");
    g_assert_true(code->movable);
    g_assert_cmpuint(code->functions->len, ==, 4);
    assert_function(code, 0, "alias", 0x1000, 0x1010); /* of two names the first one */
    assert_function(code, 1, "open", 0x1010, 0x1020);  /* until the next one */
    assert_function(code, 2, "next", 0x1020, 0x1030);
    assert_function(code, 3, "last", 0x1030,
                    0x1000 + 200); /* until its section ends, though an evil name comes before */
    g_assert_nonnull(elf_code_at(code, 0x10f0, 16));
    g_assert_null(elf_code_at(code, 0x10f1, 16));
    g_assert_null(elf_code_at(code, 0xfff, 1));
}

static void test_a_file_without_a_build_id(void)
{
    TinyElf elf = tiny_elf();
    g_autoptr(ElfCode) one = NULL, other = NULL;

    elf.header.e_phnum = 1;
    one = read_elf(&elf, sizeof elf);
    elf.strings[40]++;
    other = read_elf(&elf, sizeof elf);
    g_assert_true(g_str_has_prefix(one->id, "xxh3-"));
    g_assert_cmpuint(strlen(one->id), ==, 5 + 32);
    g_assert_cmpstr(one->id, !=, other->id);
}

/* Whatever is changed: it may be refused, but must not be read beyond its ends. */
static void test_damaged_files(void)
{
    static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };

    for (size_t at = 16; at < sizeof(TinyElf);
         at += at < offsetof(TinyElf, code) || at > offsetof(TinyElf, symbols) ? 1 : 64)
        for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
            TinyElf elf = tiny_elf();
            g_autoptr(ElfCode) code = NULL;

            ((uint8_t *)&elf)[at] = values[i];
            code = read_elf(&elf, sizeof elf);
            for (guint k = 0; code && k < code->functions->len; k++) {
                const ElfFunction *function = &g_array_index(code->functions, ElfFunction, k);

                g_assert_cmphex(function->address, <, function->end);
                g_assert_true(elf_code_covers(code, function->address) && elf_code_covers(code, function->end - 1));
            }
        }
    for (size_t bytes = 0; bytes < sizeof(TinyElf); bytes += 13) {
        TinyElf elf = tiny_elf();

        elf_code_free(read_elf(&elf, bytes));
    }
}

/* Where debug files are looked for. */

static void write_elf(const char *path, const TinyElf *elf)
{
    g_autofree char *folder = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, (const char *)elf, sizeof *elf, NULL));
}

/* Whether the debug file of the program is found in the folder. */
static bool has_debug_file(const char *program, const char *folder)
{
    int fd = g_open(program, O_RDONLY), found;
    Elf *elf;

    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    found = debug_file_open(program, elf, folder);
    elf_end(elf);
    close(fd);
    if (found >= 0)
        close(found);
    return found >= 0;
}

static void test_a_debug_file_by_its_build_id(void)
{
    g_autofree char *folder = g_dir_make_tmp("test_names.XXXXXX", NULL);
    g_autofree char *program = g_build_filename(folder, "program", NULL);
    g_autofree char *debug = g_build_filename(folder, ".build-id", "01", "020304050607ab.debug", NULL);
    TinyElf elf = tiny_elf(), other;
    g_autofree char *command = g_strdup_printf("rm -r %s", folder);

    elf.header.e_shoff = elf.header.e_shnum = 0; /* libdw looks for notes among sections, if there are any */
    other = elf;
    other.note.id[7]++;
    write_elf(program, &elf);
    g_assert_false(has_debug_file(program, folder));
    write_elf(debug, &other); /* of another build, whatever its name is */
    g_assert_false(has_debug_file(program, folder));
    write_elf(debug, &elf);
    g_assert_true(has_debug_file(program, folder));
    g_assert_false(has_debug_file(program, program));
    g_assert_cmpint(system(command), ==, 0);
}

/* Names as programmers wrote them. */

static void assert_demangled(const char *name, const char *with, const char *without)
{
    g_autofree char *full = demangle(name, true), *brief = demangle(name, false);

    g_assert_cmpstr(full, ==, with);
    g_assert_cmpstr(brief, ==, without);
}

static void test_names_of_cpp_and_rust(void)
{
    assert_demangled("_ZN4list3addEi", "list::add(int)", "list::add");
    assert_demangled("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write", "core::fmt::write");
    assert_demangled("_RNvC7mycrate3foo", "mycrate::foo", "mycrate::foo");
    assert_demangled("_Znwm@plt", "operator new(unsigned long)@plt", "operator new@plt");
    assert_demangled("_RNvC7mycrate3foo [module]", "mycrate::foo [module]", "mycrate::foo [module]");
    assert_demangled("main", NULL, NULL);
    assert_demangled("_Zebra", NULL, NULL);
    assert_demangled("_R", NULL, NULL);
    assert_demangled("", NULL, NULL);
}

/* Each parameter's type is a pair of the one before: the last one would be 2^60 words long. */
static void test_a_name_that_would_be_too_long(void)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    g_autoptr(GString) name = g_string_new("_Z1f1pIiiE");

    for (int i = 0; i < 60; i++) {
        g_autofree char *number = i < 36 ? g_strdup_printf("%c", digits[i]) : g_strdup_printf("1%c", digits[i - 36]);

        g_string_append_printf(name, "S_IS%s_S%s_E", number, number);
    }
    assert_demangled(name->str, NULL, "f");
}

/* Source lines. */

static LineTable *make_lines(void)
{
    LineTable *table = line_table_new();
    const LinePlace outer = { NULL, "/a.c", 10, 0 };
    uint32_t call = line_table_add_place(table, &outer), inner;
    const LinePlace inlined = { "_Z3addi", "/a.h", 3, call };

    inner = line_table_add_place(table, &inlined);
    g_assert_cmpuint(line_table_add_place(table, &outer), ==, call);
    line_table_add_range(table, 0x1010, 0x1014, inner);
    line_table_add_range(table, 0x1000, 0x1008, call);
    line_table_add_range(table, 0x1008, 0x100a, call);
    line_table_add_range(table, 0x1013, 0x1018, call); /* what was told first counts */
    return table;
}

static void assert_place(LineTable *table, uint64_t address, const char *function, const char *file, uint32_t line)
{
    const LinePlace *place = line_table_place(table, line_table_find(table, address));

    g_assert_nonnull(place);
    g_assert_cmpstr(place->function, ==, function);
    g_assert_cmpstr(place->file, ==, file);
    g_assert_cmpuint(place->line, ==, line);
}

static void assert_made_lines(LineTable *table)
{
    const LinePlace *inlined;

    assert_place(table, 0x1000, NULL, "/a.c", 10);
    assert_place(table, 0x1009, NULL, "/a.c", 10);
    assert_place(table, 0x1010, "_Z3addi", "/a.h", 3);
    assert_place(table, 0x1013, "_Z3addi", "/a.h", 3);
    assert_place(table, 0x1017, NULL, "/a.c", 10);
    inlined = line_table_place(table, line_table_find(table, 0x1010));
    g_assert_cmpuint(line_table_place(table, inlined->caller)->line, ==, 10);
    for (guint i = 0; i < 4; i++) {
        static const uint64_t none[] = { 0, 0xfff, 0x100a, 0x1018 };

        g_assert_cmpuint(line_table_find(table, none[i]), ==, 0);
    }
}

static void test_lines_are_written_and_read(void)
{
    g_autoptr(LineTable) table = make_lines();
    g_autoptr(GByteArray) bytes = line_table_write(table);
    g_autoptr(LineTable) read = line_table_read(bytes->data, bytes->len);

    assert_made_lines(table);
    assert_made_lines(read);
}

static void test_lines_of_two_tables(void)
{
    g_autoptr(LineTable) table = line_table_new(), other = make_lines();
    const LinePlace place = { "f", "/b.c", 1, 0 };

    line_table_add_range(table, 0x2000, 0x2001, line_table_add_place(table, &place));
    line_table_add_all(table, other);
    line_table_add_all(table, other); /* what is known already stays */
    assert_made_lines(table);
    assert_place(table, 0x2000, "f", "/b.c", 1);
}

/* Callers come before what they call, so no chain has a circle. */
static void test_damaged_lines(void)
{
    g_autoptr(LineTable) table = make_lines();
    g_autoptr(GByteArray) bytes = line_table_write(table);

    for (guint at = 0; at < bytes->len; at++)
        for (unsigned value = 0; value < 256; value++) {
            g_autofree uint8_t *bad = g_memdup2(bytes->data, bytes->len);
            g_autoptr(LineTable) read = NULL;

            bad[at] = (uint8_t)value;
            read = line_table_read(bad, value & 1 ? at : bytes->len);
            for (uint64_t address = 0xff0; address < 0x1020; address++)
                for (uint32_t number = line_table_find(read, address), last = 0; number;) {
                    g_assert_nonnull(line_table_place(read, number));
                    last = number;
                    number = line_table_place(read, number)->caller;
                    g_assert_cmpuint(number, <, last);
                }
        }
}

/* What a trace tells. */

static void test_tables_as_text(void)
{
    g_autoptr(Symbols) symbols = symbols_new();
    uint64_t offset;

    symbols_add_functions(symbols, "10 40 outer\n20 28 in er\n\nx y\n30 30 empty\n50 40 backwards\n60 70 last");
    g_assert_cmpstr(symbols_find(symbols, 0x1f, &offset), ==, "outer");
    g_assert_cmpstr(symbols_find(symbols, 0x20, &offset), ==, "in er");
    g_assert_cmpstr(symbols_find(symbols, 0x3f, &offset), ==, "outer");
    g_assert_cmphex(offset, ==, 0x2f);
    g_assert_null(symbols_find(symbols, 0x40, &offset));
    g_assert_null(symbols_find(symbols, 0x55, &offset));
    g_assert_null(symbols_find(symbols, 0xf, &offset));
    g_assert_cmpstr(symbols_find(symbols, 0x6f, &offset), ==, "last");
    g_assert_null(symbols_find(symbols, 0x70, &offset));
}

/* Lines that /proc/kallsyms has, in any order, and lines that it can't have. */
static void test_kallsyms(void)
{
    g_autoptr(Symbols) symbols = symbols_new();
    uint64_t offset;

    symbols_add_kallsyms(symbols,
                         "ffffffffc0000000 t in_module\t[a_module]\n"
                         "FFFFFFFF81000000 T first\n"
                         "ffffffff81000020 D data\n"
                         "ffffffff81000040 w weak\r\n"
                         "0000000000000000 T hidden\n"
                         "\n \nffffffff81000050\nffffffff81000051 T\nffffffff81000052 T \nffffffff81000053\tT x\n"
                         "1ffffffff81000054 T too_long\nffffffff81000055g T x\n T x\n-1 T x\n"
                         "ffffffff81000060 W last");
    g_assert_null(symbols_find(symbols, 0, &offset));
    g_assert_null(symbols_find(symbols, 0xffffffff80ffffff, &offset));
    g_assert_cmpstr(symbols_find(symbols, 0xffffffff81000000, &offset), ==, "first");
    g_assert_cmpstr(symbols_find(symbols, 0xffffffff81000020, &offset), ==, "first"); /* data is no function */
    g_assert_cmphex(offset, ==, 0x20);
    g_assert_cmpstr(symbols_find(symbols, 0xffffffff8100005f, &offset), ==, "weak\r");
    g_assert_cmphex(offset, ==, 0x1f);
    g_assert_cmpstr(symbols_find(symbols, 0xffffffff81000060, &offset), ==, "last");
    g_assert_cmpstr(symbols_find(symbols, 0xffffffffc0000010, &offset), ==, "in_module [a_module]");
}

static void test_origins_are_written(void)
{
    static const uint32_t owners[] = { 1, 1, 0, 2, 2, 2 };
    static const uint8_t pairs[] = { 2, 1, 1, 0, 3, 2 };
    g_autoptr(CodeTable) table = code_table_new();
    g_autofree char *loaded = NULL;
    g_autoptr(GByteArray) code = NULL;

    g_assert_cmpuint(code_table_add_origin(table, 0x1000, "elf/ab", "/bin/a b\nc"), ==, 1);
    g_assert_cmpuint(code_table_add_origin(table, 0, "kallsyms", "kernel"), ==, 2);
    g_array_append_vals(table->owners, owners, G_N_ELEMENTS(owners));
    loaded = code_table_loaded(table);
    code = code_table_code(table);
    g_assert_cmpstr(loaded, ==, "1000 elf/ab /bin/a b?c\n0 kallsyms kernel\n");
    g_assert_cmpmem(code->data, code->len, pairs, sizeof pairs);
    g_assert_null(code_table_origin(table, 0));
    g_assert_null(code_table_origin(table, 3));
    g_assert_null(code_table_origin(table, 7));
    g_assert_cmpstr(code_table_origin(table, 4)->path, ==, "kernel");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/names/only_equal_bytes_are_a_files", test_only_equal_bytes_are_a_files);
    g_test_add_func("/names/what_two_files_have_is_neithers", test_what_two_files_have_is_neithers);
    g_test_add_func("/names/a_file_that_was_not_executed_does_not_count",
                    test_a_file_that_was_not_executed_does_not_count);
    g_test_add_func("/names/an_unknown_file_at_the_same_addresses", test_an_unknown_file_at_the_same_addresses);
    g_test_add_func("/names/where_a_file_was_loaded_is_found", test_where_a_file_was_loaded_is_found);
    g_test_add_func("/names/few_instructions_do_not_tell_where_a_file_was_loaded",
                    test_few_instructions_do_not_tell_where_a_file_was_loaded);
    g_test_add_func("/names/functions_of_a_file", test_functions_of_a_file);
    g_test_add_func("/names/a_file_without_a_build_id", test_a_file_without_a_build_id);
    g_test_add_func("/names/names_of_cpp_and_rust", test_names_of_cpp_and_rust);
    g_test_add_func("/names/a_name_that_would_be_too_long", test_a_name_that_would_be_too_long);
    g_test_add_func("/names/lines_are_written_and_read", test_lines_are_written_and_read);
    g_test_add_func("/names/lines_of_two_tables", test_lines_of_two_tables);
    g_test_add_func("/names/damaged_lines", test_damaged_lines);
    g_test_add_func("/names/a_debug_file_by_its_build_id", test_a_debug_file_by_its_build_id);
    g_test_add_func("/names/damaged_files", test_damaged_files);
    g_test_add_func("/names/tables_as_text", test_tables_as_text);
    g_test_add_func("/names/kallsyms", test_kallsyms);
    g_test_add_func("/names/origins_are_written", test_origins_are_written);
    return g_test_run();
}
