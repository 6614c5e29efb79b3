"""The distance between two groups of atoms."""

from __future__ import annotations

from typing import Any, Literal

from xpmd.boundary import Boundary
from xpmd.observables.length import root, squared_length
from xpmd.observables.positions import Positions, positions
from xpmd.observables.weights import weights
from xpmd_observables.all_distances import distance_matrix

Array = Any


def group_distance(
    where: Any,
    first: Any,
    second: Any,
    *,
    measure: Literal["center", "nearest", "farthest"] = "center",
    mass: Any = None,
    boundary: Boundary | None = None,
) -> Array:
    """Return the distance between two groups under the minimum image, a scalar, nm.

    Args:
        where: a System, or positions `(n, d)`, nm.
        first, second: numbers of the atoms of each group. A group is put together around its first
            atom, so it must extend less than half the box from there.
        measure: between the centers of mass ("center"), or the nearest or farthest pair of atoms.
        mass: u, a scalar or `(n,)`; that of the System, equal ones for an array of positions.
        boundary: the box of an array of positions; open space if left out.
    """
    if measure in ("nearest", "farthest"):
        found = distance_matrix(where, boundary=boundary, first=first, second=second)
        xp = positions(where, boundary).backend.xp(found)
        return xp.min(found) if measure == "nearest" else xp.max(found)
    if measure != "center":
        raise ValueError(f"`measure` = {measure!r} must be 'center', 'nearest' or 'farthest'.")
    place = positions(where, boundary, mass)
    ends = [
        _center(where, place, mass, place.index(name, atoms))
        for name, atoms in (("first", first), ("second", second))
    ]
    parts = place.nearest([b - a for a, b in zip(*ends, strict=True)])
    return root(squared_length(parts), xp=place.xp)


def _center(where: Any, place: Positions, mass: Any, index: Array) -> list[Array]:
    """Return the components of the center of mass of a group put together around its first atom."""
    share = weights(where, place, mass, index)
    parts = place.components(index)
    around = place.nearest([part - part[:1] for part in parts])
    return [part[0] + place.xp.sum(share * away) for part, away in zip(parts, around, strict=True)]
