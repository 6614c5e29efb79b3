"""Mean distance from each atom to its nearest neighbor."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import root, squared_length
from xpmd.observables.positions import positions

Array = Any


def mean_min_separation(coords: Any, boundary: Boundary | None = None) -> Array:
    """Return mean_i min_j |x_i - x_j| under the minimum image, nm; differentiable.

    Neighbors equally near share the derivative; it is 0 for atoms in the same place.

    Args:
        coords: positions `(n, d)`, nm, at least two; or a System.
        boundary: the box of an array of positions; open space if left out.

    Raises:
        ValueError: there are fewer than two atoms.
    """
    where = positions(coords, boundary)
    xp, n_atoms = where.xp, where.n_atoms
    if n_atoms < 2:
        raise ValueError(f"`coords` holds {n_atoms} atom(s); a separation needs two.")
    parts = where.components()
    squared = squared_length(
        where.nearest([xp.expand_dims(p, axis=1) - xp.expand_dims(p, axis=0) for p in parts])
    )
    index = where.everyone()
    itself = xp.expand_dims(index, axis=1) == xp.expand_dims(index, axis=0)
    far = where.backend.stop_gradient(xp.max(squared)) + 1.0 + xp.zeros_like(squared)
    return xp.mean(root(xp.min(xp.where(itself, far, squared), axis=1), xp=xp))
