"""The share of each atom in a mean over atoms."""

from __future__ import annotations

from typing import Any

from xpmd.observables.positions import Positions
from xpmd.system import System

Array = Any


def weights(where: Any, place: Positions, mass: Any, index: Array | None) -> Array:
    """Return m / sum m of the chosen atoms, `(n,)`.

    Args:
        where: the System, if it was one: its masses count where none are given.
        place: the positions.
        mass: u, a scalar or `(n,)`, `None` for those of the System, or equal ones.
        index: numbers of the chosen atoms, `None` for all.

    Raises:
        ValueError: the masses are neither one nor as many as the atoms.
    """
    if mass is None:
        mass = where.atoms.mass if isinstance(where, System) else 1.0
    mass, xp = place.floats(mass), place.xp
    if tuple(mass.shape) not in ((), (place.n_atoms,)):
        raise ValueError(
            f"`mass` has shape {tuple(mass.shape)}; give a scalar or one value for each of the "
            f"{place.n_atoms} atoms."
        )
    count = place.n_atoms if index is None else int(index.shape[0])
    if mass.ndim == 0:
        mass = xp.broadcast_to(mass, (count,))
    elif index is not None:
        mass = xp.take(mass, index, axis=0)
    return mass / xp.sum(mass)
