"""Velocity autocorrelation function."""

from __future__ import annotations

from typing import Any

from xpmd.observables.positions import positions
from xpmd_observables.correlation import time_correlation
from xpmd_observables.unwrapping import require_records

Array = Any


def velocity_autocorrelation(
    velocities: Array, *, max_lag: int | None = None, atoms: Any = None, normalize: bool = False
) -> Array:
    """Return C(k) = mean over times t and atoms i of v_i(t) . v_i(t + k), `(max_lag + 1,)`, nm^2/ps^2.

    C(0) = d k_B T / m for equal masses. Its running integral over time, over d, is the diffusion
    coefficient (`diffusion_from_velocities`).

    Args:
        velocities: `(n_records, n, d)`, nm/ps, records of
            `md.Observe(lambda system: system.velocities)`.
        max_lag: largest lag, in records; all if left out.
        atoms: numbers of the atoms to look at; all if left out.
        normalize: whether to divide by C(0).

    Reference: Allen and Tildesley, Computer Simulation of Liquids (2017), 2.7 and 8.3.
    """
    require_records(velocities)
    place = positions(velocities)
    moving = velocities
    if atoms is not None:
        moving = place.xp.take(velocities, place.index("atoms", atoms), axis=1)
    found = time_correlation(moving, max_lag=max_lag) / int(moving.shape[1])
    return found / found[0] if normalize else found
