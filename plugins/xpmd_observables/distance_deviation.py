"""Root-mean-square deviation of distances from those of a reference structure."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import root
from xpmd.observables.positions import positions
from xpmd_observables.all_distances import distance_matrix

Array = Any


def distance_rmsd(
    where: Any, reference: Any, *, atoms: Any = None, boundary: Boundary | None = None
) -> Array:
    """Return sqrt(mean over pairs of (d_ij - d_ij*)^2), a scalar, nm: no superposition is needed.

    A mirror image has the same distances, so it counts as equal.

    Args:
        where: a System, or positions `(n, d)`, nm.
        reference: distances `(m, m)`, nm, of the atoms looked at; those of a structure are
            `distance_matrix(structure)`.
        atoms: numbers of the m atoms to look at; all if left out.
        boundary: the box of an array of positions; open space if left out.

    Raises:
        ValueError: the reference has another shape, or there are fewer than two atoms.
    """
    found = distance_matrix(where, boundary=boundary, first=atoms)
    place = positions(where, boundary, reference, found)
    target = place.floats(reference)
    count = int(found.shape[0])
    if count < 2:
        raise ValueError(f"{count} atom(s) have no distance; `atoms` must name two or more.")
    if tuple(target.shape) != (count, count):
        raise ValueError(
            f"`reference` has shape {tuple(target.shape)}; it must be the distances of the {count} "
            f"atoms, ({count}, {count}), as `distance_matrix` returns them."
        )
    xp = place.backend.xp(found, target)
    return root(xp.sum((found - target) ** 2) / (count * (count - 1)), xp=xp)
