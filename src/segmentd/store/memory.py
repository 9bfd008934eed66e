"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """The C library keeps what is freed for later; only GNU's can be told not to
    (malloc_trim(3))."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
