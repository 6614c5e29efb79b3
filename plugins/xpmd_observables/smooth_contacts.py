"""Smooth contacts between atoms."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend_of

Array = Any


def contacts(distances: Array, *, distance: float = 0.8, width: float = 0.05) -> Array:
    """Return 1/(1 + exp((d - d0)/w)) of each distance: 1 in contact, 0 far away, 1/2 at d0.

    Args:
        distances: of any shape, nm, such as from `distance_matrix` or `pair_distances`.
        distance: d0, nm.
        width: w, nm.
    """
    if not width > 0:
        raise ValueError(f"`width` = {width} must be positive.")
    xp = backend_of(distances).xp(distances)
    # The same function, which does not overflow.
    return 0.5 - 0.5 * xp.tanh((distances - distance) / (2.0 * width))
