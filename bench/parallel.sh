#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs a program N times at once and waits for all of them. usage: parallel.sh N PROGRAM [ARG...]
count=$1
shift
while [ "$count" -gt 0 ]; do
    "$@" &
    count=$((count - 1))
done
wait
