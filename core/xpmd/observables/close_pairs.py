"""Pairs of atoms within reach of each other, for observables that sum over pairs.

Where shapes may depend on values, the pairs are found first, outside any differentiation, and only
they are computed with: memory for the pairs that count, not for all. Elsewhere all pairs are taken
and those out of reach masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from xpmd.observables.length import squared_length
from xpmd.observables.positions import Positions

Array = Any

#: Distances looked at in one go while pairs are found.
BLOCK = 1_000_000


class ClosePairs(NamedTuple):
    """Pairs (i, j) of an atom of a first group with one of a second, as flat arrays `(m,)`.

    Attributes:
        parts: components of x_j - x_i, the shortest image.
        squared: squared distance; that of a masked pair is twice the squared reach.
        mask: which pairs count; `None` for all.
        first, second: places of i and j in their groups; `None` for all pairs, row by row.
        sizes: numbers of atoms in the groups.
        weight: 2 if a pair stands for (j, i) as well, else 1.
    """

    parts: Sequence[Array]
    squared: Array
    mask: Array | None
    first: Array | None
    second: Array | None
    sizes: tuple[int, int]
    weight: float
    where: Positions

    def masked(self, values: Array) -> Array:
        """Return values with 0 for pairs that do not count."""
        if self.mask is None:
            return values
        return self.where.xp.where(self.mask, values, self.where.xp.zeros_like(values))

    def sum_over_second(self, values: Array) -> Array:
        """Return the sums over j of values of pairs, one for each i."""
        if self.first is None:
            return self.where.xp.sum(self.where.xp.reshape(values, self.sizes), axis=1)
        return self.where.backend.index_add(self.sizes[0], self.first, values)

    def of_second(self, values: Array) -> Array:
        """Return values `(n,)` of the second group at the j of each pair."""
        xp = self.where.xp
        if self.second is None:
            wide = xp.broadcast_to(xp.expand_dims(values, axis=0), self.sizes)
            return xp.reshape(wide, (-1,))
        return xp.take(values, self.second, axis=0)


def close_pairs(
    where: Positions,
    reach: float,
    first: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
    *,
    once: bool = False,
) -> ClosePairs:
    """Return the pairs of different atoms at most `reach` apart.

    Args:
        where: the positions.
        reach: nm.
        first, second: the atoms of each group; all if left out.
        once: whether (i, j) may stand for (j, i) too where the groups are the same.
    """
    numbers = [
        where.everyone() if group is None else where.index(name, list(group))
        for name, group in (("first", first), ("second", second))
    ]
    sizes = int(numbers[0].shape[0]), int(numbers[1].shape[0])
    everyone = range(where.n_atoms)
    same = list(everyone if first is None else first) == list(
        everyone if second is None else second
    )
    known = where.backend.capabilities.dynamic_shapes and not where.backend.is_traced(where.coords)
    if known:
        rows, columns = _within(where.constant(), reach, numbers, once=once and same)
        xp = where.xp
        i, j = xp.take(numbers[0], rows, axis=0), xp.take(numbers[1], columns, axis=0)
        difference = [b - a for a, b in zip(where.components(i), where.components(j), strict=True)]
        parts = where.nearest(difference)
        weight = 2.0 if once and same else 1.0
        return ClosePairs(parts, squared_length(parts), None, rows, columns, sizes, weight, where)
    return _all(where, reach, numbers, sizes, whole=first is None and second is None)


def _within(
    where: Positions, reach: float, numbers: Sequence[Array], *, once: bool
) -> tuple[Array, Array]:
    """Return the places of the pairs within reach in their groups, a block of rows at a time."""
    xp = where.xp
    one, other = (where.components(index) for index in numbers)
    height = max(1, BLOCK // max(1, int(numbers[1].shape[0])))
    rows, columns = [], []
    for start in range(0, max(1, int(numbers[0].shape[0])), height):
        block = slice(start, start + height)
        parts = where.nearest(
            [
                xp.expand_dims(b, axis=0) - xp.expand_dims(a[block], axis=1)
                for a, b in zip(one, other, strict=True)
            ]
        )
        i, j = xp.expand_dims(numbers[0][block], axis=1), xp.expand_dims(numbers[1], axis=0)
        counts = (squared_length(parts) <= reach * reach) & (i < j if once else i != j)
        found = xp.nonzero(counts)
        rows.append(found[0] + start)
        columns.append(found[1])
    return xp.concat(rows, axis=0), xp.concat(columns, axis=0)


def _all(
    where: Positions,
    reach: float,
    numbers: Sequence[Array],
    sizes: tuple[int, int],
    *,
    whole: bool,
) -> ClosePairs:
    xp = where.xp
    one, other = (where.components(None if whole else index) for index in numbers)
    difference = [
        xp.reshape(xp.expand_dims(b, axis=0) - xp.expand_dims(a, axis=1), (-1,))
        for a, b in zip(one, other, strict=True)
    ]
    parts = where.nearest(difference)
    i, j = xp.expand_dims(numbers[0], axis=1), xp.expand_dims(numbers[1], axis=0)
    different = xp.reshape(i != j, (-1,))
    squared = squared_length(parts)
    mask = different & (squared <= reach * reach)
    far = 2.0 * reach * reach + xp.zeros_like(squared)
    return ClosePairs(parts, xp.where(mask, squared, far), mask, None, None, sizes, 1.0, where)
