"""Pairs that follow each other with the same first atom, as they do in lists that are sorted by it.

Adding into one place again and again has to wait for each sum, which takes six times as long as adding
up a run; reading from one place again and again can be copied.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

Array = Any

#: Least length of a run on average for which it is worth it.
SHORTEST = 4


class Runs(NamedTuple):
    """Runs of equal first atoms.

    Attributes:
        atoms: the atom of each run, ascending: an index, or a slice if none is left out.
        starts: where each run begins.
        lengths: how long each is.
    """

    atoms: Any
    starts: Array
    lengths: Array

    def spread(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the first atom of each pair."""
        return values[self.atoms].repeat(self.lengths)

    def add(self, total: Array, values: Array) -> None:
        """Add each pair's value to the sum of its first atom."""
        total[self.atoms] += np.add.reduceat(values, self.starts)


def runs_of(first: Array) -> Runs | None:
    """Return the runs of first atoms `(m,)`; `None` if they are short, or not in ascending order."""
    size = first.shape[0]
    (ends,) = (first[1:] != first[:-1]).nonzero()
    if (ends.shape[0] + 1) * SHORTEST > size:
        return None
    bounds = np.empty(ends.shape[0] + 2, dtype=np.intp)
    bounds[0], bounds[-1] = 0, size
    np.add(ends, 1, out=bounds[1:-1])
    starts = bounds[:-1]
    atoms = first[starts]
    if not (atoms[1:] > atoms[:-1]).all():
        return None
    low, high = int(atoms[0]), int(atoms[-1])
    whole = high - low + 1 == atoms.shape[0]
    return Runs(slice(low, high + 1) if whole else atoms, starts, bounds[1:] - starts)


#: The runs of lists that are in use, by the identity of their first atoms, which nobody writes to: a list
#: serves some ten steps.
_remembered: dict[int, tuple[weakref.ref[Any], int, list[Runs | None]]] = {}


def runs_of_blocks(first: Array, size: int) -> list[Runs | None]:
    """Return the runs in each block of `size` first atoms."""
    key = id(first)
    known = _remembered.get(key)
    if known is not None and known[0]() is first and known[1] == size:
        return known[2]
    found = [runs_of(first[start : start + size]) for start in range(0, first.shape[0], size)]

    def forget(gone: Any) -> None:
        _remembered.pop(key, None)

    _remembered[key] = weakref.ref(first, forget), size, found
    return found
