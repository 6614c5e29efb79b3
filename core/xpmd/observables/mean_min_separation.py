"""Mean distance from each atom to its nearest neighbor."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend_of
from xpmd.boundary import Boundary

Array = Any


def mean_min_separation(coords: Array, boundary: Boundary) -> Array:
    """Return mean_i min_j |x_i - x_j| under the minimum image, nm; differentiable.

    Args:
        coords: positions `(n, d)`, nm, at least two.
    """
    xp = backend_of(coords).xp(coords)
    n_atoms = coords.shape[0]
    if n_atoms < 2:
        raise ValueError(f"`coords` holds {n_atoms} atom(s); a separation needs two.")
    parts = [coords[:, k] for k in range(boundary.dimensions)]
    nearest = boundary.nearest([p[:, None] - p[None, :] for p in parts], xp=xp)
    squared = sum(part * part for part in nearest)
    # The distance of an atom to itself is masked before the root, whose slope at 0 is infinite.
    itself = xp.eye(n_atoms, dtype=coords.dtype, device=coords.device) > 0
    far = xp.max(squared) + 1.0 + xp.zeros_like(squared)
    return xp.mean(xp.sqrt(xp.min(xp.where(itself, far, squared), axis=1)))
