"""64 atoms on a shaken cubic lattice, moving: a start for gradients of short runs."""

from __future__ import annotations

import functools

import numpy as np

SIDE = 1.72  # nm; 4 x 4 x 4 atoms of 0.34 nm, a reduced density of about 0.5
N_ATOMS = 64


@functools.cache
def start() -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates (nm) and velocities at 120 K (nm/ps, for a mass of 40 u)."""
    rng = np.random.default_rng(2)
    axis = (np.arange(4) + 0.5) * SIDE / 4
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    velocities = rng.standard_normal((N_ATOMS, 3)) * np.sqrt(0.0083145 * 120 / 40)
    return grid + rng.uniform(-0.02, 0.02, grid.shape), velocities
