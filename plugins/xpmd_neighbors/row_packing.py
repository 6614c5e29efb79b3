"""Packing a mask into rows of indices without scattering or sorting: bits, counted.

Each row of the mask becomes words of bits. The k-th place that holds in a row is in the word before
which fewer than k + 1 hold and with which at least that many do; inside the word it is found by
halving, with the counts of bits in ever smaller parts that adding up neighboring bits leaves behind
(Knuth, The Art of Computer Programming 4A, 7.1.3).
"""

from __future__ import annotations

import math
from typing import Any

from xpmd.backend import Backend

Array = Any

#: Bits of a word in use: the sign of a 32-bit integer is left alone.
MOST_BITS = 31


#: Widths are multiples of it, which makes for few words, all full, and for whole vector registers.
WIDTH_STEP = 8


def word_bits(width: int) -> int:
    """Return how many bits a word holds at most so that full words make up a width."""
    return max(bits for bits in range(1, MOST_BITS + 1) if width % bits == 0)


def rounded_width(width: int) -> int:
    """Return the smallest width of at least `width` that is easily cut into words."""
    return math.ceil(width / WIDTH_STEP) * WIDTH_STEP


def packed(mask: Array, capacity: int, *, backend: Backend, xp: Any) -> tuple[Array, Array]:
    """Return the places that hold in each row, in order, and their number.

    Args:
        mask: `(n, words, bits)` with at most `MOST_BITS` bits.

    Returns:
        Places `(n, capacity)`, arbitrary beyond the number of them, which is `(n,)`; int32.
    """
    n_rows, n_words, n_bits = mask.shape
    device = backend.device_of(mask)
    powers = backend.asarray([1 << k for k in range(n_bits)], dtype="int32", device=device)
    words = xp.sum(xp.where(mask, powers, xp.zeros_like(powers)), axis=2, dtype=xp.int32)
    count = _Bits(words).total
    until = xp.cumulative_sum(count, axis=1, dtype=xp.int32)
    slots = backend.asarray(range(capacity), dtype="int32", device=device)
    # Which word: as many as end before the wanted place. One by one, since a sum over an axis that
    # runs fastest is slower.
    word = xp.zeros_like(slots[None, :] + until[:, :1])
    for k in range(n_words - 1):
        word = word + xp.astype(until[:, k : k + 1] <= slots[None, :], xp.int32)
    rows = backend.asarray(range(n_rows), dtype="int32", device=device)
    flat = rows[:, None] * n_words + word
    held = xp.reshape(words, (-1,))[flat]
    before = xp.reshape(until - count, (-1,))[flat]
    bit = _Bits(held).nth(slots[None, :] - before, xp)
    return word * n_bits + bit, until[:, -1]


class _Bits:
    """Counts of the bits set in the parts of words: of 2, 4, 8 and 16 bits."""

    def __init__(self, words: Array) -> None:
        self.ones = words
        self.pairs = words - ((words >> 1) & 0x55555555)
        self.nibbles = (self.pairs & 0x33333333) + ((self.pairs >> 2) & 0x33333333)
        self.octets = (self.nibbles + (self.nibbles >> 4)) & 0x0F0F0F0F
        self.halves = (self.octets + (self.octets >> 8)) & 0x00FF00FF

    @property
    def total(self) -> Array:
        """Number of bits set."""
        return (self.halves & 0x1F) + (self.halves >> 16)

    def nth(self, n: Array, xp: Any) -> Array:
        """Return the place of the n-th bit that is set, counted from 0."""
        place = xp.zeros_like(n)
        parts = (
            (16, self.halves, 0x1F),
            (8, self.octets, 0xF),
            (4, self.nibbles, 0x7),
            (2, self.pairs, 0x3),
            (1, self.ones, 0x1),
        )
        for size, counts, mask in parts:
            below = (counts >> place) & mask
            beyond = n >= below
            place = place + xp.where(beyond, xp.full_like(place, size), xp.zeros_like(place))
            n = n - xp.where(beyond, below, xp.zeros_like(below))
        return place
