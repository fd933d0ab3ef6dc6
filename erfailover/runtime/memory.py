"""How the process manages its memory: while it loads, and while it works with many threads.

Loading the SDK makes some two hundred thousand objects, none of them garbage; looking through them
whenever 700 more were made takes a seventh of the processor time of loading. And glibc gives up to
eight threads a core their own heaps, none of which gives back what it once took: with 500
spokes that is 80 MB of 240 (both measured). Only one thread at a time runs Python, so that one heap
serves them all.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

SELDOM = 200_000
"""New objects until Python looks for garbage."""
AS_USUAL = (700, 10, 10)
"""Python's own thresholds."""
M_ARENA_MAX = -8
"""glibc's name for the number of heaps (mallopt(3))."""


def relax_gc() -> None:
    """Look for garbage seldom, from the start of a program on."""
    gc.set_threshold(SELDOM)


def restore_gc() -> None:
    """Look as Python does, and never again at what is loaded; one heap for all threads.

    Does nothing in a process that did not begin with ``relax_gc``: it is another program's.
    """
    if gc.get_threshold()[0] != SELDOM:
        return
    gc.freeze()
    gc.set_threshold(*AS_USUAL)
    if sys.platform == "linux":
        import ctypes

        with suppress(AttributeError):  # another C library than glibc has no such setting
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
