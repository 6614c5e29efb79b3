"""Center of mass."""

from __future__ import annotations

from typing import Any

from xpmd.observables.positions import positions
from xpmd.observables.weights import weights

Array = Any


def center_of_mass(where: Any, *, mass: Any = None, atoms: Any = None) -> Array:
    """Return sum m x / sum m, `(..., d)`, nm.

    Coordinates are taken as they are: make a molecule whole first if the boundary may split it.

    Args:
        where: a System, or positions `(..., n, d)`, nm.
        mass: u, a scalar or `(n,)`; that of the System, equal ones for an array of positions.
        atoms: numbers of the atoms to look at; all if left out.
    """
    place = positions(where, None, mass)
    index = None if atoms is None else place.index("atoms", atoms)
    share = weights(where, place, mass, index)
    parts = [place.xp.sum(share * part, axis=-1) for part in place.components(index)]
    return place.xp.stack(parts, axis=-1)
