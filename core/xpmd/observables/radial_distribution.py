"""Radial distribution function with smooth bins."""

from __future__ import annotations

import math
from typing import Any

from xpmd.backend import backend_of
from xpmd.boundary import Boundary

Array = Any


def radial_distribution(
    coords: Array,
    boundary: Boundary,
    *,
    r_max: float,
    n_bins: int = 200,
    width: float | None = None,
) -> tuple[Array, Array]:
    """Return distances and g(r); differentiable with respect to coordinates and box.

    g(r) = V/(N (N-1)) sum_{i != j} K(r - r_ij) / S(r), with a Gaussian K of standard deviation
    `width` and S the surface of a sphere (3D) or circle (2D) of radius r.

    Args:
        coords: positions `(n, d)`, nm.
        r_max: largest distance, nm; at most half the box.
        n_bins: number of distances.
        width: standard deviation of the kernel, nm; two bins if left out.
    """
    xp = backend_of(coords).xp(coords)
    n_atoms, dimensions = coords.shape[0], boundary.dimensions
    step = r_max / n_bins
    spread = 2.0 * step if width is None else width
    parts = [coords[:, k] for k in range(dimensions)]
    nearest = boundary.nearest([p[:, None] - p[None, :] for p in parts], xp=xp)
    squared = sum(part * part for part in nearest)
    itself = xp.eye(n_atoms, dtype=coords.dtype, device=coords.device) > 0
    far = (2.0 * r_max + 10.0 * spread) ** 2 + xp.zeros_like(squared)
    separation = xp.reshape(xp.sqrt(xp.where(itself, far, squared)), (-1,))
    centers = [(k + 0.5) * step for k in range(n_bins)]
    scale = 1.0 / (spread * math.sqrt(2.0 * math.pi))
    # One bin after the other keeps memory at one value a pair.
    counts = [
        scale * xp.sum(xp.exp(-0.5 * ((separation - center) / spread) ** 2)) for center in centers
    ]
    r = xp.asarray(centers, dtype=coords.dtype, device=coords.device)
    surface = 4.0 * math.pi * r**2 if dimensions == 3 else 2.0 * math.pi * r
    return r, xp.stack(counts) * boundary.volume() / (n_atoms * (n_atoms - 1)) / surface
