"""Arrays that are used again and again, since fresh memory costs more than the arithmetic on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Array = Any


class Buffers:
    """Arrays of one size and type, handed out in turn and all taken back at once.

    Args:
        size: most elements of an array.
        dtype: type of its numbers.
    """

    def __init__(self, size: int, dtype: Any) -> None:
        self._size, self._length = size, size
        self._held: dict[Any, list[Array]] = {dtype: [], np.bool_: []}
        self._next: dict[Any, int] = {}
        self.dtype = dtype

    def take_back(self, length: int) -> None:
        """Take all arrays back, and hand them out with this length from now on."""
        self._next, self._length = {}, length

    def numbers(self) -> Array:
        """Return an array of numbers that holds anything."""
        return self._array(self.dtype)

    def flags(self) -> Array:
        """Return an array of truth values that holds anything."""
        return self._array(np.bool_)

    def _array(self, kind: Any) -> Array:
        held, place = self._held[kind], self._next.get(kind, 0)
        self._next[kind] = place + 1
        if place == len(held):
            held.append(np.empty(self._size, dtype=kind))
        return held[place][: self._length]


#: Buffers that nobody computes in now. Whoever wants some takes them out, so that threads share none.
_at_rest: dict[tuple[int, Any], list[Buffers]] = {}


@contextmanager
def borrowed_buffers(size: int, dtype: Any) -> Iterator[Buffers]:
    """Lend buffers for arrays of up to `size` elements."""
    resting = _at_rest.setdefault((size, dtype), [])
    try:
        buffers = resting.pop()
    except IndexError:
        buffers = Buffers(size, dtype)
    try:
        yield buffers
    finally:
        resting.append(buffers)
