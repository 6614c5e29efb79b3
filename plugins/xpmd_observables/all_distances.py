"""All distances between two groups of atoms."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import root, squared_length
from xpmd.observables.positions import positions

Array = Any


def distance_matrix(
    where: Any, *, boundary: Boundary | None = None, first: Any = None, second: Any = None
) -> Array:
    """Return d_ij = |x_j - x_i| under the minimum image, `(n_first, n_second)`, nm.

    The distance of an atom to itself is 0 and has slope 0.

    Args:
        where: a System, or positions `(n, d)`, nm.
        boundary: the box of an array of positions; open space if left out.
        first, second: numbers of the atoms of the rows and columns; all, and those of the rows, if
            left out.
    """
    place = positions(where, boundary)
    xp = place.xp
    rows = None if first is None else place.index("first", first)
    columns = rows if second is None else place.index("second", second)
    starts, ends = place.components(rows), place.components(columns)
    parts = place.nearest(
        [
            xp.expand_dims(b, axis=0) - xp.expand_dims(a, axis=1)
            for a, b in zip(starts, ends, strict=True)
        ]
    )
    return root(squared_length(parts), xp=xp)
