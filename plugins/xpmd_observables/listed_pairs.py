"""Distances between listed atoms."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import root, squared_length
from xpmd.observables.positions import positions

Array = Any


def pair_distances(where: Any, pairs: Any, *, boundary: Boundary | None = None) -> Array:
    """Return |x_j - x_i| of listed pairs (i, j) under the minimum image, `(m,)`, nm.

    The slope is 0 for atoms in the same place.

    Args:
        where: a System, or positions `(n, d)`, nm.
        pairs: numbers of atoms `(m, 2)`.
        boundary: the box of an array of positions; open space if left out.

    Raises:
        ValueError: a row is no pair or names an atom that does not exist.
    """
    place = positions(where, boundary)
    rows = place.index("pairs", pairs, axes=2)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise ValueError(f"`pairs` has shape {tuple(rows.shape)}; it must be (m, 2).")
    starts, ends = place.components(rows[:, 0]), place.components(rows[:, 1])
    parts = place.nearest([b - a for a, b in zip(starts, ends, strict=True)])
    return root(squared_length(parts), xp=place.xp)
