"""Derivatives of the summed pair forces, in gathers only and without stored pair arrays.

With d = x_i - x_j, s = d^2, f = -2 dU/ds and w_ij = w_i - w_j the number w.F is the sum over pairs of
f (d.w_ij). Its derivatives are sums over pairs again:

    h_ij = f w_ij + 2 f' (d.w_ij) d,   (J^T w)_i = sum_j h_ij,   (dF/dp)^T w = sum (d.w_ij) df/dp

so that the way back costs what the way forward costs. Where each pair is listed from both ends a
parameter of an atom is differentiated in its own row alone: the other role is the mirror entry's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xpmd.component_vectors import dot
from xpmd.kernels import with_kernel
from xpmd.leaf_map import Cotangents, LeafMap, Part
from xpmd.neighbor_list import NeighborList, PairEntries
from xpmd.pairwise import PairGeometry, PairwiseInteraction, factor_of, within_reach

Array = Any
Arrays = tuple[Any, ...]


#: Parameters that all pairs share are followed one by one; of more, reverse mode is cheaper.
MOST_DIRECTIONS = 16


class PairForces(NamedTuple):
    """Components of the forces, if wanted, and of J^T w (or of the change of the forces)."""

    forces: list[Array] | None
    response: list[Array]


@with_kernel
def pair_force_vjp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
    *,
    forces: bool = True,
    factor: Callable[..., Array] = factor_of,
) -> PairForces:
    """Return forces and J^T w of the pairwise interactions; add parameter cotangents to `found`.

    Args:
        coords: positions `(n, d)`, nm.
        w: cotangent of the forces `(n, d)`.
        leaves: which leaves of the System a cotangent is wanted for.
        forces: whether the forces themselves are wanted.
        factor: as `factor_of`.
    """
    backend = system.backend
    xp = backend.xp(coords, w, *leaves.leaves)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    geometry, pull_box = _displacements(system, coords, neighbors, box, xp)
    difference = differences(w, neighbors)
    along = dot(geometry.parts, difference)
    total: Array = 0.0
    slope: Array = 0.0
    for term in pair_functions(system, neighbors, leaves, factor=factor):
        mask, squared = term.masked(geometry.squared, xp)
        (f,), pull = backend.vjp(term, squared, *term.inputs)
        weight = along
        if mask is not None:
            f = xp.where(mask, f, xp.zeros_like(f))
            weight = xp.where(mask, along, xp.zeros_like(along))
        of_squared, *of_inputs = pull((weight,))
        total, slope = total + f, slope + of_squared
        term.collect(of_inputs, found)
    h = [total * c + 2.0 * slope * p for c, p in zip(difference, geometry.parts, strict=True)]
    if pull_box is not None:
        cotangents = pull_box(tuple(neighbors.weight * each for each in h))
        found.add_all(box.places, cotangents)
    n_atoms = coords.shape[0]

    def on_atoms(values: Array) -> Array:
        return neighbors.sum_on_atoms(values, n_atoms, backend=backend, xp=xp)

    of_forces = [on_atoms(total * p) for p in geometry.parts] if forces else None
    return PairForces(of_forces, [on_atoms(c) for c in h])


@with_kernel
def pair_force_jvp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> PairForces:
    """Return forces and their change along a direction of coordinates and leaves.

    Args:
        direction: change of the coordinates `(n, d)`.
        tangents: change of each leaf, `None` for none.
    """
    return forces_along(system, coords, neighbors, direction, leaves, tangents)


def forces_along(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
    *,
    factor: Callable[..., Array] = factor_of,
    between: Callable[[Array, NeighborList], list[Array]] | None = None,
) -> PairForces:
    """Do as `pair_force_jvp`, with some of it done in another way.

    Args:
        factor: as `factor_of`.
        between: as `differences`.
    """
    between = between or differences
    backend = system.backend
    xp = backend.xp(coords, direction, *leaves.leaves)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    raw = between(coords, neighbors)
    geometry, along_box = moving_displacements(system, raw, box, tangents, xp)
    change = between(direction, neighbors)
    if along_box is not None:
        change = [a + b for a, b in zip(change, along_box, strict=True)]
    of_squared = 2.0 * dot(geometry.parts, change)
    total: Array = 0.0
    total_change: Array = 0.0
    for term in pair_functions(system, neighbors, leaves, both_roles=True, factor=factor):
        mask, squared = term.masked(geometry.squared, xp)
        moving = of_squared
        if mask is not None:
            moving = xp.where(mask, of_squared, xp.zeros_like(of_squared))
        (f,), (df,) = backend.jvp(
            term, (squared, *term.inputs), (moving, *term.tangents(tangents, xp))
        )
        if mask is not None:
            f = xp.where(mask, f, xp.zeros_like(f))
            df = xp.where(mask, df, xp.zeros_like(df))
        total, total_change = total + f, total_change + df
    n_atoms = coords.shape[0]

    def on_atoms(values: Array) -> Array:
        return neighbors.sum_on_atoms(values, n_atoms, backend=backend, xp=xp)

    moved = [total_change * p + total * c for p, c in zip(geometry.parts, change, strict=True)]
    return PairForces(
        [on_atoms(total * p) for p in geometry.parts], [on_atoms(each) for each in moved]
    )


def differences(vectors: Array, neighbors: NeighborList) -> list[Array]:
    """Return first - second of vectors `(n, d)` for each entry, by component."""
    columns = [vectors[:, a] for a in range(vectors.shape[1])]
    return [neighbors.of_first(c) - neighbors.of_second(c) for c in columns]


def _displacements(
    system: Any, coords: Array, neighbors: NeighborList, box: Part, xp: Any
) -> tuple[PairGeometry, Callable[..., Arrays] | None]:
    """Return the shortest displacements and, if wanted, how the box pulls on them."""
    boundary = system.boundary
    raw = differences(coords, neighbors)
    if not box.values:
        parts = boundary.nearest(raw, xp=xp)
        return PairGeometry(parts, dot(parts, parts)), None
    backend = system.backend

    def nearest(*values: Array) -> Arrays:
        return tuple(box.with_values(values).nearest(raw, xp=backend.xp(*values, *raw)))

    parts, pull = backend.vjp(nearest, *box.values)
    return PairGeometry(parts, dot(parts, parts)), pull


def moving_displacements(
    system: Any, raw: Sequence[Array], box: Part, tangents: Sequence[Array | None], xp: Any
) -> tuple[PairGeometry, Arrays | None]:
    """Return the shortest displacements, and how the box changes them, `None` if it does not.

    Args:
        raw: components of the differences of positions.
    """
    boundary, backend = system.boundary, system.backend
    directions = [tangents[place] for place in box.places]
    if all(each is None for each in directions):
        parts = boundary.nearest(raw, xp=xp)
        return PairGeometry(parts, dot(parts, parts)), None

    def nearest(*values: Array) -> Arrays:
        return tuple(box.with_values(values).nearest(raw, xp=backend.xp(*values, *raw)))

    full = tuple(
        xp.zeros_like(value) if each is None else each
        for value, each in zip(box.values, directions, strict=True)
    )
    parts, moved = backend.jvp(nearest, box.values, full)
    return PairGeometry(parts, dot(parts, parts)), moved


def are_elementwise(terms: Sequence[PairFunction], others: Sequence[Array] = ()) -> bool:
    """Return whether `elementwise_derivatives` says all about each input, and they are few.

    Entries are then those of rows, and an input is one number or one for each of them.

    Args:
        others: what will be followed like inputs.
    """
    if terms and terms[0].layout == "half":
        return False
    inputs = [*(value for term in terms for value in term.inputs), *others]
    return all(value.ndim in (0, 2) for value in inputs) and len(inputs) <= MOST_DIRECTIONS


def elementwise_derivatives(term: PairFunction, squared: Array, backend: Any) -> list[Array]:
    """Return f and its derivatives by s and by each input, for each entry.

    They are followed forwards, one by one: going back would sum over the entries that share an input.
    """
    primals = (squared, *term.inputs)
    found: list[Array] = []
    for k, value in enumerate(primals):
        xp = backend.xp(value, squared)
        directions: list[Array | None] = [None] * len(primals)
        directions[k] = xp.ones_like(value)
        (f,), (df,) = backend.jvp(term, primals, directions)
        found = [f, *found[1:], xp.broadcast_to(df, f.shape)]
    return found


def from_rows(sums: Array, value: Array, xp: Any) -> Array:
    """Return sums over rows as a cotangent of an input: of all pairs, or of those of each row."""
    return xp.sum(sums) if value.ndim == 0 else sums[:, None]


def pair_functions(
    system: Any,
    neighbors: PairEntries,
    leaves: LeafMap,
    *,
    both_roles: bool = False,
    factor: Callable[..., Array] = factor_of,
) -> list[PairFunction]:
    """Return f of each pairwise interaction as a function of s and of the wanted numbers in it."""
    backend = system.backend
    return [
        PairFunction(
            interaction, numbers, system.atoms, neighbors, leaves, backend, both_roles, factor
        )
        for interaction, numbers in zip(system.pairwise, leaves.numbers.pairwise, strict=True)
    ]


class PairFunction:
    """f of one interaction as a function of s and of the wanted numbers in it.

    The numbers are, in this order: the interaction's own fields, then parameters that all atoms share,
    then those of each atom in the role of first, and of second where each pair is listed once.
    """

    def __init__(
        self,
        interaction: PairwiseInteraction,
        numbers: PairwiseInteraction,
        atoms: Any,
        neighbors: PairEntries,
        leaves: LeafMap,
        backend: Any,
        both_roles: bool = False,
        factor: Callable[..., Array] = factor_of,
    ) -> None:
        self._factor = factor
        self._fields = leaves.part(interaction, numbers)
        self.interaction, self.layout = interaction, neighbors.layout
        self._neighbors, self._backend = neighbors, backend
        self._both = both_roles or neighbors.layout == "half"
        self._names = list(interaction.atom_parameters)
        self._values = {n: _parameter(atoms, n) for n in self._names}
        places = {n: _parameter(leaves.numbers.atoms, n) for n in self._names}
        self._places = {n: place for n, place in places.items() if leaves.wanted[place]}
        self._shared = [n for n in self._places if self._values[n].ndim == 0]
        self._own = [n for n in self._places if self._values[n].ndim > 0]
        first = [neighbors.of_first(self._values[n]) for n in self._own]
        second = [neighbors.of_second(self._values[n]) for n in self._own] if self._both else []
        self.inputs: Arrays = (
            *self._fields.values,
            *(self._values[n] for n in self._shared),
            *first,
            *second,
        )

    def masked(self, squared: Array, xp: Any) -> tuple[Array | None, Array]:
        """Return which entries the interaction sees, and s with a harmless value elsewhere."""
        return within_reach(
            self.interaction, squared, self._neighbors, backend=self._backend, xp=xp
        )

    def __call__(self, squared: Array, *inputs: Array) -> tuple[Array]:
        """Return f = -2 dU/ds for each entry."""
        values, backend = iter(inputs), self._backend
        interaction = self._fields.with_values([next(values) for _ in self._fields.values])
        shared = {n: next(values) for n in self._shared}
        first = {n: next(values) for n in self._own}
        second = {n: next(values) for n in self._own} if self._both else {}
        xp = backend.xp(squared, *inputs)
        mixed = []
        for name in self._names:
            rule = interaction.atom_parameters[name]
            value = shared.get(name, self._values[name])
            if value.ndim == 0:
                mixed.append(rule(value, value, xp=xp))
                continue
            one = first[name] if name in first else self._neighbors.of_first(value)
            two = second[name] if name in second else self._neighbors.of_second(value)
            mixed.append(rule(one, two, xp=xp))
        return (self._factor(interaction, mixed, squared, backend=backend),)

    def collect(self, cotangents: Sequence[Array | None], found: Cotangents) -> None:
        """Add cotangents of the inputs to those of the leaves they came from."""
        values, neighbors = iter(cotangents), self._neighbors
        for place in (*self._fields.places, *(self._places[n] for n in self._shared)):
            value = next(values)
            if value is not None:
                found.add(place, neighbors.weight * value)
        rows = [next(values) for _ in self._own]
        others: Sequence[Array | None] = (
            [next(values) for _ in self._own] if self._both else [None] * len(rows)
        )
        for name, one, two in zip(self._own, rows, others, strict=True):
            n_atoms = self._values[name].shape[0]
            summed = neighbors.sum_by_role(one, two, n_atoms, backend=self._backend)
            found.add(self._places[name], summed)

    def tangents(self, of_leaves: Sequence[Array | None], xp: Any) -> list[Array]:
        """Return the change of each input from those of the leaves."""
        neighbors = self._neighbors

        def change(place: int, value: Array) -> Array:
            found = of_leaves[place]
            return xp.zeros_like(value) if found is None else found

        own = [change(self._places[n], self._values[n]) for n in self._own]
        return [
            *(
                change(place, value)
                for place, value in zip(self._fields.places, self._fields.values, strict=True)
            ),
            *(change(self._places[n], self._values[n]) for n in self._shared),
            *(neighbors.of_first(each) for each in own),
            *(neighbors.of_second(each) for each in own if self._both),
        ]


def _parameter(atoms: Any, name: str) -> Any:
    return atoms.mass if name == "mass" else getattr(atoms, name)
