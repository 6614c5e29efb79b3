"""Energies, forces and virials of all interactions of a System together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd.general import general_virial
from xpmd.kernels import with_kernel
from xpmd.neighbor_list import NeighborList
from xpmd.pairwise import PairGeometry, factor_of, pair_factor, pair_geometry, summed_energy
from xpmd.specific import specific_terms

Array = Any


def total_energy(system: Any, coords: Array, neighbors: NeighborList, *, xp: Any) -> Array:
    """Return the potential energy at `coords`, kJ/mol."""
    backend = system.backend
    total = 0.0 * xp.sum(coords)
    if system.pairwise:
        total = total + pair_energy(system, coords, neighbors, xp=xp)
    for interaction in system.specific:
        terms = specific_terms(interaction, system, coords, backend=backend, xp=xp, forces=False)
        total = total + terms.energy
    for interaction in system.general:
        total = total + interaction.energy(coords, system, neighbors, xp=xp)
    return total


def total_forces(system: Any, coords: Array, neighbors: NeighborList, *, xp: Any) -> Array:
    """Return the forces `(n, d)` at `coords`, kJ/mol/nm."""
    backend = system.backend
    components: list[Any] = [None] * system.boundary.dimensions
    if system.pairwise:
        components = list(pair_forces(system, coords, neighbors, xp=xp))
    for interaction in system.specific:
        terms = specific_terms(interaction, system, coords, backend=backend, xp=xp, forces=True)
        components = [
            new if old is None else old + new
            for old, new in zip(components, terms.forces or (), strict=True)
        ]
    total = xp.zeros_like(coords) if components[0] is None else xp.stack(components, axis=-1)
    for interaction in system.general:
        total = total + interaction.forces(coords, system, neighbors, xp=xp)
    return total


@with_kernel
def pair_energy(system: Any, coords: Array, neighbors: NeighborList, *, xp: Any) -> Array:
    """Return the summed energy of the pairwise interactions, kJ/mol."""
    geometry = pair_geometry(coords, system.boundary, neighbors, xp=xp)
    return summed_energy(
        system.pairwise, system.atoms, geometry, neighbors, backend=system.backend, xp=xp
    )


@with_kernel
def pair_forces(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    *,
    xp: Any,
    factor: Callable[..., Array] = factor_of,
) -> Sequence[Array]:
    """Return the components `(n,)` of the summed forces of the pairwise interactions, kJ/mol/nm."""
    geometry, f = _pairs(system, coords, neighbors, xp, factor)
    return [
        neighbors.sum_on_atoms(f * part, coords.shape[0], backend=system.backend, xp=xp)
        for part in geometry.parts
    ]


@with_kernel
def pair_virial(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    *,
    xp: Any,
    factor: Callable[..., Array] = factor_of,
) -> Sequence[Sequence[Array]]:
    """Return the entries of W = sum r (x) f of the pairwise interactions by row, kJ/mol."""
    geometry, f = _pairs(system, coords, neighbors, xp, factor)
    return [
        [neighbors.weight * xp.sum(one * f * other) for other in geometry.parts]
        for one in geometry.parts
    ]


def total_virial(system: Any, coords: Array, neighbors: NeighborList, *, xp: Any) -> Array:
    """Return W = sum r (x) f, `(d, d)`, kJ/mol; positive when repulsive."""
    backend = system.backend
    axes = range(system.boundary.dimensions)
    zero = 0.0 * xp.sum(coords)
    rows: list[list[Any]] = [[zero for _ in axes] for _ in axes]
    if system.pairwise:
        of_pairs = pair_virial(system, coords, neighbors, xp=xp)
        rows = [[rows[a][b] + of_pairs[a][b] for b in axes] for a in axes]
    for interaction in system.specific:
        terms = specific_terms(interaction, system, coords, backend=backend, xp=xp, forces=True)
        for a in axes:
            for b in axes:
                rows[a][b] = rows[a][b] + (terms.virial or rows)[a][b]
    total = xp.stack([xp.stack(row) for row in rows])
    for interaction in system.general:
        total = total + general_virial(
            interaction, coords, system, neighbors, backend=backend, xp=xp
        )
    return total


def _pairs(
    system: Any, coords: Array, neighbors: NeighborList, xp: Any, factor: Callable[..., Array]
) -> tuple[PairGeometry, Array]:
    geometry = pair_geometry(coords, system.boundary, neighbors, xp=xp)
    f = pair_factor(
        system.pairwise,
        system.atoms,
        geometry,
        neighbors,
        backend=system.backend,
        xp=xp,
        factor=factor,
    )
    return geometry, f
