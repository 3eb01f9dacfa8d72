/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector that says so at port 0xe9 (isa-debugcon), then increments the word at 0x9000 for ever: 2 accesses in
 * each round, and nothing else. */
    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movb $'R', %al
    outb %al, $0xe9
1:  incl 0x9000
    jmp 1b

    .org 510
    .word 0xaa55
