"""Angles and dihedral angles of listed atoms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.bonded_geometry import angle, dihedral
from xpmd.boundary import Boundary
from xpmd.observables.positions import Positions, positions

Array = Any


def bond_angles(where: Any, triples: Any, *, boundary: Boundary | None = None) -> Array:
    """Return the angle at the middle atom of each triple, `(m,)`, radian, 0 to pi.

    The slope is 0 for atoms on a line.

    Args:
        where: a System, or positions `(n, d)`, nm.
        triples: numbers of atoms `(m, 3)`.
        boundary: the box of an array of positions; open space if left out.
    """
    return _measured(angle, positions(where, boundary), "triples", triples, 3)


def dihedral_angles(where: Any, quadruples: Any, *, boundary: Boundary | None = None) -> Array:
    """Return the dihedral angle of each quadruple, `(m,)`, radian in (-pi, pi], IUPAC sign.

    Cis is 0. The slope is 0 where three of the atoms lie on a line.

    Args:
        where: a System, or positions `(n, 3)`, nm.
        quadruples: numbers of atoms `(m, 4)`.
        boundary: the box of an array of positions; open space if left out.
    """
    return _measured(dihedral, positions(where, boundary), "quadruples", quadruples, 4)


def _measured(
    measure: Callable[..., Any], place: Positions, name: str, atoms: Any, size: int
) -> Array:
    rows = place.index(name, atoms, axes=2)
    if rows.ndim != 2 or rows.shape[1] != size:
        raise ValueError(f"`{name}` has shape {tuple(rows.shape)}; it must be (m, {size}).")
    points = [place.components(rows[:, k]) for k in range(size)]
    # The positions answer for open space where there is no boundary.
    value, _ = measure(points, _Nearest(place), xp=place.xp)
    return value


class _Nearest:
    """What the geometry of bonded atoms asks of a boundary, also where there is none."""

    def __init__(self, place: Positions) -> None:
        self._place = place

    def nearest(self, displacement: Any, *, xp: Any) -> Any:
        return self._place.nearest(displacement)
