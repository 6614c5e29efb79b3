"""Radius of gyration."""

from __future__ import annotations

from typing import Any

from xpmd.observables.length import root
from xpmd.observables.positions import positions
from xpmd.observables.weights import weights

Array = Any


def radius_of_gyration(where: Any, *, mass: Any = None, atoms: Any = None) -> Array:
    """Return sqrt(sum m |x - c|^2 / sum m) about the center of mass c, nm; differentiable.

    Coordinates are taken as they are: make a molecule whole first if the boundary may split it.

    Args:
        where: a System, or positions `(..., n, d)`, nm, which give `(...)` radii.
        mass: u, a scalar or `(n,)`; that of the System, equal ones for an array of positions.
        atoms: numbers of the atoms to look at; all if left out.
    """
    place = positions(where, None, mass)
    index = None if atoms is None else place.index("atoms", atoms)
    share, xp = weights(where, place, mass, index), place.xp
    parts = place.components(index)
    centers = [xp.sum(share * part, axis=-1, keepdims=True) for part in parts]
    squared = sum(
        xp.sum(share * (part - center) ** 2, axis=-1)
        for part, center in zip(parts, centers, strict=True)
    )
    return root(squared, xp=xp)
