"""Exclusions: pairs of atoms that pairwise interactions skip, usually because bonds join them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from xpmd.concrete import concrete
from xpmd.module import Module, indices

Array = Any


class Exclusions(Module):
    """Excluded pairs, `Exclusions([[0, 1], [1, 2]])`.

    A System turns the pairs into `partners`, shape `(n, most)`: the excluded partners of each atom,
    padded with -1, which is the form that neighbor finders look things up in.
    """

    pairs: Array = indices()
    partners: Array = indices(default=None)

    @classmethod
    def from_bonds(cls, bonds: Iterable[Sequence[int]], through: int = 3) -> Self:
        """Exclude all pairs joined by at most `through` bonds (3: 1-2, 1-3 and 1-4 pairs)."""
        return cls(bonded_pairs(bonds, range(1, through + 1)))

    def for_atoms(self, n_atoms: int) -> list[list[int]]:
        """Return the padded partners of each atom as lists.

        Raises:
            ValueError: a pair is out of range, names an atom twice, or occurs twice.
            TypeError: the pairs are not pairs of whole numbers.
        """
        known = concrete(self.pairs)
        if not isinstance(known, list):
            raise TypeError(
                f"`exclusions` = {self.pairs!r} must be pairs of atoms, such as [[0, 1], [1, 2]]."
            )
        partners: list[list[int]] = [[] for _ in range(n_atoms)]
        seen = set()
        for given in known:
            if not isinstance(given, list) or len(given) != 2:
                raise ValueError(f"`exclusions`: {given} must name two atoms, such as [0, 1].")
            pair = i, j = int(given[0]), int(given[1])
            if given != [i, j]:
                raise TypeError(f"`exclusions`: {given} must hold whole numbers: they name atoms.")
            if not (0 <= i < n_atoms and 0 <= j < n_atoms):
                raise ValueError(f"`exclusions`: pair {pair} is out of range for {n_atoms} atoms.")
            if i == j:
                raise ValueError(f"`exclusions`: pair {pair} names the same atom twice.")
            if (min(i, j), max(i, j)) in seen:
                raise ValueError(f"`exclusions`: pair {pair} is given twice; list each pair once.")
            seen.add((min(i, j), max(i, j)))
            partners[i].append(j)
            partners[j].append(i)
        most = max((len(row) for row in partners), default=0)
        return [sorted(row) + [-1] * (most - len(row)) for row in partners]

    def excludes(self, first: Array, second: Array, *, xp: Any) -> Array:
        """Return whether the pairs of atoms `first`, `second` (broadcast together) are excluded."""
        found = first != first
        found = found & (second != second)
        for k in range(self.partners.shape[1]):
            found = found | (self.partners[:, k][first] == second)
        return found


def bonded_pairs(bonds: Iterable[Sequence[int]], distances: Iterable[int]) -> list[list[int]]:
    """Return the pairs of atoms whose shortest path along bonds has one of the given lengths.

    `bonded_pairs(bonds, [3])` are the 1-4 pairs.
    """
    wanted = set(distances)
    joined: dict[int, list[int]] = {}
    for a, b in ((int(i), int(j)) for i, j in bonds):
        joined.setdefault(a, []).append(b)
        joined.setdefault(b, []).append(a)
    pairs: list[list[int]] = []
    for start in sorted(joined):
        shell, reached = [start], {start}
        for distance in range(1, max(wanted, default=0) + 1):
            shell = sorted({n for a in shell for n in joined[a]} - reached)
            reached.update(shell)
            if distance in wanted:
                pairs.extend([start, end] for end in shell if start < end)
    return pairs
