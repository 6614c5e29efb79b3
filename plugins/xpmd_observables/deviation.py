"""Root-mean-square deviation from a reference structure."""

from __future__ import annotations

from typing import Any

from xpmd.observables.length import root
from xpmd.observables.positions import Positions, positions
from xpmd.observables.weights import weights
from xpmd_observables.superposition import superposed

Array = Any


def rmsd(
    where: Any,
    reference: Any,
    *,
    atoms: Any = None,
    mass: Any = 1.0,
    superpose: bool = True,
) -> Array:
    """Return min_R sqrt(sum_i m_i |R (x_i - c) - (y_i - d)|^2 / sum m), nm, over rotations R.

    The first derivative needs none of the rotation, which is at a minimum: it is taken at fixed
    rotation and exact, also where eigenvalues are equal. Second derivatives follow the rotation and
    are exact where the best one is unique; third ones are not. Where structures agree, the slope of
    the root is taken as 0. Coordinates are taken as they are: make a molecule whole first if the
    boundary may split it.

    Args:
        where: a System, or positions `(..., n, d)`, nm, which give `(...)` values.
        reference: positions of all atoms or of those chosen, nm; differentiable.
        atoms: numbers of the atoms to look at; all if left out.
        mass: weight of each atom, a scalar or `(n,)`; `None` takes the masses of a System.
        superpose: whether to turn and move the structure onto the reference first.

    Raises:
        ValueError: the reference has another number of atoms.

    Reference: Kabsch, Acta Cryst. A 32, 922 (1976); Coutsias, Seok and Dill, J. Comput. Chem. 25,
    1849 (2004).
    """
    place = positions(where, None, reference, mass)
    index = None if atoms is None else place.index("atoms", atoms)
    share, xp = weights(where, place, mass, index), place.xp
    coords = place.coords if index is None else xp.take(place.coords, index, axis=-2)
    target = matching(place, reference, coords, index)
    if superpose:
        coords, target = superposed(coords, target, share, backend=place.backend, xp=xp)
    squared = xp.sum((coords - target) ** 2, axis=-1)
    return root(xp.sum(share * squared, axis=-1), xp=xp)


def matching(place: Positions, reference: Any, coords: Array, index: Array | None) -> Array:
    """Return the reference as an array with a row for each chosen atom.

    Raises:
        ValueError: it has neither as many atoms as were chosen nor as many as there are.
    """
    target = place.floats(reference)
    shape, wanted = tuple(target.shape), int(coords.shape[-2])
    if len(shape) >= 2 and shape[-1] == coords.shape[-1]:
        if shape[-2] == wanted:
            return target
        if index is not None and shape[-2] == place.n_atoms:
            return place.xp.take(target, index, axis=-2)
    raise ValueError(
        f"`reference` has shape {shape}; {wanted} atoms in {coords.shape[-1]} dimensions are "
        "compared with it."
    )
