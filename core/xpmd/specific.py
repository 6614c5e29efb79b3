"""Specific interactions: terms between listed atoms, such as bonds, angles and torsions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.bonded_geometry import COORDINATES
from xpmd.module import Module, indices

Array = Any


class SpecificInteraction(Module):
    """Base of the specific interactions: `atoms`, shape `(terms, k)`, says who takes part.

    A subclass declares its parameters as fields, each a scalar or one value a term, and writes one of

        energy(r, ...parameters, *, xp)           two atoms a term: the distance, nm
        energy(angle, ...parameters, *, xp)       three: the angle at the middle one, radian
        energy(dihedral, ...parameters, *, xp)    four: the dihedral angle, radian
        energy(x_i, x_j, ..., *, boundary, xp)    any number: positions `(terms, d)`, nm

    and returns the energy of each term, kJ/mol. Parameters are passed by the names in the signature.
    """

    atoms: Array = indices()

    def __post_init__(self) -> None:
        for name in self._dynamic_names:
            value = getattr(self, name)
            if isinstance(value, tuple):  # a tuple would stay a container of separate leaves
                object.__setattr__(self, name, list(value))

    def energy(self, *args: Any, **kwargs: Any) -> Array:
        """Return the energy of each term, kJ/mol; written as the class describes."""
        raise NotImplementedError

    def check(self, system: Any) -> None:
        """Raise for what cannot be right in a System; called when one is built."""

    def parameters_by_term(self) -> dict[str, Any]:
        """Return by name the parameters that are scalars or one value a term."""
        if takes_positions(type(self)):
            names = tuple(name for name in self._dynamic_names if name != "atoms")
        else:
            names = parameter_names(type(self))
        return {name: getattr(self, name) for name in names}

    def bind(self, system: Any, *, backend: Backend, xp: Any) -> Callable[[Array], Array]:
        """Return the energy of each term as a function of its coordinate alone."""
        parameters = [getattr(self, name) for name in parameter_names(type(self))]

        def energy_of(coordinate: Array) -> Array:
            namespace = backend.xp(coordinate, *parameters)
            return self.energy(coordinate, *parameters, xp=namespace)

        return energy_of


class TermValues(NamedTuple):
    """What a specific interaction adds up to: energy, force components by atom, virial rows."""

    energy: Array
    forces: list[Array] | None
    virial: list[list[Array]] | None


Loads = list[tuple[int, Sequence[Array]]]  # slot of an atom, force on it
Levers = list[tuple[Sequence[Array], Sequence[Array]]]  # displacement, force at its end


class Terms(NamedTuple):
    """All terms of an interaction: their energy, the forces on their atoms, and the levers."""

    energy: Array
    loads: Loads
    levers: Levers


@functools.cache
def _arguments(cls: Any) -> Any:
    return inspect.signature(cls.energy).parameters


def takes_positions(cls: Any) -> bool:
    """Return whether a class writes its energy in terms of positions."""
    return "boundary" in _arguments(cls)


#: What the first argument of an energy is called, and the atoms such a coordinate is of.
_COORDINATE_NAMES = {"r": 2, "angle": 3, "dihedral": 4}


def atoms_a_term(cls: Any) -> int | None:
    """Return how many atoms a term of a class has; `None` if its energy does not say."""
    points = [p for p in _arguments(cls).values() if p.kind is p.POSITIONAL_OR_KEYWORD][1:]
    if any(p.kind is p.VAR_POSITIONAL for p in _arguments(cls).values()) or not points:
        return None
    return len(points) if takes_positions(cls) else _COORDINATE_NAMES.get(points[0].name)


def parameter_names(cls: Any) -> tuple[str, ...]:
    """Return the names of the parameters that a class's energy takes after the coordinate.

    Raises:
        TypeError: one of them is not a field.
    """
    positional = [p.name for p in _arguments(cls).values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    names = tuple(positional[2:])  # self and the coordinate come first
    fields = {*cls._dynamic_names, *cls._static_names}
    unknown = [name for name in names if name not in fields]
    if unknown:
        raise TypeError(
            f"{cls.__name__}.energy takes {unknown}, which are not fields of the class; "
            f"its fields are {sorted(fields)}."
        )
    return names


def specific_terms(
    interaction: SpecificInteraction,
    system: Any,
    coords: Array,
    *,
    backend: Backend,
    xp: Any,
    forces: bool,
) -> TermValues:
    """Evaluate all terms of one interaction at once."""
    axes = range(system.boundary.dimensions)
    slots = [interaction.atoms[:, k] for k in range(interaction.atoms.shape[1])]
    components = [coords[:, a] for a in axes]
    points = [[c[slot] for c in components] for slot in slots]
    terms = terms_at(interaction, points, system, backend=backend, xp=xp, forces=forces)
    if not forces:
        return TermValues(terms.energy, None, None)
    rows = xp.concat([slots[slot] for slot, _ in terms.loads])
    sums = [
        backend.index_add(coords.shape[0], rows, xp.concat([force[a] for _, force in terms.loads]))
        for a in axes
    ]
    virial = [[sum(xp.sum(v[a] * f[b]) for v, f in terms.levers) for b in axes] for a in axes]
    return TermValues(terms.energy, sums, virial)


def terms_at(
    interaction: SpecificInteraction,
    points: Sequence[Sequence[Array]],
    system: Any,
    *,
    backend: Backend,
    xp: Any,
    forces: bool,
) -> Terms:
    """Evaluate all terms at given positions of their atoms.

    Args:
        points: positions by slot and component, one value a term.
        forces: whether more than the energy is wanted.
    """
    if takes_positions(type(interaction)):
        return _from_positions(interaction, points, system.boundary, backend, xp)
    return _from_coordinate(interaction, points, system, backend, xp, forces=forces)


def _from_coordinate(
    interaction: SpecificInteraction,
    points: Any,
    system: Any,
    backend: Backend,
    xp: Any,
    *,
    forces: bool,
) -> Terms:
    """Chain the elementwise derivative of the energy with that of the distance or angle."""
    coordinate, arms = COORDINATES[len(points)](points, system.boundary, xp=xp)
    energy_of = interaction.bind(system, backend=backend, xp=xp)
    energy = xp.sum(energy_of(coordinate))
    if not forces:
        return Terms(energy, [], [])
    slope = backend.radial(energy_of, coordinate)
    loads: Loads = []
    levers: Levers = []
    for arm in arms:
        force = [-slope * part for part in arm.slope]
        loads.append((arm.end, force))
        loads.append((arm.start, [-part for part in force]))
        levers.append((arm.vector, force))
    return Terms(energy, loads, levers)


def _from_positions(
    interaction: SpecificInteraction, points: Any, boundary: Any, backend: Backend, xp: Any
) -> Terms:
    """Differentiate an energy of positions; the atoms of a term are the images near its first."""
    dimensions = boundary.dimensions
    first = points[0]
    arms = [
        boundary.nearest([b - a for a, b in zip(first, point, strict=True)], xp=xp)
        for point in points[1:]
    ]
    places = [first, *([a + b for a, b in zip(first, arm, strict=True)] for arm in arms)]

    def energy_of(*parts: Array) -> tuple[Array]:
        namespace = backend.xp(*parts)
        positions = [
            namespace.stack(list(parts[k : k + dimensions]), axis=-1)
            for k in range(0, len(parts), dimensions)
        ]
        energy = interaction.energy(*positions, boundary=boundary, xp=namespace)
        return (namespace.sum(energy),)

    (energy,), pull = backend.vjp(energy_of, *(part for place in places for part in place))
    slopes: Any = pull((xp.ones_like(energy),))
    forces = [[-slopes[k * dimensions + a] for a in range(dimensions)] for k in range(len(places))]
    return Terms(energy, list(enumerate(forces)), list(zip(arms, forces[1:], strict=True)))
