/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The golden files' records: how many, and test_trace.c's hash of them. */
{ "plain.mtrace", 600, 0xa885314a239d6d62 },
{ "pc.mtrace", 600, 0x81c681d483730261 },
{ "paddr.mtrace", 600, 0x815fd74703cf1a29 },
{ "value.mtrace", 600, 0x787ada9f15b97305 },
{ "all.mtrace", 600, 0xf15a283090ae1630 },
{ "vcpus.mtrace", 1800, 0x35079b26e03c4b82 },
{ "walks.mtrace", 601, 0x9398a3bd8b088310 },
{ "stream.gmbeoo", 600, 0xdb9cb28f6f8e698a },
{ "stream.compact", 600, 0xdb9cb28f6f8e698a },
{ "values.mtrace", 600, 0xe75985dfa3447ea7 },
{ "fields.mtrace", 600, 0x89f47d246d584983 },
{ "events.mtrace", 1800, 0x1b39f4f7bef81b6 },
