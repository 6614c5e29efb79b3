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
        self.numbers = _InTurn(size, dtype)
        self.flags = _InTurn(size, np.bool_)

    def take_back(self, length: int) -> None:
        """Take all arrays back, and hand them out with this length from now on."""
        self.numbers.take_back(length)
        self.flags.take_back(length)


class _InTurn:
    """Arrays of one type; a call returns the next, which holds anything."""

    def __init__(self, size: int, dtype: Any) -> None:
        self._size, self._dtype, self._length = size, dtype, size
        self._held: list[Array] = []
        self._cut: list[Array] = []
        self._next = 0

    def __call__(self) -> Array:
        if self._next == len(self._held):
            self._held.append(np.empty(self._size, dtype=self._dtype))
            self._cut.append(self._held[-1][: self._length])
        self._next += 1
        return self._cut[self._next - 1]

    def take_back(self, length: int) -> None:
        self._next = 0
        if length != self._length:
            self._length, self._cut = length, [array[:length] for array in self._held]


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
