"""Pair forces and their derivatives on JAX: the sums over neighbors leave in one reduction.

XLA fuses everything between the gathers and one reduction with several operands into a single loop, so
that no array of pairs is written. It takes three things: components apart, which are arrays of their
own before they are gathered; derivatives by forward mode, which stay elementwise; and gathers that
trust the list.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from xpmd.backend import Backend
from xpmd.closed_form import closed_factor_of
from xpmd.component_vectors import dot
from xpmd.leaf_map import Cotangents, LeafMap, Part
from xpmd.module import flatten, unflatten
from xpmd.neighbor_list import NeighborList
from xpmd.pair_derivatives import (
    PairForces,
    are_elementwise,
    elementwise_derivatives,
    from_rows,
    moving_displacements,
    pair_functions,
)
from xpmd.pairwise import PairGeometry, mixed_parameters, within_reach
from xpmd_jax.settling import settled

Array = Any
Arrays = tuple[Any, ...]

_terms = functools.partial(pair_functions, factor=closed_factor_of)


def pair_forces(
    system: Any, coords: Array, neighbors: NeighborList, *, xp: Any
) -> Sequence[Array] | None:
    """Return the components of the summed forces."""
    if neighbors.layout == "half":
        return None
    backend, neighbors = system.backend, _trusted(neighbors)
    rows, system, (coords,) = _by_rows(system, neighbors, coords)
    leaves, spec = flatten(system)

    def summed(guarded: bool, neighbors: NeighborList, coords: Array, *leaves: Array) -> Arrays:
        system = unflatten(spec, leaves)
        again, (columns,) = _settled(system.boundary, coords)
        geometry = _geometry(system.boundary, again, columns, neighbors, xp)
        factor: Array = 0.0
        for interaction in system.pairwise:
            parameters = mixed_parameters(
                interaction, system.atoms, neighbors.of_first, neighbors.of_second, xp=xp
            )
            mask, squared = _seen(interaction, geometry.squared, neighbors, guarded, backend, xp)
            f = closed_factor_of(interaction, parameters, squared, backend=backend)
            factor = factor + _masked(mask, f)
        return row_sums(*(factor * part for part in geometry.parts))

    sums = _guarded_where_differentiated(summed, rows, (coords, *leaves), backend)
    return [neighbors.in_atoms(each) for each in sums]


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
    backend, neighbors = system.backend, _trusted(neighbors)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    if not are_elementwise(_terms(system, neighbors, leaves), box.values):
        return None
    xp = backend.xp(coords)
    rows, moved, (coords, w) = _by_rows(system, neighbors, coords, w)

    def summed(
        guarded: bool, neighbors: NeighborList, coords: Array, w: Array, *values: Array
    ) -> Arrays:
        changed = unflatten(leaves.spec, values)
        again, (columns, of_forces) = _settled(changed.boundary, coords, w)
        geometry = _geometry(changed.boundary, again, columns, neighbors, xp)
        difference = _differences(of_forces, neighbors)
        along = dot(geometry.parts, difference)
        factor: Array = 0.0
        slope: Array = 0.0
        of_inputs: list[Array] = []
        for term in _terms(changed, neighbors, leaves):
            mask, squared = _seen(
                term.interaction, geometry.squared, neighbors, guarded, backend, xp
            )
            f, df, *others = (
                _masked(mask, each) for each in elementwise_derivatives(term, squared, backend)
            )
            factor, slope = factor + f, slope + df * along
            of_inputs += [along * each for each in others]
        h = [factor * c + 2.0 * slope * p for c, p in zip(difference, geometry.parts, strict=True)]
        along_parts = [factor * part for part in geometry.parts] if forces else []
        inside = leaves.part(changed.boundary, leaves.numbers.boundary)
        raw = _differences(columns, neighbors)
        of_box = [dot(h, each) for each in _moved_by_box(inside, raw, backend)]
        return row_sums(*along_parts, *h, *of_inputs, *of_box)

    arrays = (coords, w, *flatten(moved)[0])
    sums = iter(_guarded_where_differentiated(summed, rows, arrays, backend))
    n = system.boundary.dimensions
    of_forces = [neighbors.in_atoms(next(sums)) for _ in range(n)] if forces else None
    response = [neighbors.in_atoms(next(sums)) for _ in range(n)]
    for term in _terms(system, neighbors, leaves):
        term.collect([from_rows(next(sums), value, xp) for value in term.inputs], found)
    for place in box.places:
        found.add(place, neighbors.weight * jnp.sum(next(sums)))
    return PairForces(of_forces, response)


def pair_force_jvp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> PairForces | None:
    """Return forces and their change along a direction of coordinates and leaves."""
    backend, neighbors = system.backend, _trusted(neighbors)
    terms = _terms(system, neighbors, leaves, both_roles=True)
    if not are_elementwise(terms):
        return None
    xp = backend.xp(coords)
    moving = [k for k, each in enumerate(tangents) if each is not None]
    of_atoms = set(flatten(leaves.numbers.atoms)[0])
    along = [_in_rows(neighbors, tangents[k])[0] if k in of_atoms else tangents[k] for k in moving]
    rows, system, (coords, direction) = _by_rows(system, neighbors, coords, direction)

    def summed(
        guarded: bool, neighbors: NeighborList, coords: Array, direction: Array, *values: Array
    ) -> Arrays:
        changed = unflatten(leaves.spec, values[: len(leaves)])
        moved: list[Array | None] = [None] * len(leaves)
        for k, value in zip(moving, values[len(leaves) :], strict=True):
            moved[k] = value
        again, (columns, moves) = _settled(changed.boundary, coords, direction)
        box = leaves.part(changed.boundary, leaves.numbers.boundary)
        raw = _differences(columns, neighbors)
        geometry, along_box = moving_displacements(changed, raw, box, moved, xp)
        geometry = _separately(geometry.parts, again, raw, xp)
        change = _differences(moves, neighbors)
        if along_box is not None:
            change = [a + b for a, b in zip(change, along_box, strict=True)]
        of_squared = 2.0 * dot(geometry.parts, change)
        factor: Array = 0.0
        factor_change: Array = 0.0
        for term in _terms(changed, neighbors, leaves, both_roles=True):
            mask, squared = _seen(
                term.interaction, geometry.squared, neighbors, guarded, backend, xp
            )
            (f,), (df,) = backend.jvp(
                term, (squared, *term.inputs), (of_squared, *term.tangents(moved, xp))
            )
            factor, factor_change = factor + _masked(mask, f), factor_change + _masked(mask, df)
        return row_sums(
            *(factor * part for part in geometry.parts),
            *(factor_change * p + factor * c for p, c in zip(geometry.parts, change, strict=True)),
        )

    arrays = (coords, direction, *flatten(system)[0], *along)
    sums = _guarded_where_differentiated(summed, rows, arrays, backend)
    in_atoms, n = [neighbors.in_atoms(each) for each in sums], system.boundary.dimensions
    return PairForces(in_atoms[:n], in_atoms[n:])


def _by_rows(
    system: Any, neighbors: NeighborList, *vectors: Array
) -> tuple[NeighborList, Any, Sequence[Array]]:
    """Return list, System and vectors `(n, d)` of the atoms renumbered so that row i is about atom i."""
    if neighbors.layout != "sorted":
        return neighbors, system, vectors
    values, spec = flatten(system.atoms)
    system = system.with_fields(atoms=unflatten(spec, _in_rows(neighbors, *values)))
    rows = neighbors.with_fields(layout="full", order=None, place=None)
    return rows, system, [neighbors.in_rows(vector) for vector in vectors]


def _in_rows(neighbors: NeighborList, *values: Array) -> list[Array]:
    """Return values, those `(n,)` of atoms in the order of the rows and in memory."""
    if neighbors.layout != "sorted":
        return list(values)
    found = list(values)
    own = [k for k, value in enumerate(values) if value.ndim]
    if own:
        for k, value in zip(
            own, settled(*(neighbors.in_rows(values[k]) for k in own)), strict=True
        ):
            found[k] = value
    return found


def _guarded_where_differentiated(
    summed: Callable[..., Arrays], neighbors: NeighborList, values: Arrays, backend: Any
) -> Arrays:
    """Return `summed(guarded, neighbors, *values)`.

    What is computed for entries that do not count may be NaN: nothing of it is left in sums, or in
    elementwise derivatives of them by forward mode. Reverse mode multiplies it by zero, so there, and
    only there, such entries are given a harmless distance, which costs a quarter of the whole.
    """
    # Rules run when a loop around them is gone: they may capture nothing that it traces.
    lists, spec = flatten(neighbors)

    def whole(guarded: bool, *arrays: Array) -> Arrays:
        held = unflatten(spec, arrays[: len(lists)])
        return summed(guarded, held, *arrays[len(lists) :])

    def rule(arrays: Arrays, tangents: Sequence[Array | None]) -> tuple[Arrays, Arrays]:
        return backend.jvp(functools.partial(whole, True), arrays, tangents)  # type: ignore[no-any-return]

    call = backend.custom_jvp(functools.partial(whole, False), rule)
    sums: Arrays = call(*lists, *values)
    return sums


def _seen(
    interaction: Any, squared: Array, neighbors: NeighborList, guarded: bool, backend: Any, xp: Any
) -> tuple[Array | None, Array]:
    """Return which entries an interaction sees, and r^2, harmless elsewhere if `guarded`."""
    mask, harmless = within_reach(interaction, squared, neighbors, backend=backend, xp=xp)
    return mask, harmless if guarded else squared


def _masked(mask: Array | None, values: Array) -> Array:
    return values if mask is None else jnp.where(mask, values, 0.0)


def _moved_by_box(box: Part, raw: Sequence[Array], backend: Backend) -> Iterator[Sequence[Array]]:
    """Yield what each wanted leaf of the box changes the shortest displacements by, by component."""

    def nearest(*values: Array) -> Arrays:
        return tuple(box.with_values(values).nearest(raw, xp=backend.xp(*values)))

    for k, value in enumerate(box.values):
        directions: list[Array | None] = [None] * len(box.values)
        directions[k] = jnp.ones_like(value)
        yield backend.jvp(nearest, box.values, directions)[1]


def _geometry(
    boundary: Any, again: Any, columns: Arrays, neighbors: NeighborList, xp: Any
) -> PairGeometry:
    raw = _differences(columns, neighbors)
    return _separately(boundary.nearest(raw, xp=xp), again, raw, xp)


def _separately(parts: Arrays, again: Any, raw: Sequence[Array], xp: Any) -> PairGeometry:
    """Return displacements for sums, and squared distances of others that are equal.

    XLA writes displacements to memory if roots and divisions depend on them and sums use them, too. To
    find the nearest image twice is a quarter faster, as long as it cannot know that both are the same.

    Args:
        again: the boundary a second time.
    """
    same = again.nearest(raw, xp=xp)
    return PairGeometry(parts, dot(same, same))


def _differences(columns: Arrays, neighbors: NeighborList) -> list[Array]:
    return [neighbors.of_first(c) - neighbors.of_second(c) for c in columns]


class _TrustedList(NeighborList):
    """A list whose indices are known to be those of atoms, so that gathers need not look."""

    def of_second(self, values: Array) -> Array:
        if self.layout == "dense":
            return values[None, :]
        return _taken(self.in_rows(values), self.second)

    def in_rows(self, values: Array) -> Array:
        return values if self.layout != "sorted" else _taken(values, self.order)

    def in_atoms(self, values: Array) -> Array:
        return values if self.layout != "sorted" else _taken(values, self.place)


def _taken(values: Array, places: Array) -> Array:
    # Unsigned, so that nobody looks for indices that count from the end.
    return values.at[places.astype(jnp.uint32)].get(mode="promise_in_bounds")


def _trusted(neighbors: NeighborList) -> NeighborList:
    return _TrustedList(**{name: getattr(neighbors, name) for name in _FIELDS})


_FIELDS = (
    *("first", "second", "mask", "count", "overflow", "reference", "layout", "box"),
    *("order", "place"),
)


def _settled(boundary: Any, *vectors: Array) -> tuple[Any, list[Arrays]]:
    """Return a boundary that XLA takes for another, and the components of vectors `(n, d)`, in memory."""
    sides, spec = flatten(boundary)
    flat = [v[:, k] for v in vectors for k in range(v.shape[1])]
    found = settled(*flat, *(jnp.reshape(side, (1,)) for side in sides))
    columns, start = [], 0
    for vector in vectors:
        columns.append(found[start : start + vector.shape[1]])
        start += vector.shape[1]
    again = [jnp.reshape(each, side.shape) for each, side in zip(found[start:], sides, strict=True)]
    return unflatten(spec, again), columns


@jax.custom_jvp
def row_sums(*arrays: Array) -> Arrays:
    """Return the sums of arrays `(n, k)` over their rows, read together."""
    zero = jnp.zeros((), arrays[0].dtype)
    sums: Arrays = jax.lax.reduce(arrays, (zero,) * len(arrays), _plus, (1,))
    return sums


# One function for all sums: where nothing is being compiled, JAX would compile each reduction anew.
def _plus(first: Arrays, second: Arrays) -> Arrays:
    return tuple(a + b for a, b in zip(first, second, strict=True))


@row_sums.defjvp
def _row_sums_along(arrays: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
    # Sums that can be transposed.
    return row_sums(*arrays), tuple(jnp.sum(tangent, axis=1) for tangent in tangents)
