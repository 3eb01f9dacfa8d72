# SPDX-License-Identifier: GPL-2.0-or-later
"""All encodings of x86-64 instructions with a memory operand, as objdump names them: for test_sizes.py."""
import collections
import re
import subprocess

SLOT = 32  # bytes; tests/workloads/encodings.c
RETURN = b"\x41\xff\xe7"  # jmp *%r15
NOP = b"\x90"
SIZES = {"BYTE": 1, "WORD": 2, "DWORD": 4, "FWORD": 6, "QWORD": 8, "TBYTE": 10, "OWORD": 16, "XMMWORD": 16, "YMMWORD": 32}
OPERAND = re.compile(r"(\w+) PTR \[rbx\]")

# Left out: instructions that access no memory, or other memory, too; system instructions, some of which Linux emulates in
# user code; VMX, which does nothing in QEMU.
WITHOUT_ACCESS = re.compile(r"nop|prefetch|bnd|cl(flush|wb|demote)|lea\b|call|jmp|push|pop\b|invlpg|sldt|str\b|smsw|vm(ptr|clear|xon)")
# objdump (2.40) ignores REX.W, with which LFS and LGS load 10 bytes. QEMU (10.0) executes MOVBE with 66 and REX.W, which
# has 8 bytes, with 2 bytes. MOVSXD with 66 loads 2 bytes.
NAMED_WRONGLY = re.compile(rb"(\x66|\xf3|\xf2)?\x48\x0f[\xb4\xb5]|\x66\x48\x0f\x38[\xf0\xf1]|\x66\x63", re.S)

Encoding = collections.namedtuple("Encoding", "code text size")


# Of the primary map: prefixes (to other maps, too), and REX.
NO_OPCODES = {0x0f, 0x26, 0x2e, 0x36, 0x3e, *range(0x40, 0x50), 0x62, 0x64, 0x65, 0x66, 0x67, 0xc4, 0xc5, 0xf0, 0xf2, 0xf3}


def legacy():
    """Of the primary map, 0F, 0F38 and 0F3A."""
    for opcode_map in (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"):
        for prefix in (b"", b"\x66", b"\xf3", b"\xf2"):
            for rex in (b"", b"\x48"):
                for opcode in range(256):
                    if opcode in {b"": NO_OPCODES, b"\x0f": (0x38, 0x3a)}.get(opcode_map, ()):
                        continue
                    yield prefix + rex + opcode_map + bytes([opcode])


def vex():
    """Of the same maps with VEX, vvvv being register 0 or none."""
    for opcode_map in (1, 2, 3):
        for prefix in range(4):
            for wide in (0, 0x80):
                for length in (0, 4):
                    for opcode in range(256):
                        if length and opcode_map == 3 and opcode in (0x0a, 0x0b):
                            continue  # vroundss and vroundsd with L=1 make QEMU 10.0 abort
                        yield bytes([0xc4, 0xe0 | opcode_map, wide | 0x78 | length | prefix, opcode])


def disassemble(codes, folder):
    """The text of the instruction that each of `codes` begins with, and how many bytes it has."""
    path = folder + "/codes"
    with open(path, "wb") as file:
        file.write(b"".join(code.ljust(SLOT, NOP) for code in codes))
    printed = subprocess.run(["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--insn-width=16",
                              path], capture_output=True, text=True, check=True).stdout
    found = [("(bad)", 0)] * len(codes)
    for line in printed.splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and int(parts[0].rstrip(": "), 16) % SLOT == 0:
            found[int(parts[0].rstrip(": "), 16) // SLOT] = (parts[2].strip(), len(parts[1].split()))
    return found


def all_encodings(folder):
    """The encodings of an operand at rbx whose size objdump tells. Of each group of opcodes that differ by nothing but
    a register, one."""
    openings = [*legacy(), *vex()]
    codes = [opening + bytes([number << 3 | 3]) + bytes(8) for opening in openings for number in range(8)]
    texts, kept = disassemble(codes, folder), []
    for first in range(0, len(codes), 8):
        seen = set()
        for code, (text, length) in zip(codes[first:first + 8], texts[first:first + 8]):
            operand, name = OPERAND.search(text), text.split()[0] if text else ""
            if not operand or "(bad)" in text or operand.group(1) not in SIZES:
                continue
            if WITHOUT_ACCESS.search(text) or NAMED_WRONGLY.match(code):
                continue
            if name not in seen:
                seen.add(name)
                kept.append(Encoding(code[:length], text, SIZES[operand.group(1)]))
    return kept


def write_slots(encodings, path):
    with open(path, "wb") as file:
        for encoding in encodings:
            file.write((encoding.code + RETURN).ljust(SLOT, NOP))
