"""Blocks of pairs on NumPy, small enough for a core's cache, computed in buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from xpmd.neighbor_list import NeighborList
from xpmd.orthorhombic_boundary import OrthorhombicBoundary
from xpmd.pairwise import PairwiseInteraction
from xpmd_autodiff.pair_block import PairBlock
from xpmd_numpy.buffers import Buffers, borrowed_buffers
from xpmd_numpy.runs import Runs, runs_of_blocks

Array = Any

#: Pairs in a block: some arrays of them fit a core's cache, and calls cost little beside them.
BLOCK = 32768

#: Longest product in one call: OpenBLAS gives longer ones to threads, which then wait for more in a busy
#: loop, and on shared cores cost several times what there is to compute.
AT_ONCE = 8192


class BufferedPairBlock(PairBlock):
    """Some pairs, and the arithmetic on them in buffers.

    Args:
        runs: those of `first`, `None` if it has none.
        buffers: for as many pairs as there are, or more.
    """

    def __init__(
        self,
        system: Any,
        first: Array,
        second: Array,
        mask: Array | None,
        runs: Runs | None,
        buffers: Buffers,
    ) -> None:
        super().__init__(system, first, second, mask)
        buffers.take_back(first.shape[0])
        self._number, self._flags = buffers.numbers, buffers.flags
        self._scratch = buffers.numbers()
        self._runs = runs
        self._last: tuple[Any, Any] | None = None

    @classmethod
    def cut(cls, system: Any, neighbors: NeighborList) -> Iterator[PairBlock]:
        # Sums over atoms must not outgrow those over pairs, however many atoms there are.
        size = max(BLOCK, system.n_atoms // 16)
        first, second, mask = neighbors.first, neighbors.second, neighbors.mask
        with borrowed_buffers(size, system.coords.dtype.type) as buffers:
            for k, runs in enumerate(runs_of_blocks(first, size)):
                part = slice(k * size, (k + 1) * size)
                of_part = None if mask is None else mask[part]
                yield cls(system, first[part], second[part], of_part, runs, buffers)

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
                np.multiply(part, 1.0 / side, out=images)
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
        if reach is None or self.mask is not None:
            return super().within(interaction, squared)
        if self._last is None or self._last[0] != reach:
            self._last = reach, self._up_to(reach, squared)
        return self._last[1]

    def _up_to(self, reach: Array, squared: Array) -> tuple[Array, Array]:
        """Do as `within`, without a branch a pair: beyond reach, s is that of a pair just inside.

        Just, so that no pair that is seen is moved by more than rounding; inside, since a potential
        may be infinite at its cutoff. NaN stays NaN.
        """
        mask, harmless, limit = self._number(), self._number(), reach * reach
        mask[...] = np.less_equal(squared, limit, out=self._flags())
        shorter = limit * (1.0 - 64 * float(np.finfo(squared.dtype).eps))
        return mask, np.minimum(squared, shorter, out=harmless)

    def contracted(self, weight: Array, values: Array) -> Array:
        if np.ndim(values) == 0:
            return weight.sum() * values
        total = weight.dtype.type(0.0)
        for start in range(0, weight.shape[0], AT_ONCE):
            part = slice(start, start + AT_ONCE)
            total += np.dot(weight[part], values[part])
        return total

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
