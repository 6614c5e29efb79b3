"""Bond-orientational order in the plane."""

from __future__ import annotations

from typing import Any, Literal

from xpmd.boundary import Boundary
from xpmd.observables.close_pairs import close_pairs
from xpmd.observables.length import inverse, root
from xpmd.observables.positions import positions
from xpmd_observables.smooth_step import require_smooth_range, smooth_step
from xpmd_observables.steinhardt_order import bond_order

Array = Any


def hexatic(
    where: Any,
    *,
    k: int = 6,
    cutoff: float,
    start: float | None = None,
    average: Literal["none", "neighbors", "all"] = "none",
    boundary: Boundary | None = None,
) -> Array:
    """Return |psi_k| of each atom, `(n,)`; 1 in a perfect lattice of k-fold neighbors.

    psi_k(i) = sum_j w(r_ij) exp(i k theta_ij) / sum_j w(r_ij), theta the direction of the bond

    w falls smoothly from 1 to 0 between `start` and `cutoff`. An atom without neighbors has 0.

    Args:
        where: a System, or positions `(n, 2)`, nm.
        k: 6 for the triangular lattice, 4 for the square one.
        cutoff, start, average, boundary: as for `steinhardt`; "all" gives the modulus of the mean.

    Raises:
        ValueError: positions are not two-dimensional, or a setting cannot be right.

    Reference: Nelson and Halperin, Phys. Rev. B 19, 2457 (1979).
    """
    place = positions(where, boundary)
    if place.dimensions != 2:
        raise ValueError("The hexatic order needs two dimensions; `steinhardt` is for space.")
    if int(k) != k or k < 1:
        raise ValueError(f"`k` = {k} must be a whole number of at least 1.")
    begin = require_smooth_range(place, cutoff, start)
    pairs = close_pairs(place, cutoff)
    xp = place.xp
    r = root(pairs.squared, xp=xp)
    weight = pairs.masked(smooth_step(r, begin, cutoff, xp=xp))
    per_length = inverse(r, xp=xp)
    x, y = (part * per_length for part in pairs.parts)
    real, imaginary = x, y
    for _ in range(int(k) - 1):
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    return root(bond_order(pairs, weight, [weight * real, weight * imaginary], average), xp=xp)
