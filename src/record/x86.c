/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's architecture: see x86.h. Instructions are decoded as far as is needed here. Opcodes are named as in
 * Intel's manual, volume 2, appendix A.
 */
#include "x86.h"

#define CR0_PE 1u
#define EFLAGS_VM (1u << 17)
#define EFER_LMA (1u << 10)
/* A table that a plugin can't find says whether a code segment has 32 bits. So the selector tells: Linux uses the same
 * ones on all x86-64 machines. */
#define LINUX_KERNEL32_CS 0x08u
#define LINUX_USER32_CS 0x23u

/* Privilege and mode. */

unsigned x86_cpl(const X86Registers *registers)
{
    if (!(registers->cr0 & CR0_PE))
        return X86_KERNEL_CPL; /* real mode */
    if (registers->eflags & EFLAGS_VM)
        return X86_USER_CPL; /* virtual 8086 mode: cs is not a selector */
    return registers->cs & 3;
}

enum mt_mode x86_mode(const X86Registers *registers)
{
    uint16_t selector = (uint16_t)registers->cs;

    if (!(registers->cr0 & CR0_PE) || registers->eflags & EFLAGS_VM)
        return MT_MODE_16;
    if (!registers->has_efer)
        return MT_MODE_UNKNOWN;
    if (!(registers->efer & EFER_LMA))
        return MT_MODE_32;
    return selector == LINUX_KERNEL32_CS || selector == LINUX_USER32_CS ? MT_MODE_32 : MT_MODE_64;
}

/* Instructions. */

typedef struct {
    enum { MAP_PRIMARY, MAP_0F, MAP_0F38, MAP_0F3A, MAP_OTHER } map;
    uint8_t opcode, modrm;
    uint8_t prefix; /* 0x66, 0xf3, 0xf2 or 0: the one that selects among instructions of an opcode */
    bool lock;
    bool vex;
    bool wide; /* (VEX.)W */
    bool l256; /* VEX.L */
} Instruction;

typedef struct {
    const uint8_t *at, *end;
} Bytes;

/* Gives 0 after the end: with it, a cut-off instruction is not taken for one that we look for. */
static uint8_t take(Bytes *bytes)
{
    return bytes->at < bytes->end ? *bytes->at++ : 0;
}

static void take_legacy_prefixes(Bytes *bytes, Instruction *instruction)
{
    for (; bytes->at < bytes->end; bytes->at++) {
        switch (*bytes->at) {
        case 0xf0:
            instruction->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            instruction->prefix = *bytes->at; /* of several, the last one counts */
            break;
        case 0x66:
            if (!instruction->prefix)
                instruction->prefix = 0x66;
            break;
        case 0x26: /* segments, and the address size */
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x67:
            break;
        default:
            return;
        }
    }
}

/* Outside of 64-bit code, 0x40 to 0x4f are whole instructions: nothing follows them. */
static void take_rex(Bytes *bytes, Instruction *instruction)
{
    while (bytes->end - bytes->at > 1 && (*bytes->at & 0xf0) == 0x40)
        instruction->wide = take(bytes) & 8;
}

static void take_vex(Bytes *bytes, Instruction *instruction, unsigned length)
{
    static const uint8_t prefixes[4] = { 0, 0x66, 0xf3, 0xf2 };
    uint8_t first = take(bytes), last = length == 3 ? take(bytes) : first;
    unsigned map = length == 3 ? first & 0x1f : MAP_0F;

    instruction->vex = true;
    instruction->map = map >= MAP_0F && map <= MAP_0F3A ? map : MAP_OTHER;
    instruction->wide = length == 3 && last & 0x80;
    instruction->l256 = last & 4;
    instruction->prefix = prefixes[last & 3];
    instruction->opcode = take(bytes);
}

static void take_opcode(Bytes *bytes, Instruction *instruction)
{
    instruction->opcode = take(bytes);
    if (instruction->opcode != 0x0f)
        return;
    instruction->map = MAP_0F;
    instruction->opcode = take(bytes);
    if (instruction->opcode != 0x38 && instruction->opcode != 0x3a)
        return;
    instruction->map = instruction->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
    instruction->opcode = take(bytes);
}

