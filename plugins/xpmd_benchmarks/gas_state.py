"""A few atoms of a Lennard-Jones gas at temperature 1, in reduced units."""

from __future__ import annotations

from pathlib import Path

from xpmd_benchmarks.fluid_states import thermal_velocities

DENSITY = 0.16
#: Closest that two atoms start.
APART = 1.2


def gas_file(folder: Path, n_atoms: int) -> Path:
    """Return a file with `coords`, `velocities` `(n, 3)` and `side`."""
    import numpy as np

    from xpmd.orthorhombic_boundary import CubicBoundary
    from xpmd.placement import place_atoms
    from xpmd.units import reduced
    from xpmd_benchmarks.fluid_states import CUTOFF

    path = folder / f"gas_{n_atoms}.npz"
    if not path.exists():
        # Of the fewest atoms, the box must still hold the cutoff.
        side = max((n_atoms / DENSITY) ** (1 / 3), 2.02 * CUTOFF)
        coords = place_atoms(
            n_atoms, CubicBoundary(side), APART, seed=1, max_attempts=10_000, units=reduced
        )
        np.savez(path, coords=coords, velocities=thermal_velocities(n_atoms), side=side)
    return path
