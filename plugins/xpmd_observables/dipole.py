"""Electric dipole moment."""

from __future__ import annotations

from typing import Any, Literal

from xpmd.observables.positions import positions
from xpmd.observables.weights import weights
from xpmd.system import System

Array = Any


def dipole_moment(
    where: Any,
    *,
    charge: Any = None,
    atoms: Any = None,
    about: Literal["origin", "center_of_mass"] = "origin",
    mass: Any = None,
) -> Array:
    """Return sum q (x - o), `(..., d)`, e nm; 1 e nm = 48.0320 debye.

    The origin o matters only if the charges do not add up to zero. Coordinates are taken as they are:
    make molecules whole first if the boundary may split them.

    Args:
        where: a System, or positions `(..., n, d)`, nm.
        charge: e, a scalar or `(n,)`; that of the System if left out.
        atoms: numbers of the atoms to look at; all if left out.
        about: o, the zero of the coordinates or the center of mass of those atoms.
        mass: u, for the center; as for `charge`.

    Raises:
        ValueError: no charges are given, or not as many as atoms.
    """
    if charge is None and isinstance(where, System):
        charge = where.atoms.charge
    if charge is None:
        raise ValueError("A dipole moment needs `charge`, e: one value for each of the positions.")
    if about not in ("origin", "center_of_mass"):
        raise ValueError(f"`about` = {about!r} must be 'origin' or 'center_of_mass'.")
    place = positions(where, None, charge, mass)
    xp, charge = place.xp, place.floats(charge)
    if tuple(charge.shape) not in ((), (place.n_atoms,)):
        raise ValueError(
            f"`charge` has shape {tuple(charge.shape)}; give one value for each of the "
            f"{place.n_atoms} atoms."
        )
    index = None if atoms is None else place.index("atoms", atoms)
    parts = place.components(index)
    if charge.ndim and index is not None:
        charge = xp.take(charge, index, axis=0)
    if about == "center_of_mass":
        share = weights(where, place, mass, index)
        parts = [part - xp.sum(share * part, axis=-1, keepdims=True) for part in parts]
    return xp.stack([xp.sum(charge * part, axis=-1) for part in parts], axis=-1)
