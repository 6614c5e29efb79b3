"""Blocks of pairs on NumPy, small enough for a core's cache, computed in buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from xpmd.neighbor_list import NeighborList
from xpmd.orthorhombic_boundary import OrthorhombicBoundary
from xpmd.pairwise import STAND_IN, PairwiseInteraction
from xpmd_autodiff.pair_block import PairBlock
from xpmd_numpy.buffers import Buffers, borrowed_buffers

Array = Any

#: Pairs in a block: a dozen arrays of them fit a core's cache, and calls cost little beside them.
BLOCK = 16384
#: Least pairs that follow each other with the same first atom, on average, for sums of runs.
SHORTEST_RUN = 4


class BufferedPairBlock(PairBlock):
    """Some pairs, and the arithmetic on them in buffers.

    Args:
        buffers: for as many pairs as there are, or more.
    """

    def __init__(
        self, system: Any, first: Array, second: Array, mask: Array | None, buffers: Buffers
    ) -> None:
        super().__init__(system, first, second, mask)
        buffers.take_back(first.shape[0])
        self._number, self._flags = buffers.numbers, buffers.flags
        self._scratch = buffers.numbers()
        self._runs = Runs.of(first)
        self._last: tuple[Any, Any] | None = None

    @classmethod
    def cut(cls, system: Any, neighbors: NeighborList) -> Iterator[PairBlock]:
        # Sums over atoms must not outgrow those over pairs, however many atoms there are.
        size = max(BLOCK, system.n_atoms // 16)
        first, second, mask = neighbors.first, neighbors.second, neighbors.mask
        with borrowed_buffers(size, system.coords.dtype.type) as buffers:
            for start in range(0, first.shape[0], size):
                part = slice(start, start + size)
                of_part = None if mask is None else mask[part]
                yield cls(system, first[part], second[part], of_part, buffers)

    @staticmethod
    def columns(vectors: Array) -> Sequence[Array]:
        return list(np.ascontiguousarray(vectors.T))

    def of_first(self, values: Array) -> Array:
        if self._runs is None:
            return values.take(self.first, mode="clip")
        return self._runs.spread(values)

    def of_second(self, values: Array) -> Array:
        return values.take(self.second, mode="clip")

    def differences(self, columns: Sequence[Array]) -> list[Array]:
        found = []
        for column in columns:
            difference, first = self._number(), self._scratch
            column.take(self.second, out=difference, mode="clip")
            if self._runs is None:
                column.take(self.first, out=first, mode="clip")
            else:
                first = self._runs.spread(column)
            found.append(np.subtract(first, difference, out=difference))
        return found

    def displacements(self, columns: Sequence[Array]) -> Sequence[Array]:
        boundary = self.system.boundary
        parts = self.differences(columns)
        if type(boundary).nearest is not OrthorhombicBoundary.nearest:
            return boundary.nearest(parts, xp=self.xp)  # type: ignore[no-any-return]
        images = self._scratch
        for part, side, opened in zip(parts, boundary.sides, boundary.open_sides, strict=True):
            if not opened:
                np.divide(part, side, out=images)
                np.rint(images, out=images)
                np.multiply(images, side, out=images)
                np.subtract(part, images, out=part)
        return parts

    def dot(self, p: Sequence[Array], q: Sequence[Array]) -> Array:
        total = self.product(p[0], q[0])
        for a, b in zip(p[1:], q[1:], strict=True):
            np.multiply(a, b, out=self._scratch)
            np.add(total, self._scratch, out=total)
        return total

    def product(self, first: Array, second: Array) -> Array:
        return np.multiply(first, second, out=self._number())

    def masked(self, values: Array, mask: Array | None) -> Array:
        if mask is not None:
            return self.product(values, mask)
        own = self._number()
        own[...] = values
        return own

    def added(self, total: Array | None, values: Array) -> Array:
        return values if total is None else np.add(total, values, out=total)

    def within(
        self, interaction: PairwiseInteraction, squared: Array
    ) -> tuple[Array | None, Array]:
        reach = interaction.reach
        if reach is None:
            return super().within(interaction, squared)
        if self._last is None or self._last[0] != reach:
            self._last = reach, self._up_to(reach, squared)
        return self._last[1]

    def _up_to(self, reach: Array, squared: Array) -> tuple[Array, Array]:
        inside, outside = self._flags(), self._flags()
        np.less_equal(squared, reach * reach, out=inside)
        if self.mask is not None:
            np.logical_and(inside, self.mask, out=inside)
        np.logical_not(inside, out=outside)
        mask, harmless = self._number(), self._number()
        mask[...] = inside
        harmless[...] = squared
        np.putmask(harmless, outside, (STAND_IN * reach) ** 2)
        return mask, harmless

    def contracted(self, weight: Array, values: Array) -> Array:
        if np.ndim(values) == 0:
            return weight.sum() * values
        return np.dot(weight, values)

    def added_on_atoms(self, total: Array | None, values: Array) -> Array:
        if total is None:
            total = np.zeros(self.n_atoms, dtype=values.dtype)
        if self._runs is None:
            np.add.at(total, self.first, values)
        else:
            self._runs.add(total, values)
        np.subtract.at(total, self.second, values)
        return total

    def added_by_role(self, total: Array | None, of_first: Array, of_second: Array) -> Array:
        if total is None:
            total = np.zeros(self.n_atoms, dtype=of_first.dtype)
        if self._runs is None:
            np.add.at(total, self.first, of_first)
        else:
            self._runs.add(total, of_first)
        np.add.at(total, self.second, of_second)
        return total


class Runs(NamedTuple):
    """Pairs that follow each other with the same first atom, where lists are sorted by it.

    Adding into one place again and again has to wait for each sum, which takes six times as long as
    adding up a run.

    Attributes:
        atoms: the first atom of each run, ascending.
        starts: where each begins.
        lengths: how long each is.
    """

    atoms: Array
    starts: Array
    lengths: Array

    @classmethod
    def of(cls, first: Array) -> Runs | None:
        """Return the runs of a list; `None` if it has none to speak of, or is not sorted."""
        size = first.shape[0]
        ends = np.flatnonzero(first[1:] != first[:-1])
        if (ends.shape[0] + 1) * SHORTEST_RUN > size:
            return None
        bounds = np.empty(ends.shape[0] + 2, dtype=np.intp)
        bounds[0], bounds[-1] = 0, size
        np.add(ends, 1, out=bounds[1:-1])
        starts = bounds[:-1]
        atoms = first[starts]
        if not (atoms[1:] > atoms[:-1]).all():
            return None
        return cls(atoms, starts, bounds[1:] - starts)

    def spread(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the first atom of each pair."""
        return np.repeat(values[self.atoms], self.lengths)

    def add(self, total: Array, values: Array) -> None:
        """Add each pair's value to its first atom's sum."""
        total[self.atoms] += np.add.reduceat(values, self.starts)
