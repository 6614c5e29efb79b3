"""Hydrodynamic radius."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import inverse
from xpmd.observables.positions import positions
from xpmd_observables.all_distances import distance_matrix

Array = Any


def hydrodynamic_radius(
    where: Any, *, atoms: Any = None, boundary: Boundary | None = None
) -> Array:
    """Return R of 1/R = 1/n^2 sum_{i != j} 1/|x_i - x_j|, a scalar, nm.

    Kirkwood's estimate for a polymer. Some programs halve the sum and so find twice this radius. Atoms
    in the same place, whose term is infinite, are left out of the sum; all in one place have 0.

    Args:
        where: a System, or positions `(n, d)`, nm.
        atoms: numbers of the atoms to look at; all if left out.
        boundary: the box of an array of positions; open space if left out. With a box, distances are
            those of nearest images: make a molecule that extends over half of it whole, and give its
            positions without one.

    Raises:
        ValueError: there are fewer than two atoms.

    Reference: Kirkwood, J. Polym. Sci. 12, 1 (1954).
    """
    distances = distance_matrix(where, boundary=boundary, first=atoms)
    count = int(distances.shape[0])
    if count < 2:
        raise ValueError(f"{count} atom(s) have no distance; two or more are needed.")
    xp = positions(where).backend.xp(distances)
    return float(count * count) * inverse(xp.sum(inverse(distances, xp=xp)), xp=xp)
