"""Bond-orientational order in space."""

from __future__ import annotations

import math
from typing import Any, Literal

from xpmd.boundary import Boundary
from xpmd.observables.close_pairs import ClosePairs, close_pairs
from xpmd.observables.length import inverse, root
from xpmd.observables.positions import positions
from xpmd_observables.smooth_step import require_smooth_range, smooth_step
from xpmd_observables.spherical_harmonics import spherical_harmonics

Array = Any


def steinhardt(
    where: Any,
    *,
    degree: int = 6,
    cutoff: float,
    start: float | None = None,
    average: Literal["none", "neighbors", "all"] = "none",
    boundary: Boundary | None = None,
) -> Array:
    """Return the bond-orientational order parameter q_l of each atom, `(n,)`.

    q_l(i)^2 = 4 pi/(2 l + 1) sum_m q_lm(i)^2, q_lm(i) = sum_j w(r_ij) Y_lm(x_j - x_i) / sum_j w(r_ij)

    w falls smoothly from 1 to 0 between `start` and `cutoff`, so that a neighbor does not come or go
    in a step. An atom without neighbors has 0. Perfect lattices (first shell; bcc: first two): fcc q4
    0.1909, q6 0.5745; hcp 0.0972, 0.4848; bcc 0.0364, 0.5107; simple cubic 0.7638, 0.3536.

    Args:
        where: a System, or positions `(n, 3)`, nm.
        degree: l of the harmonics; 4 and 6 tell crystals apart.
        cutoff: distance at which an atom is no neighbor any more, nm.
        start: distance up to which it counts in full, nm; 0.9 of the cutoff if left out.
        average: "none"; "neighbors", q_lm averaged over the atom and its neighbors, which tells
            crystals from liquid better; "all", one number, the sum over all bonds, 0 in a liquid.
        boundary: the box of an array of positions; open space if left out.

    Raises:
        ValueError: positions are not three-dimensional, or a setting cannot be right.

    Reference: Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983); Lechner and Dellago,
    J. Chem. Phys. 129, 114707 (2008).
    """
    place = positions(where, boundary)
    if place.dimensions != 3:
        raise ValueError(
            "Steinhardt's parameters need three dimensions; `hexatic` is for the plane."
        )
    if int(degree) != degree or degree < 0:
        raise ValueError(f"`degree` = {degree} must be a whole number, zero or positive.")
    begin = require_smooth_range(place, cutoff, start)
    pairs = close_pairs(place, cutoff)
    xp = place.xp
    # Weight and direction are 0 for atoms in the same place.
    r = root(pairs.squared, xp=xp)
    weight = pairs.masked(smooth_step(r, begin, cutoff, xp=xp))
    per_length = inverse(r, xp=xp)
    x, y, z = (part * per_length for part in pairs.parts)
    bonds = [weight * each for each in spherical_harmonics(int(degree), x, y, z)]
    squared = bond_order(pairs, weight, bonds, average)
    return math.sqrt(4.0 * math.pi / (2 * degree + 1)) * root(squared, xp=xp)


def bond_order(pairs: ClosePairs, weight: Array, bonds: list[Array], average: str) -> Array:
    """Return the summed squares of the mean of each kind of bond, of each atom or of all.

    Args:
        pairs: neighbors.
        weight: that of each pair.
        bonds: weighted values of each pair, one array a component.
        average: "none", "neighbors" or "all".
    """
    xp = pairs.where.xp
    if average == "all":
        total = inverse(xp.sum(weight), xp=xp)
        return sum((xp.sum(each) * total) ** 2 for each in bonds)
    if average not in ("none", "neighbors"):
        raise ValueError(f"`average` = {average!r} must be 'none', 'neighbors' or 'all'.")
    neighbors = pairs.sum_over_second(weight)
    per_neighbor = inverse(neighbors, xp=xp)
    means = [pairs.sum_over_second(each) * per_neighbor for each in bonds]
    if average == "neighbors":
        means = [
            (mean + pairs.sum_over_second(weight * pairs.of_second(mean))) / (1.0 + neighbors)
            for mean in means
        ]
    return sum(mean * mean for mean in means)
