"""A System: atoms, where they are, and what acts between them. Arrays enter the library here."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, ClassVar, Self

from xpmd import units as unit_systems
from xpmd.atoms import Atoms
from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.entry import Entrance
from xpmd.exclusions import Exclusions
from xpmd.general import GeneralInteraction
from xpmd.module import Module, flatten, indices, static
from xpmd.neighbor_finder import NeighborFinder
from xpmd.pairwise import PairwiseInteraction
from xpmd.specific import SpecificInteraction
from xpmd.system_checks import check_system
from xpmd.system_parts import check_parts, several

Array = Any


class BackendFound(BaseException):
    """Stops a loss at its first System, once that System has said which backend it is on."""

    def __init__(self, system: Any) -> None:
        super().__init__(system.backend.name)
        self.system = system


#: True while a loss is called only to learn which backend it uses.
probing: ContextVar[bool] = ContextVar("probing", default=False)


class System(Module):
    """Everything a simulation starts from; frozen, changed with `replace`.

    All arrays become one backend's arrays of one type and device here, once; an array that carries a
    gradient keeps it. Units: nm, ps, u, kJ/mol, K, e, or those of `units`.

    Args:
        atoms: per-atom parameters.
        coords: positions `(n, d)`.
        boundary: the box.
        velocities: `(n, d)`; at rest if left out.
        interactions: pairwise, specific and general ones, in any order.
        neighbor_finder: lists the pairs that pairwise interactions look at; all pairs if left out.
        exclusions: pairs that pairwise interactions skip.
        constraints: constraints on the motion.
        units: the unit system of all numbers.
        dtype: "float32" or "float64"; that of the arrays if left out.

    Raises:
        ValueError, TypeError: an argument cannot be right; the message says which and why.
        BackendError: arrays of several backends were mixed.
    """

    atoms: Atoms
    coords: Array
    boundary: Boundary
    velocities: Array
    interactions: tuple[Any, ...]
    neighbor_finder: NeighborFinder
    exclusions: Exclusions | None
    constraints: tuple[Any, ...]
    #: number of the first atom onward; carries the integer type and device for new arrays
    index: Array = indices()
    units: unit_systems.UnitSystem = static()
    dtype: str = static()
    backend: Backend = static()

    dimension_of: ClassVar[dict[str, str]] = {"coords": "length", "velocities": "velocity"}

    def __init__(
        self,
        atoms: Atoms,
        coords: Array,
        boundary: Boundary,
        velocities: Array | None = None,
        interactions: Sequence[Any] = (),
        neighbor_finder: NeighborFinder | None = None,
        exclusions: Exclusions | None = None,
        constraints: Sequence[Any] = (),
        units: unit_systems.UnitSystem = unit_systems.molar,
        dtype: str | None = None,
    ) -> None:
        interactions, constraints = several(interactions), several(constraints)
        check_parts(
            atoms=(atoms,),
            boundary=(boundary,),
            interactions=interactions,
            neighbor_finder=() if neighbor_finder is None else (neighbor_finder,),
            exclusions=() if exclusions is None else (exclusions,),
            constraints=constraints,
            units=(units,),
        )
        coords = unit_systems.magnitude(coords, "length", units, name="coords")
        velocities = unit_systems.magnitude(velocities, "velocity", units, name="velocities")
        finder = NeighborFinder() if neighbor_finder is None else neighbor_finder
        parts = {
            "coords": coords,
            "velocities": velocities,
            "atoms": atoms,
            "boundary": boundary,
            "interactions": interactions,
            "constraints": constraints,
        }
        entrance = Entrance.for_values(parts, like=coords, dtype=dtype, units=units)
        values = {
            "coords": entrance.array("coords", coords),
            "atoms": entrance.component(atoms),
            "boundary": entrance.component(boundary),
            "interactions": tuple(entrance.component(each) for each in interactions),
            "neighbor_finder": entrance.component(finder),
            "constraints": tuple(entrance.component(each) for each in constraints),
            "units": units,
            "dtype": entrance.dtype,
            "backend": entrance.backend,
        }
        placed = values["coords"]
        if placed.ndim != 2 or placed.shape[1] != boundary.dimensions:
            raise ValueError(
                f"`coords` has shape {tuple(placed.shape)}; {type(boundary).__name__} needs "
                f"(n_atoms, {boundary.dimensions})."
            )
        n_atoms = int(placed.shape[0])
        xp = entrance.backend.xp(placed)
        values["velocities"] = (
            xp.zeros_like(entrance.backend.stop_gradient(placed))
            if velocities is None
            else entrance.array("velocities", velocities)
        )
        values["exclusions"] = _with_partners(exclusions, n_atoms, entrance)
        values["index"] = entrance.integers("index", range(n_atoms))
        self.__dict__.update(values)
        check_system(self)
        if probing.get():
            raise BackendFound(self)

    def replace(self, **changes: Any) -> Self:
        """Return a System with some arguments changed, checked like a new one."""
        names = (
            "atoms",
            "coords",
            "boundary",
            "velocities",
            "interactions",
            "neighbor_finder",
            "exclusions",
            "constraints",
            "units",
            "dtype",
        )
        unknown = set(changes) - set(names)
        if unknown:
            raise TypeError(f"System.replace: unknown {sorted(unknown)}; possible are {names}.")
        return type(self)(**{**{name: getattr(self, name) for name in names}, **changes})

    def __reduce__(self) -> Any:
        leaves = flatten(self)[0]
        if any(self.backend.is_followed(leaf) for leaf in leaves):
            raise TypeError(
                f"{self!r} is being differentiated, and what it depends on would be lost on the way to a "
                "file or another process. Detach its arrays first."
            )
        return _restored, (type(self), self.__dict__)

    def __copy__(self) -> Self:
        return self.with_fields()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.with_fields(**copy.deepcopy(self.__dict__, memo))

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.coords.shape[-2])

    @property
    def degrees_of_freedom(self) -> int:
        """d n, minus one for each periodic direction and each constraint."""
        fixed = sum(self.boundary.periodic) + sum(c.n_constraints for c in self.constraints)
        return int(max(self.boundary.dimensions * self.n_atoms - fixed, 1))

    def masses(self, *, xp: Any) -> Array:
        """Return the masses as a column that broadcasts with `(n, d)` arrays, u."""
        mass = self.atoms.mass
        return mass if mass.ndim == 0 else mass[:, None]

    @property
    def pairwise(self) -> tuple[PairwiseInteraction, ...]:
        """The pairwise interactions."""
        return tuple(i for i in self.interactions if isinstance(i, PairwiseInteraction))

    @property
    def specific(self) -> tuple[SpecificInteraction, ...]:
        """The specific interactions."""
        return tuple(i for i in self.interactions if isinstance(i, SpecificInteraction))

    @property
    def general(self) -> tuple[GeneralInteraction, ...]:
        """The general interactions."""
        return tuple(i for i in self.interactions if isinstance(i, GeneralInteraction))

    def __repr__(self) -> str:
        sides = ", ".join(
            "open" if math.isinf(s) else f"{s:g}" for s in self.boundary.side_lengths()
        )
        kinds = ", ".join(type(i).__name__ for i in self.interactions) or "no interactions"
        return (
            f"<System of {self.n_atoms} atoms in {type(self.boundary).__name__}({sides}) on "
            f"{self.backend.name} {self.dtype}: {kinds}>"
        )


def _restored(cls: type[System], fields: dict[str, Any]) -> System:
    """Return a System that was pickled.

    Raises:
        BackendError: arrays of its type cannot be made here; says what to do.
    """
    system = object.__new__(cls)
    system.__dict__.update(fields)
    # A library may have read float64 as float32 without a word.
    if system.backend.dtype_name(system.coords) != system.dtype:
        system.backend.check_dtype(system.dtype)
    return system


def _with_partners(
    exclusions: Exclusions | None, n_atoms: int, entrance: Entrance
) -> Exclusions | None:
    if exclusions is None:
        return None
    known = exclusions.partners
    if entrance.backend.is_array(known) and known.shape[0] == n_atoms:
        return exclusions
    partners = exclusions.for_atoms(n_atoms)
    if not partners or not partners[0]:
        return None
    pairs = entrance.integers("exclusions", exclusions.pairs)
    return exclusions.with_fields(pairs=pairs, partners=entrance.integers("exclusions", partners))
