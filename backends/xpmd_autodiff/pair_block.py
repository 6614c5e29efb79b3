"""Pairs of a half list that are computed together, in arrays of a library that compiles nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from xpmd.component_vectors import dot
from xpmd.neighbor_list import Layout, NeighborList
from xpmd.pairwise import PairwiseInteraction, within_reach

Array = Any


class PairBlock:
    """Some pairs, each listed once, and the arithmetic on them.

    What is here works in any library; one that has faster ways overrides it. Arrays that methods return
    are good until the block is done with.

    Args:
        system: the System; no array of it is being differentiated.
        first, second: the numbers of the atoms of each pair `(m,)`.
        mask: which of them count `(m,)`, `None` if all do.
    """

    layout: ClassVar[Layout] = "half"
    weight: ClassVar[float] = 1.0

    def __init__(self, system: Any, first: Array, second: Array, mask: Array | None) -> None:
        self.system, self.backend = system, system.backend
        self.first, self.second, self.mask = first, second, mask
        self.xp = self.backend.xp(system.coords)
        self.n_atoms = system.n_atoms

    @classmethod
    def cut(cls, system: Any, neighbors: NeighborList) -> Iterator[PairBlock]:
        """Yield the pairs of a half list in blocks, each to be done with before the next."""
        yield cls(system, neighbors.first, neighbors.second, neighbors.mask)

    @staticmethod
    def columns(vectors: Array) -> Sequence[Array]:
        """Return the components of vectors `(n, d)` of the atoms."""
        return [vectors[:, axis] for axis in range(vectors.shape[1])]

    def of_first(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the first atom of each pair."""
        return values[self.first]

    def of_second(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the second atom of each pair."""
        return values[self.second]

    def differences(self, columns: Sequence[Array]) -> list[Array]:
        """Return first - second of each component `(n,)` of a vector of the atoms."""
        return [self.of_first(column) - self.of_second(column) for column in columns]

    def displacements(self, columns: Sequence[Array]) -> Sequence[Array]:
        """Return the components of the shortest displacements, from those of the positions."""
        return self.system.boundary.nearest(self.differences(columns), xp=self.xp)  # type: ignore[no-any-return]

    def dot(self, p: Sequence[Array], q: Sequence[Array]) -> Array:
        """Return p . q of vectors by component."""
        return dot(p, q)

    def product(self, first: Array, second: Array) -> Array:
        """Return the product; one of the two may be a number."""
        return first * second

    def masked(self, values: Array, mask: Array | None) -> Array:
        """Return values, one number or one a pair, times the mask, in an array of its own."""
        return values if mask is None else values * mask

    def added(self, total: Array | None, values: Array) -> Array:
        """Return a sum and values, either of which `product`, `masked` or this has returned."""
        return values if total is None else total + values

    def within(
        self, interaction: PairwiseInteraction, squared: Array
    ) -> tuple[Array | None, Array]:
        """Return 1 for pairs that an interaction sees and 0 for others, and r^2, harmless for those.

        `None` instead of ones if it sees all of them.
        """
        xp = self.xp
        mask, squared = within_reach(interaction, squared, self, backend=self.backend, xp=xp)
        return None if mask is None else xp.astype(mask, squared.dtype), squared

    def contracted(self, weight: Array, values: Array) -> Array:
        """Return the sum over pairs of a weight times values, which are one number or one a pair."""
        return self.xp.sum(weight * values)

    def summed(self, values: Array, mask: Array | None) -> Array:
        """Return the sum over pairs of values, one number or one a pair, times the mask."""
        if mask is not None:
            return self.contracted(mask, values)
        return self.xp.sum(values) if values.ndim else values * self.first.shape[0]

    def added_on_atoms(self, total: Array | None, values: Array) -> Array:
        """Return sums `(n,)` with each pair's value added to its first and taken from its second atom."""
        add = self.backend.index_add
        gained = add(self.n_atoms, self.first, values) - add(self.n_atoms, self.second, values)
        return gained if total is None else total + gained

    def added_by_role(self, total: Array | None, of_first: Array, of_second: Array) -> Array:
        """Return sums `(n,)` with what each pair holds for its first and for its second atom added."""
        gained = self.sum_by_role(of_first, of_second, self.n_atoms, backend=self.backend)
        return gained if total is None else total + gained

    def sum_by_role(
        self, of_first: Array, of_second: Array | None, n_atoms: int, *, backend: Any
    ) -> Array:
        """Add up what each pair holds for its first and for its second atom; `(n,)`."""
        total = backend.index_add(n_atoms, self.first, of_first)
        return total + backend.index_add(n_atoms, self.second, of_second)
