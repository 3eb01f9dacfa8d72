#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A workload of processes, pipes and the kernel: compresses numbers and hashes the result.
# usage: pipeline.sh [COUNT]
seq "${1:-1000000}" | gzip | sha256sum
