"""Pair forces and their derivatives for PyTorch's compiler: sums over rows that leave in one loop.

Entries are components apart, derivatives elementwise, and sums those of rows: the compiler then makes
one loop of all that happens between the gathers and the sums, and writes no array of pairs. Parameters
that all pairs share are followed forwards, one by one: going back to them would be a sum over all
entries, a second loop that computes everything again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from xpmd.closed_form import closed_factor_of
from xpmd.component_vectors import dot
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.neighbor_list import NeighborList
from xpmd.pair_derivatives import PairForces, PairFunction, moving_displacements
from xpmd.pairwise import PairGeometry, mixed_parameters, within_reach
from xpmd_torch.graph_passes import settled
from xpmd_torch.traces import is_traced

Array = Any
Arrays = tuple[Any, ...]


def pair_forces(
    system: Any, coords: Array, neighbors: NeighborList, *, xp: Any
) -> Sequence[Array] | None:
    """Return the components of the summed forces."""
    if not is_traced(coords) or neighbors.layout in ("half", "sorted"):
        return None
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
    return [(factor * part).sum(1) for part in geometry.parts]


def pair_force_vjp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
    *,
    forces: bool = True,
) -> PairForces | None:
    """Return forces, if wanted, and J^T w; add parameter cotangents to `found`."""
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    if not is_traced(coords) or neighbors.layout in ("half", "sorted") or box.values:
        return None
    backend = system.backend
    xp = backend.xp(coords, w)
    geometry = _geometry(coords, system.boundary, neighbors, xp)
    difference = _differences(w, neighbors)
    along = dot(geometry.parts, difference)
    factor: Array = 0.0
    slope: Array = 0.0
    for interaction, numbers in zip(system.pairwise, leaves.numbers.pairwise, strict=True):
        term = PairFunction(
            interaction, numbers, system.atoms, neighbors, leaves, backend, False, closed_factor_of
        )
        mask, squared = term.masked(geometry.squared, xp)
        f, df, *others = _derivatives(term, squared, mask, backend)
        factor, slope = factor + f, slope + df * along
        term.collect(
            [_summed(along * each, value) for each, value in zip(others, term.inputs, strict=True)],
            found,
        )
    h = [factor * c + 2.0 * slope * p for c, p in zip(difference, geometry.parts, strict=True)]
    own = [(factor * part).sum(1) for part in geometry.parts] if forces else None
    return PairForces(own, [each.sum(1) for each in h])


def pair_force_jvp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> PairForces | None:
    """Return forces and their change along a direction of coordinates and leaves."""
    if not is_traced(coords) or neighbors.layout == "half":
        return None
    backend = system.backend
    xp = backend.xp(coords, direction)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    raw = _differences(coords, neighbors)
    geometry, along_box = moving_displacements(system, raw, box, tangents, xp)
    change = _differences(direction, neighbors)
    if along_box is not None:
        change = [a + b for a, b in zip(change, along_box, strict=True)]
    of_squared = 2.0 * dot(geometry.parts, change)
    factor: Array = 0.0
    factor_change: Array = 0.0
    for interaction, numbers in zip(system.pairwise, leaves.numbers.pairwise, strict=True):
        term = PairFunction(
            interaction, numbers, system.atoms, neighbors, leaves, backend, True, closed_factor_of
        )
        mask, squared = term.masked(geometry.squared, xp)
        (f,), (df,) = backend.jvp(
            term, (squared, *term.inputs), (of_squared, *term.tangents(tangents, xp))
        )
        if mask is not None:
            f, df = torch.where(mask, f, 0.0), torch.where(mask, df, 0.0)
        factor, factor_change = factor + f, factor_change + df
    moved = [factor_change * p + factor * c for p, c in zip(geometry.parts, change, strict=True)]
    return PairForces(
        [(factor * part).sum(1) for part in geometry.parts], [each.sum(1) for each in moved]
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


def _derivatives(
    term: PairFunction, squared: Array, mask: Array | None, backend: Any
) -> list[Array]:
    """Return f and its derivatives by s and each input, for each entry; zero where it does not count."""
    primals = (squared, *term.inputs)
    found: list[Array] = []
    for k, value in enumerate(primals):
        directions: list[Array | None] = [None] * len(primals)
        directions[k] = torch.ones_like(value)
        (f,), (df,) = backend.jvp(term, primals, directions)
        found = [f, *found[1:], df.expand(f.shape)]
    return found if mask is None else [torch.where(mask, each, 0.0) for each in found]


def _summed(entries: Array, value: Array) -> Array:
    """Return cotangents of entries as one of what they belong to: of all pairs, or of each row."""
    rows = entries.sum(1)
    return settled(rows).sum() if value.ndim == 0 else rows[:, None]