static Instruction decode(const uint8_t *data, size_t count)
{
    Bytes bytes = { data, data + count };
    Instruction instruction = { 0 };
    uint8_t next;

    take_legacy_prefixes(&bytes, &instruction);
    take_rex(&bytes, &instruction);
    next = bytes.at < bytes.end ? *bytes.at : 0;
    if (next == 0xc4 || next == 0xc5) {
        bytes.at++;
        take_vex(&bytes, &instruction, next == 0xc4 ? 3 : 2);
    } else {
        take_opcode(&bytes, &instruction);
    }
    instruction.modrm = take(&bytes);
    return instruction;
}

static unsigned modrm_reg(const Instruction *instruction)
{
    return instruction->modrm >> 3 & 7;
}

/* FMA of one element: VF(N)M(ADD|SUB)(132|213|231)S(S|D). */
static bool is_scalar_fma(uint8_t opcode)
{
    unsigned operation = opcode & 0xf;

    return opcode >= 0x90 && opcode < 0xc0 && operation & 1 && operation >= 9;
}

/* Shifts of whole vectors by a count that lies in memory: the count has 16 bytes, however wide the vectors are. */
static bool is_shift_by_count(uint8_t opcode)
{
    switch (opcode) {
    case 0xd1: /* VPSRLW, VPSRLD, VPSRLQ */
    case 0xd2:
    case 0xd3:
    case 0xe1: /* VPSRAW, VPSRAD */
    case 0xe2:
    case 0xf1: /* VPSLLW, VPSLLD, VPSLLQ */
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

static X86Accesses accesses_with_vex(const Instruction *instruction)
{
    uint8_t opcode = instruction->opcode;
    bool with_66 = instruction->prefix == 0x66;

    switch (instruction->map) {
    case MAP_0F:
        if (opcode == 0xe6 && instruction->prefix == 0xf3) /* VCVTDQ2PD */
            return instruction->l256 ? X86_LOADS_16 : X86_LOADS_8;
        return with_66 && instruction->l256 && is_shift_by_count(opcode) ? X86_LOADS_16 : X86_AS_TOLD;
    case MAP_0F38:
        if (with_66 && is_scalar_fma(opcode))
            return instruction->wide ? X86_LOADS_8 : X86_LOADS_4;
        return with_66 && (opcode & 0xf0) == 0xe0 ? X86_RETRIED_COMPARE_AND_ADD : X86_AS_TOLD;
    case MAP_0F3A: /* VINSERTF128, VINSERTI128 */
        return with_66 && instruction->l256 && (opcode == 0x18 || opcode == 0x38) ? X86_LOADS_16 : X86_AS_TOLD;
    default:
        return X86_AS_TOLD;
    }
}

static X86Accesses locked_arithmetic(unsigned operation)
{
    static const X86Accesses accesses[8] = {
        X86_TELLS_NEW_ADD, /* ADD */
        X86_TELLS_NEW_OR,  /* OR */
        X86_TELLS_NEW_ADD, /* ADC: the operand has the carry in it already */
        X86_TELLS_NEW_ADD, /* SBB: likewise, and it is negated */
        X86_TELLS_NEW_AND, /* AND */
        X86_TELLS_OLD_ADD, /* SUB */
        X86_TELLS_NEW_XOR, /* XOR */
        X86_AS_TOLD,       /* CMP can't be locked */
    };

    return accesses[operation];
}

static X86Accesses locked_primary(const Instruction *instruction)
{
    unsigned reg = modrm_reg(instruction);

    if (instruction->opcode < 0x40)
        return (instruction->opcode & 7) < 2 ? locked_arithmetic(instruction->opcode >> 3) : X86_AS_TOLD;
    switch (instruction->opcode) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
        return locked_arithmetic(reg);
    case 0xf6:
    case 0xf7:
        return reg == 2 ? X86_TELLS_NEW_XOR : reg == 3 ? X86_RETRIED_NEG : X86_AS_TOLD;
    case 0xfe:
    case 0xff:
        return reg < 2 ? X86_TELLS_NEW_ADD : X86_AS_TOLD;
    default: /* XCHG: QEMU is right */
        return X86_AS_TOLD;
    }
}

static X86Accesses locked_bit_operation(unsigned operation)
{
    static const X86Accesses accesses[4] = { X86_AS_TOLD, X86_TELLS_OLD_OR, X86_TELLS_OLD_AND, X86_TELLS_OLD_XOR };

    return accesses[operation & 3]; /* BT, BTS, BTR, BTC */
}

static X86Accesses locked_0f(const Instruction *instruction)
{
    unsigned reg = modrm_reg(instruction);

    switch (instruction->opcode) {
    case 0xab:
    case 0xb3:
    case 0xbb:
        return locked_bit_operation(instruction->opcode >> 3);
    case 0xba:
        return reg >= 4 ? locked_bit_operation(reg) : X86_AS_TOLD;
    case 0xb0:
    case 0xb1:
        return X86_COMPARES_ACCUMULATOR;
    case 0xc0:
    case 0xc1:
        return X86_TELLS_OLD_ADD;
    case 0xc7:
        return reg == 1 ? X86_COMPARES_PAIR : X86_AS_TOLD;
    default:
        return X86_AS_TOLD;
    }
}

static X86Accesses accesses_without_vex(const Instruction *instruction)
{
    if (instruction->lock && instruction->map == MAP_PRIMARY)
        return locked_primary(instruction);
    if (instruction->map != MAP_0F)
        return X86_AS_TOLD;
    if (instruction->lock)
        return locked_0f(instruction);
    if (!instruction->prefix && instruction->opcode >= 0x60 && instruction->opcode <= 0x62)
        return X86_LOADS_4; /* PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ of MMX */
    if (instruction->prefix == 0xf3 && instruction->opcode == 0xe6)
        return X86_LOADS_8; /* CVTDQ2PD */
    return X86_AS_TOLD;
}

X86Accesses x86_accesses(const uint8_t *bytes, size_t count)
{
    Instruction instruction = decode(bytes, count);

    if (instruction.modrm >= 0xc0) /* no operand in memory */
        return X86_AS_TOLD;
    return instruction.vex ? accesses_with_vex(&instruction) : accesses_without_vex(&instruction);
}

bool x86_may_remap(const uint8_t *bytes, size_t count)
{
    size_t at = 0;

    /* Prefixes: operand size, repetition, segments, REX. */
    while (at < count && (bytes[at] == 0x66 || bytes[at] == 0xf2 || bytes[at] == 0xf3 || bytes[at] == 0x2e ||
                          bytes[at] == 0x36 || bytes[at] == 0x3e || bytes[at] == 0x26 || bytes[at] == 0x64 ||
                          bytes[at] == 0x65 || bytes[at] == 0x67 || (bytes[at] & 0xf0) == 0x40))
        at++;
    if (count - at < 2 || bytes[at] != 0x0f)
        return false;
    switch (bytes[at + 1]) {
    case 0x22: /* MOV to a control register */
    case 0x30: /* WRMSR */
    case 0xaa: /* RSM */
        return true;
    case 0x01: /* group 7: INVLPG is /7 with memory, LMSW is /6; the others, except SWAPGS, are VMRUN and the like */
        return count - at >= 3 && bytes[at + 2] != 0xf8 && (bytes[at + 2] >> 3 & 7) >= 3;
    case 0x38: /* INVPCID */
        return count - at >= 3 && bytes[at + 2] == 0x82;
    default:
        return false;
    }
}

unsigned x86_walk(uint64_t cr3, unsigned levels, uint64_t address, X86ReadEntry read, void *data, uint64_t *physical)
{
    uint64_t table = cr3 & X86_ENTRY_FRAME, entry;

    for (unsigned level = levels; level; level--) {
        unsigned shift = 12 + X86_INDEX_BITS * (level - 1);
        uint64_t index = (address >> shift) & (X86_TABLE_ENTRIES - 1), below = (UINT64_C(1) << shift) - 1;

        if (!read(data, table + (index << X86_ENTRY_SHIFT), &entry) || !(entry & X86_ENTRY_PRESENT))
            return 0;
        if (level == 1 || (entry & X86_ENTRY_LEAF)) {
            if (level > 3) /* there are no such pages */
                return 0;
            *physical = (entry & X86_ENTRY_FRAME & ~below) | (address & below);
            return shift;
        }
        table = entry & X86_ENTRY_FRAME;
    }
    return 0;
}
