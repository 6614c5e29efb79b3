"""How many bytes Python's allocators, NumPy's included, have given out at most."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """Leave cyclic garbage where it lies, so that it counts as memory in use.

    CPython keeps tuples that have died for later use, up to 2000 of each length, and runs of less than
    some thousand steps do not get to the end of that. They are made beforehand, so as not to count.
    """
    gc.collect()
    gc.disable()
    try:
        for length in range(1, 21):
            dead = [(*range(length - 1), k) for k in range(2000)]
            del dead
        yield
    finally:
        gc.enable()
        gc.collect()


def allocator_peak(work: Callable[[], Any]) -> int:
    """Return the bytes in use at most while some work is done, beyond those before."""
    assert not tracemalloc.is_tracing(), "another test left its count on, whose peak would be found"
    with nothing_collected():
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
