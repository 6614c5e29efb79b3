"""Derivatives of the forces of specific and general interactions.

A term's forces are a function of the positions of its few atoms; its derivative is taken for all terms
at once, between a gather of the positions and a scatter of what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.neighbor_list import NeighborList
from xpmd.specific import SpecificInteraction, terms_at

Array = Any
Arrays = tuple[Any, ...]


class TermFunction:
    """The forces of all terms of a specific interaction, by slot and component, from positions.

    Its arguments are positions by slot and component, then the wanted leaves of the interaction, of the
    boundary and, if the interaction looks at them, of the atoms.
    """

    def __init__(
        self, interaction: SpecificInteraction, numbers: Any, system: Any, leaves: LeafMap
    ) -> None:
        self.interaction, self.system = interaction, system
        self.backend = system.backend
        self.axes = range(system.boundary.dimensions)
        self.slots = [interaction.atoms[:, k] for k in range(interaction.atoms.shape[1])]
        self.fields = leaves.part(interaction, numbers)
        self.box = leaves.part(system.boundary, leaves.numbers.boundary)
        # A term that binds itself may look at any parameter of the atoms.
        looks = type(interaction).bind is not SpecificInteraction.bind
        self.atoms = leaves.part(system.atoms, leaves.numbers.atoms) if looks else None
        own = (*self.fields.values, *self.box.values)
        self.values: Arrays = own if self.atoms is None else (*own, *self.atoms.values)
        places = (*self.fields.places, *self.box.places)
        self.places = places if self.atoms is None else (*places, *self.atoms.places)

    def at(self, values: Array) -> list[Array]:
        """Return values `(n, d)` at the atoms of the terms, by slot and component."""
        return [values[:, a][slot] for slot in self.slots for a in self.axes]

    def __call__(self, *arguments: Array) -> Arrays:
        """Return the forces by slot and component."""
        n_axes = len(self.axes)
        n_points = len(self.slots) * n_axes
        points = [list(arguments[k : k + n_axes]) for k in range(0, n_points, n_axes)]
        rest = iter(arguments[n_points:])
        interaction = self.fields.with_values([next(rest) for _ in self.fields.values])
        boundary = self.box.with_values([next(rest) for _ in self.box.values])
        system = self.system.with_fields(boundary=boundary)
        if self.atoms is not None:
            atoms = self.atoms.with_values([next(rest) for _ in self.atoms.values])
            system = system.with_fields(atoms=atoms)
        xp = self.backend.xp(*arguments)
        terms = terms_at(interaction, points, system, backend=self.backend, xp=xp, forces=True)
        totals: list[list[Any]] = [[None] * n_axes for _ in self.slots]
        for slot, force in terms.loads:
            totals[slot] = [
                new if old is None else old + new
                for old, new in zip(totals[slot], force, strict=True)
            ]
        return tuple(part for slot in totals for part in slot)

    def scattered(self, parts: Sequence[Array], n_atoms: int, xp: Any) -> list[Array]:
        """Add up values by slot and component on the atoms; one array `(n,)` a component."""
        rows = xp.concat(self.slots)
        n_axes = len(self.axes)
        return [
            self.backend.index_add(n_atoms, rows, xp.concat(list(parts[a::n_axes])))
            for a in self.axes
        ]


def specific_force_vjp(
    interaction: SpecificInteraction,
    numbers: Any,
    system: Any,
    coords: Array,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
    *,
    forces: bool = True,
) -> tuple[list[Array] | None, list[Array]]:
    """Return components of the forces and of J^T w; add parameter cotangents to `found`."""
    terms = TermFunction(interaction, numbers, system, leaves)
    points = terms.at(coords)
    outs, pull = system.backend.vjp(terms, *points, *terms.values)
    back = pull(tuple(terms.at(w)))
    found.add_all(terms.places, back[len(points) :])
    n_atoms, xp = coords.shape[0], system.backend.xp(coords, w)
    return (
        terms.scattered(outs, n_atoms, xp) if forces else None,
        terms.scattered(back[: len(points)], n_atoms, xp),
    )


def specific_force_jvp(
    interaction: SpecificInteraction,
    numbers: Any,
    system: Any,
    coords: Array,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> tuple[list[Array], list[Array]]:
    """Return components of the forces and of their change along a direction."""
    terms = TermFunction(interaction, numbers, system, leaves)
    points, n_atoms, xp = terms.at(coords), coords.shape[0], system.backend.xp(coords, direction)
    of_values = _tangents(terms.places, terms.values, tangents, xp)
    outs, moved = system.backend.jvp(
        terms, (*points, *terms.values), (*terms.at(direction), *of_values)
    )
    return terms.scattered(outs, n_atoms, xp), terms.scattered(moved, n_atoms, xp)


def general_forces(
    interaction: Any, numbers: Any, system: Any, neighbors: NeighborList, leaves: LeafMap
) -> tuple[Callable[..., tuple[Array]], Arrays, tuple[int, ...]]:
    """Return the forces of a general interaction as a function of coordinates and wanted leaves.

    Returns:
        The function, the leaves, and their places.
    """
    fields = leaves.part(interaction, numbers)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    atoms = leaves.part(system.atoms, leaves.numbers.atoms)

    def forces(coords: Array, *values: Array) -> tuple[Array]:
        rest = iter(values)
        own = fields.with_values([next(rest) for _ in fields.values])
        boundary = box.with_values([next(rest) for _ in box.values])
        of_atoms = atoms.with_values([next(rest) for _ in atoms.values])
        changed = system.with_fields(boundary=boundary, atoms=of_atoms)
        xp = system.backend.xp(coords, *values)
        return (own.forces(coords, changed, neighbors, xp=xp),)

    return (
        forces,
        (*fields.values, *box.values, *atoms.values),
        (*fields.places, *box.places, *atoms.places),
    )


def general_force_vjp(
    interaction: Any,
    numbers: Any,
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
) -> tuple[Array, Array]:
    """Return forces and J^T w; add parameter cotangents to `found`."""
    function, values, places = general_forces(interaction, numbers, system, neighbors, leaves)
    (forces,), pull = system.backend.vjp(function, coords, *values)
    response, *back = pull((w,))
    found.add_all(places, back)
    return forces, response


def general_force_jvp(
    interaction: Any,
    numbers: Any,
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> tuple[Array, Array]:
    """Return forces and their change along a direction."""
    function, values, places = general_forces(interaction, numbers, system, neighbors, leaves)
    xp = system.backend.xp(coords, direction)
    of_values = _tangents(places, values, tangents, xp)
    (forces,), (moved,) = system.backend.jvp(function, (coords, *values), (direction, *of_values))
    return forces, moved


def _tangents(
    places: Sequence[int], values: Arrays, tangents: Sequence[Array | None], xp: Any
) -> list[Array]:
    found: list[Array] = []
    for place, value in zip(places, values, strict=True):
        tangent = tangents[place]
        found.append(xp.zeros_like(value) if tangent is None else tangent)
    return found
