"""Pairs found on the host, in the arrays that lists are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def most_entries(first: Array, second: Array, n_atoms: int, *, full: bool) -> int:
    """Return the capacity a list of these pairs needs."""
    if not full:
        return len(first)
    counts = np.bincount(first, minlength=n_atoms) + np.bincount(second, minlength=n_atoms)
    return int(counts.max(initial=0))


def pairs_padded(
    first: Array, second: Array, capacity: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Return first, second, mask, count and overflow of pairs in arrays of a fixed capacity."""
    count, kept = len(first), min(len(first), capacity)
    firsts, seconds = np.zeros(capacity, dtype=np.int64), np.zeros(capacity, dtype=np.int64)
    firsts[:kept], seconds[:kept] = first[:kept], second[:kept]
    mask = np.arange(capacity) < kept
    return firsts, seconds, mask, np.asarray(count), np.asarray(count > capacity)


def rows_padded(
    first: Array, second: Array, n_atoms: int, capacity: int, *, by_column: bool = False
) -> tuple[Array, Array, Array, Array]:
    """Return the neighbors of each atom `(n, capacity)`, mask, count and overflow.

    Args:
        first, second: pairs, each once, sorted.
        by_column: have entries of the same place in their rows, rather than those of a row, follow one
            another in memory.
    """
    order: Any = "F" if by_column else "C"
    below, above = np.bincount(second, minlength=n_atoms), np.bincount(first, minlength=n_atoms)
    seconds = np.zeros((n_atoms, capacity), dtype=np.int32, order=order)
    by_second = host_order(second)
    for rows, partners, number, offset in (
        (second[by_second], first[by_second], below, np.zeros_like(below)),
        (first, second, above, below),
    ):
        places = np.arange(len(rows)) - (np.cumsum(number) - number - offset)[rows]
        fits = places < capacity
        if not fits.all():
            rows, partners, places = rows[fits], partners[fits], places[fits]
        seconds[rows, places] = partners
    needed = below + above
    mask = np.asarray(np.arange(capacity) < needed[:, None], order=order)
    count = int(needed.max(initial=0))
    return seconds, mask, np.asarray(count), np.asarray(count > capacity)


def host_order(numbers: Array) -> Array:
    """Return the stable order that sorts whole numbers, 16 bits at a time: NumPy sorts those in O(n)."""
    order = np.arange(len(numbers))
    largest, shift = int(numbers.max(initial=0)), 0
    while largest >> shift:
        digits = ((numbers >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
        shift += 16
    return order
