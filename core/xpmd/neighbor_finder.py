"""The contract of a neighbor finder, whose plainest form lists every pair."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

from xpmd.backend import Backend, backend_of
from xpmd.boundary import Boundary
from xpmd.concrete import concrete, followed, require_positive, require_whole
from xpmd.errors import NeighborOverflowError
from xpmd.exclusions import Exclusions
from xpmd.module import Module, static
from xpmd.neighbor_list import PAST_MENDING, NeighborList
from xpmd.units import magnitude

Array = Any

#: The plan of a list that is exactly as long as it has to be, and never too short.
EXACT = "exact"

#: Up to so many atoms, all distances are looked at where lists are compiled: to leave out those beyond
#: the cutoff costs less than to gather the others.
MOST_DENSE = 128


class NeighborFinder(Module):
    """Base of the neighbor finders; by itself it lists all pairs once and for all.

    A finder works in two parts. `plan` looks at actual coordinates and fixes sizes: it runs between
    compiled chunks. `build` makes the list for a plan: it may run inside compiled code, where nothing
    can raise, so it reports `overflow` and the driver calls `enlarge` and repeats the chunk.
    """

    @property
    def reach(self) -> float:
        """Largest distance of a pair in the list, nm."""
        return math.inf

    @property
    def every(self) -> int | None:
        """Rebuild at least every so many steps; `None` to go by the distance atoms have moved."""
        return None

    def plan(
        self, coords: Array, boundary: Boundary, exclusions: Exclusions | None, *, backend: Backend
    ) -> Hashable:
        """Return the sizes a list for these coordinates needs; `None` if they are unknown now."""
        return EXACT

    def enlarge(self, plan: Any, neighbors: NeighborList) -> Hashable:
        """Return a plan with room for what `neighbors` could not hold.

        Raises:
            NeighborOverflowError: more room will not help.
        """
        require_mendable(neighbors, exact=True)
        raise NotImplementedError

    def is_wasteful(self, plan: Any, neighbors: NeighborList) -> bool:
        """Return whether a plan has so much more room than a list needed that a new one is worth it."""
        return False

    def build(
        self,
        coords: Array,
        boundary: Boundary,
        exclusions: Exclusions | None,
        plan: Any,
        *,
        backend: Backend,
        xp: Any,
    ) -> NeighborList:
        """Return the list of pairs closer than `reach`.

        Args:
            coords: positions `(n, d)`, nm; no gradient passes.
            plan: what `plan` or `enlarge` returned.
        """
        return all_pairs(coords, exclusions, backend=backend, xp=xp)


class CutoffNeighborFinder(NeighborFinder):
    """Base of the finders that list pairs up to a cutoff.

    Args:
        cutoff: pairs up to this distance are listed, nm. What it exceeds the interactions' cutoff by
            is the skin: the list is rebuilt as soon as an atom has moved half of it.
        every: rebuild also every so many steps.
        capacity: neighbors of an atom to reserve room for on backends that list pairs from both ends
            (JAX), pairs in all on the others; found from the coordinates if left out. Needed only
            where a whole simulation is compiled (`jax.jit`) and the coordinates are unknown: what
            does not fit turns results into NaN there, and is enlarged everywhere else.
    """

    cutoff: float = static()
    every: int | None = static(default=None)
    capacity: int | None = static(default=None)

    def __post_init__(self) -> None:
        given = magnitude(self.cutoff, "length", name="cutoff")
        cutoff = concrete(given)
        if cutoff is None or isinstance(cutoff, list) or followed(given):
            raise TypeError(
                f"`cutoff` = {given!r} of a neighbor finder must be a plain number, nm: it decides which "
                "pairs are looked at, and has no derivative."
            )
        require_positive("cutoff", cutoff)
        object.__setattr__(self, "cutoff", cutoff)
        for name in ("every", "capacity"):
            value = getattr(self, name)
            if value is not None:
                require_whole(name, value, at_least=1)

    @property
    def reach(self) -> float:
        return self.cutoff


def lists_densely(n_atoms: int, backend: Backend) -> bool:
    """Return whether all distances between so many atoms are the best list, whatever the finder."""
    capabilities = backend.capabilities
    return capabilities.jit and capabilities.pair_layout == "full" and n_atoms <= MOST_DENSE


def dense_pairs(
    coords: Array,
    boundary: Boundary,
    cutoff: float,
    exclusions: Exclusions | None,
    *,
    backend: Backend,
    xp: Any,
) -> NeighborList:
    """List every pair, those beyond the cutoff and the excluded ones masked."""
    listed = all_pairs(coords, exclusions, backend=backend, xp=xp)
    columns = [coords[:, k] for k in range(boundary.dimensions)]
    squared = boundary.shortest_squared([c[:, None] - c[None, :] for c in columns], xp=xp)
    eps = float(xp.finfo(squared.dtype).eps)
    near = squared <= cutoff * cutoff * (1 + 4 * eps)  # r^2 is rounded, and so may the cutoff be
    return listed.with_fields(mask=listed.mask & near)


def require_mendable(neighbors: NeighborList, *, exact: bool = False) -> None:
    """Raise `NeighborOverflowError` if more room will not make the list fit for use.

    Args:
        exact: the list has no fixed size that could be too small.
    """
    backend = backend_of(neighbors.reference)
    if exact or (backend.to_numpy(neighbors.count) == PAST_MENDING).any():
        raise NeighborOverflowError(
            "The neighbor list cannot be used, whatever its size: the cutoff of an interaction has come "
            "to exceed that of the neighbor finder, or half the smallest width of the box"
            f"{_narrowest(neighbors, backend)}. Use a shorter cutoff or a larger box, and see to it that "
            "the box does not collapse."
        )


def _narrowest(neighbors: NeighborList, backend: Backend) -> str:
    """Return how wide the box is, in words; nothing if it is open or unknown."""
    widths = [] if neighbors.box is None else neighbors.box.array_widths()
    known = [backend.known(width) for width in widths if width is not None]
    if not known or any(width is None for width in known):
        return ""
    return f" (the box is {min(float(width) for width in known):.4g} nm wide)"


def all_pairs(
    coords: Array, exclusions: Exclusions | None, *, backend: Backend, xp: Any
) -> NeighborList:
    """List every pair but the excluded ones."""
    n_atoms = int(coords.shape[0])
    device, kind = backend.device_of(coords), backend.capabilities.index_dtype
    no = backend.asarray(False, dtype="bool", device=device)
    count = backend.asarray(0, dtype="int32", device=device)
    if backend.capabilities.pair_layout == "full":
        atoms = backend.asarray(range(n_atoms), dtype=kind, device=device)
        row, column = atoms[:, None], atoms[None, :]
        mask = row != column
        if exclusions is not None:
            mask = mask & ~exclusions.excludes(row, column, xp=xp)
        return NeighborList(atoms[:0], atoms[:0], mask, count, no, coords, layout="dense")
    # Atom i meets the atoms i + 1, i + 2, ... around a ring as far as its far side, where each pair is
    # seen from one of its ends: no n x n array, and neighboring entries read neighboring atoms.
    entry = backend.asarray(range(n_atoms * (n_atoms - 1) // 2), dtype=kind, device=device)
    ring = max(n_atoms, 1)
    first = entry % ring
    second = (first + entry // ring + 1) % ring
    valid = None if exclusions is None else ~exclusions.excludes(first, second, xp=xp)
    return NeighborList(first, second, valid, count, no, coords, layout="half")
