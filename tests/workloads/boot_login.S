/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector that behaves like a login prompt at the first serial port, and lets nobody in. Lines end with a line
 * feed; nothing is echoed. */
    .code16
    .globl _start
    .set PORT, 0x3f8
    .set STATUS, 0x3fd /* bit 0: a byte has come; bit 5: one may be sent */

_start:
    cli
    cld
    ljmp $0, $1f
1:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7000, %sp

again:
    movw $login, %si
    call print
    call read_line
    movw $password, %si
    call print
    call read_line
    movw $incorrect, %si
    call print
    jmp again

print: /* the text at %si, up to a 0 */
    lodsb
    testb %al, %al
    jz 2f
    movb %al, %bl
    movw $STATUS, %dx
1:  inb %dx, %al
    testb $0x20, %al
    jz 1b
    movw $PORT, %dx
    movb %bl, %al
    outb %al, %dx
    jmp print
2:  ret

read_line:
    movw $STATUS, %dx
    inb %dx, %al
    testb $1, %al
    jz read_line
    movw $PORT, %dx
    inb %dx, %al
    cmpb $'\n', %al
    jne read_line
    ret

login:
    .asciz "guest login: "
password:
    .asciz "Password: "
incorrect:
    .asciz "\r\nLogin incorrect\r\n"

    .org 510
    .word 0xaa55
