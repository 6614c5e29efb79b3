"""Pair forces and their derivatives for PyTorch's compiler: sums over rows that leave in one loop.

Entries are components apart, derivatives elementwise, and sums those of rows: the compiler then makes
one loop of all that happens between the gathers and the sums, and writes no array of pairs. Parameters
that all pairs share are followed forwards, one by one: going back to them would be a sum over all
entries, a second loop that computes everything again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch

from xpmd.closed_form import closed_factor_of
from xpmd.component_vectors import dot
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.neighbor_list import NeighborList
from xpmd.pair_derivatives import (
    PairForces,
    are_elementwise,
    elementwise_derivatives,
    forces_along,
    from_rows,
    pair_functions,
)
from xpmd.pairwise import PairGeometry, mixed_parameters, within_reach
from xpmd_torch import eager_kernels
from xpmd_torch.graph_passes import settled
from xpmd_torch.traces import is_traced

Array = Any
Arrays = tuple[Any, ...]


def pair_forces(system: Any, coords: Array, neighbors: NeighborList, *, xp: Any) -> Sequence[Array]:
    """Return the components of the summed forces."""
    if not is_traced(coords) or neighbors.layout == "half":
        return eager_kernels.pair_forces(system, coords, neighbors, xp=xp)
    backend = system.backend
    geometry = _geometry(coords, system.boundary, neighbors, xp)
    factor: Array = 0.0
    for interaction in system.pairwise:
        parameters = mixed_parameters(
            interaction, system.atoms, neighbors.of_first, neighbors.of_second, xp=xp
        )
        mask, _ = within_reach(interaction, geometry.squared, neighbors, backend=backend, xp=xp)
        f = closed_factor_of(interaction, parameters, geometry.squared, backend=backend)
        factor = factor + (f if mask is None else torch.where(mask, f, 0.0))
    return [
        neighbors.sum_on_atoms(factor * part, coords.shape[0], backend=backend, xp=xp)
        for part in geometry.parts
    ]


def pair_force_vjp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
    *,
    forces: bool = True,
) -> PairForces:
    """Return forces, if wanted, and J^T w; add parameter cotangents to `found`."""
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    terms = pair_functions(system, neighbors, leaves, factor=closed_factor_of)
    if not is_traced(coords) or box.values or not are_elementwise(terms):
        return eager_kernels.pair_force_vjp(
            system, coords, neighbors, w, leaves, found, forces=forces
        )
    backend = system.backend
    xp = backend.xp(coords, w)
    on_atoms = functools.partial(
        neighbors.sum_on_atoms, n_atoms=coords.shape[0], backend=backend, xp=xp
    )
    geometry = _geometry(coords, system.boundary, neighbors, xp)
    difference = _differences(w, neighbors)
    along = dot(geometry.parts, difference)
    factor: Array = 0.0
    slope: Array = 0.0
    for term in terms:
        mask, squared = term.masked(geometry.squared, xp)
        entries = elementwise_derivatives(term, squared, backend)
        if mask is not None:
            entries = [torch.where(mask, each, 0.0) for each in entries]
        f, df, *others = entries
        factor, slope = factor + f, slope + df * along
        rows = [settled((along * each).sum(1)) for each in others]
        term.collect(
            [from_rows(each, value, xp) for each, value in zip(rows, term.inputs, strict=True)],
            found,
        )
    h = [factor * c + 2.0 * slope * p for c, p in zip(difference, geometry.parts, strict=True)]
    own = [on_atoms(factor * part) for part in geometry.parts] if forces else None
    return PairForces(own, [on_atoms(each) for each in h])


def pair_force_jvp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> PairForces:
    """Return forces and their change along a direction of coordinates and leaves."""
    if not is_traced(coords) or neighbors.layout == "half":
        return eager_kernels.pair_force_jvp(system, coords, neighbors, direction, leaves, tangents)
    return forces_along(
        system,
        coords,
        neighbors,
        direction,
        leaves,
        tangents,
        factor=closed_factor_of,
        between=_differences,
    )


def _geometry(coords: Array, boundary: Any, neighbors: NeighborList, xp: Any) -> PairGeometry:
    parts = boundary.nearest(_differences(coords, neighbors), xp=xp)
    return PairGeometry(parts, dot(parts, parts))


def _differences(vectors: Array, neighbors: NeighborList) -> list[Array]:
    """Return first - second for each component of vectors `(n, d)`.

    Components are arrays of their own: what is read at a stride keeps a loop from being vectorised.
    """
    columns = [settled(vectors[:, k].contiguous()) for k in range(vectors.shape[1])]
    return [neighbors.of_first(c) - neighbors.of_second(c) for c in columns]
