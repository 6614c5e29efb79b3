"""Root-mean-square fluctuation of each atom along a run."""

from __future__ import annotations

from typing import Any

from xpmd.observables.length import root
from xpmd.observables.positions import positions
from xpmd.observables.weights import weights
from xpmd_observables.deviation import matching
from xpmd_observables.superposition import superposed

Array = Any


def fluctuation(
    trajectory: Array,
    *,
    reference: Any = None,
    atoms: Any = None,
    mass: Any = 1.0,
    superpose: bool = True,
) -> Array:
    """Return sqrt(mean_t |x_i(t) - mean_t x_i|^2) of each atom, `(n,)`, nm.

    Args:
        trajectory: positions along the run, `(n_records, n, d)`, nm, molecules whole; the records of
            `md.Observe(lambda system: system.coords)`.
        reference: structure that each record is turned and moved onto; the first record if left out.
        atoms: numbers of the atoms to look at; all if left out.
        mass: weight of each atom in the superposition, a scalar or `(n,)`.
        superpose: whether to take out the motion of the molecule as a whole.
    """
    if len(getattr(trajectory, "shape", ())) != 3:
        raise ValueError("`trajectory` must have the shape (n_records, n_atoms, d).")
    place = positions(trajectory, None, reference, mass)
    index = None if atoms is None else place.index("atoms", atoms)
    xp = place.xp
    coords = place.coords if index is None else xp.take(place.coords, index, axis=-2)
    if superpose:
        share = weights(trajectory, place, mass, index)
        target = coords[0, ...]
        if reference is not None:
            target = matching(place, reference, coords, index)
        coords, _ = superposed(coords, target, share, backend=place.backend, xp=xp)
    away = coords - xp.mean(coords, axis=0, keepdims=True)
    return root(xp.mean(xp.sum(away * away, axis=-1), axis=0), xp=xp)
