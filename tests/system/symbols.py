# SPDX-License-Identifier: GPL-2.0-or-later
"""What libmemory_tracer says of a trace's instructions (mt_symbol_of)."""
import collections
import ctypes
import os

from harness import ROOT

LIBRARY = os.path.join(ROOT, "build", "libmemory_tracer.so")  # never the one with sanitizers: Python has none


class Frame(ctypes.Structure):
    _fields_ = [("function", ctypes.c_char_p), ("file", ctypes.c_char_p), ("line", ctypes.c_uint)]


class MtSymbol(ctypes.Structure):
    _fields_ = [("function", ctypes.c_char_p), ("offset", ctypes.c_uint64), ("object", ctypes.c_char_p),
                ("build_id", ctypes.c_char_p), ("object_address", ctypes.c_uint64), ("file", ctypes.c_char_p),
                ("line", ctypes.c_uint), ("frame_count", ctypes.c_size_t), ("frames", ctypes.POINTER(Frame))]


Symbol = collections.namedtuple("Symbol", "function offset object build_id address file line frames")


def text(bytes_or_none):
    return None if bytes_or_none is None else bytes_or_none.decode()


def symbols_of(path, meanwhile=lambda: None):
    """A Symbol or None for each instruction, from number 1 on. Frames are (function, file, line). `meanwhile` is called
    between opening the trace and asking for symbols."""
    library = ctypes.CDLL(LIBRARY)
    library.mt_trace_open.restype = ctypes.c_void_p
    library.mt_trace_instructions.argtypes = library.mt_trace_close.argtypes = [ctypes.c_void_p]
    library.mt_symbol_of.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.mt_symbol_of.restype = ctypes.POINTER(MtSymbol)
    trace = library.mt_trace_open(path.encode(), 0, None)
    assert trace
    meanwhile()
    result = []
    for number in range(1, library.mt_trace_instructions(trace) + 1):
        found = library.mt_symbol_of(trace, number)
        symbol = found.contents if found else None
        result.append(symbol and Symbol(
            text(symbol.function), symbol.offset, text(symbol.object), text(symbol.build_id), symbol.object_address,
            text(symbol.file), symbol.line,
            [(text(frame.function), text(frame.file), frame.line) for frame in symbol.frames[:symbol.frame_count]]))
    library.mt_trace_close(trace)
    return result
