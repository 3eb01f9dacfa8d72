# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up a matrix of doubles with numpy, row by row or column by column.

usage: matrix.py rows|columns [SIZE]
"""
import sys

import numpy

size = int(sys.argv[2]) if len(sys.argv) > 2 else 500
matrix = numpy.arange(size * size, dtype=float).reshape(size, size)  # each row is contiguous
if sys.argv[1] == "columns":
    matrix = matrix.T
total = 0.0
for line in matrix:
    total += float(line.sum())
print(total)
