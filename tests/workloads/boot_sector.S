/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without an operating system, whose accesses between the markers are known to the last one: 3000 in the first
 * region, 10 in the second. Ends QEMU through its isa-debug-exit device.
 */
#include "../../include/memory_tracer/roi.h"

#define MARKER(magic) .byte 0x0f, 0x1f, 0x80; .long magic; jmp 1f; 1:

        .code16
        .globl _start
_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdt    gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmp    $8, $protected

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7000, %esp
        cld
        movl    $1, 0x9000              /* not traced */

        MARKER(MEMORY_TRACER_START_MAGIC)
        movl    $1000, %ecx
again:  incl    0x9000                  /* 1000 loads and 1000 stores of 4 bytes */
        decl    %ecx
        jnz     again
        movl    $0x9000, %esi
        movl    $0xa000, %edi
        movl    $500, %ecx
        rep movsb                       /* 500 loads and 500 stores of 1 byte */
        MARKER(MEMORY_TRACER_STOP_MAGIC)

        movl    $2, 0x9000              /* not traced */

        MARKER(MEMORY_TRACER_START_MAGIC)
#ifdef OPEN_REGION
        MARKER(MEMORY_TRACER_ROI_BEGIN_MAGIC)
#endif
        .rept   10
        pushl   $7                      /* a store of 4 bytes */
        .endr
        MARKER(MEMORY_TRACER_STOP_MAGIC)

        movl    $3, 0x9000              /* not traced */
        movb    $0x10, %al
        outb    %al, $0xf4
halt:   hlt
        jmp     halt

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff      /* code */
        .quad   0x00cf92000000ffff      /* data */
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .org    510
        .word   0xaa55
