"""A neighbor list: which pairs of atoms may interact, in arrays of fixed size."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from xpmd.boundary import Boundary
from xpmd.module import Module, static

Array = Any
Layout = Literal["half", "full", "sorted", "dense"]

#: The count of a list that would be wrong with any capacity.
PAST_MENDING = 2**31 - 1


class PairEntries(Protocol):
    """Entries of a neighbor list, all or some."""

    @property
    def mask(self) -> Array: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def weight(self) -> float: ...
    def of_first(self, values: Array) -> Array: ...
    def of_second(self, values: Array) -> Array: ...
    def sum_by_role(
        self, of_first: Array, of_second: Array | None, n_atoms: int, *, backend: Any
    ) -> Array: ...


class NeighborList(Module):
    """Pairs of atoms within the cutoff of a finder when it was built.

    Four layouts. "half" holds each pair once: `first` and `second` have shape `(capacity,)`. "full"
    holds it from both ends: row i of `second`, shape `(n, capacity)`, are the neighbors of atom i.
    "sorted" is the same for atoms in another order, in which those close in space are close in memory:
    row k is about atom `order[k]`, and `second` holds numbers of rows instead of atoms. "dense" holds
    all n x n pairs and no indices. The methods know all of them. Padding is masked out; excluded pairs
    are absent.

    Attributes:
        mask: True where there is a pair; `None` if all are.
        count: what the finder would have needed, for enlarging: one number or several, int32.
        overflow: True if something did not suffice; the list must then not be used.
        reference: coordinates `(n, d)` the list was built at, nm.
        box: boundary the list was built in; put in by the upkeep, not by finders.
        order, place: the atom of each row and the row of each atom, `(n,)`; "sorted" only.
    """

    first: Array
    second: Array
    mask: Array
    count: Array
    overflow: Array
    reference: Array
    layout: Layout = static()
    box: Boundary | None = None
    order: Array = None
    place: Array = None

    @property
    def weight(self) -> float:
        """What an entry counts: 1 if pairs are listed once, 1/2 if twice."""
        return 1.0 if self.layout == "half" else 0.5

    def of_first(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the first atom of each entry."""
        return values[self.first] if self.layout == "half" else self.in_rows(values)[:, None]

    def of_second(self, values: Array) -> Array:
        """Return per-atom values `(n,)` of the second atom of each entry."""
        return values[None, :] if self.layout == "dense" else self.in_rows(values)[self.second]

    def in_rows(self, values: Array) -> Array:
        """Return per-atom values `(n, ...)` in the order of the rows."""
        return values if self.layout != "sorted" else values[self.order, ...]

    def in_atoms(self, values: Array) -> Array:
        """Return per-row values `(n, ...)` in the order of the atoms."""
        return values if self.layout != "sorted" else values[self.place, ...]

    def sum_on_atoms(self, values: Array, n_atoms: int, *, backend: Any, xp: Any) -> Array:
        """Add each entry's value to its first atom and take it from its second; `(n,)`.

        From both ends the second atom's share is the mirror entry's, so rows are summed.
        """
        if self.layout == "half":
            gained = backend.index_add(n_atoms, self.first, values)
            return gained - backend.index_add(n_atoms, self.second, values)
        return self.in_atoms(xp.sum(values, axis=1))

    def sum_by_role(
        self, of_first: Array, of_second: Array | None, n_atoms: int, *, backend: Any
    ) -> Array:
        """Add up what each entry holds for its first and for its second atom; `(n,)`.

        Args:
            of_first: one value an entry; from both ends one value a row or an entry.
            of_second: likewise; from both ends left out, since it is the mirror entry's.
        """
        if self.layout == "half":
            total = backend.index_add(n_atoms, self.first, of_first)
            return total + backend.index_add(n_atoms, self.second, of_second)
        xp = backend.xp(of_first)
        if of_first.shape[1] == 1:
            return self.in_atoms(of_first[:, 0])
        return self.in_atoms(xp.sum(of_first, axis=1))


def roomier(count: int, capacity: int) -> int:
    """Return a capacity for a list of which `count` entries were needed when it was last looked at.

    More may have been needed before, so it is larger than the old one in any case.
    """
    return bucketed(max(count, capacity))


def wasteful(count: int, capacity: int) -> bool:
    """Return whether a capacity is far more than `count` entries need."""
    return capacity > 2 * bucketed(count)


def bucketed(count: int, *, spare: float = 1.1, step: int = 4) -> int:
    """Return a capacity for `count` entries with some room, on a grid so that few sizes occur."""
    wanted = max(1, int(count * spare) + 1)
    if wanted > 16 * step:
        step = max(step, 2 ** (wanted.bit_length() - 5))
    return -(-wanted // step) * step
