"""A program: one structure of System and simulator, as functions of flat arrays, compiled once.

The structure (classes, static fields, shapes of lists) is the key under which a program is kept, so a
loss that builds a new System in every call compiles nothing after the first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import optree

from xpmd.backend import Backend
from xpmd.module import flatten, unflatten
from xpmd.neighbor_list import NeighborList
from xpmd.noise import Noise
from xpmd.simulator import Simulator, State

Array = Any
Arrays = tuple[Any, ...]

#: Most steps in a chunk, the unit of compilation and of what the host looks at.
LONGEST_CHUNK = 100
#: Atoms times steps whose states a chunk may keep at once.
CHUNK_BUDGET = 2_000_000
#: Programs kept; a class defined anew in every call of a loss would otherwise fill the memory.
MOST_PROGRAMS = 64
#: Whether programs made now use the adjoints that simulators write themselves.
EXPLICIT_ADJOINTS: ContextVar[bool] = ContextVar("EXPLICIT_ADJOINTS", default=True)


class ChunkState(NamedTuple):
    """What passes from chunk to chunk: numbers that gradients reach, and the neighbor list.

    Attributes:
        floats: coordinates, velocities, forces, memory of the simulator, leaves of the box.
        lists: leaves of the neighbor list.
    """

    floats: Arrays
    lists: Arrays


@dataclass(frozen=True)
class Structure:
    """Everything about a run that compiled code is specialised on.

    Attributes:
        spec: of the System and the simulator.
        shapes: number of atoms, then shape and type of each leaf.
        plan: sizes of the neighbor list.
        interval: steps between records, `None` for none.
        longest: most steps in a chunk.
        explicit: whether simulators' own adjoints are used where they have one.
        kernels: whether the backend's own kernels are.
    """

    backend: Backend
    spec: optree.PyTreeSpec
    shapes: tuple[Any, ...]
    plan: Any
    interval: int | None
    longest: int = LONGEST_CHUNK
    explicit: bool = True
    kernels: bool = True

    @property
    def chunk(self) -> int:
        """Steps in a chunk."""
        n_atoms: int = self.shapes[0]
        longest = max(1, min(self.longest, max(10, CHUNK_BUDGET // max(n_atoms, 1))))
        if self.interval is None or self.interval >= longest:
            return longest
        return longest // self.interval * self.interval

    @property
    def records_inside(self) -> int:
        """Records that a chunk makes itself; 0 if records fall on ends of chunks only."""
        if self.interval is None or self.interval > self.chunk:
            return 0
        return self.chunk // self.interval


class Program:
    """A structure and its leaves: how they become components again, and what is compiled for them."""

    def __init__(self, structure: Structure, leaves: Arrays) -> None:
        self.structure = structure
        self.backend: Backend = structure.backend
        self.is_float = tuple("float" in self.backend.dtype_name(leaf) for leaf in leaves)
        numbers, _ = unflatten(structure.spec, list(range(len(leaves))))
        #: Places of the coordinates and velocities, which only the start depends on.
        self.start_places = (numbers.coords, numbers.velocities)
        box, self._box_spec = flatten(numbers.boundary)
        self.box_places = tuple(box)
        #: How many leaves the System has; those of the simulator come after them.
        self.n_of_system = len(flatten(numbers)[0])
        #: Places of the parameters of the energy, which act through the forces alone.
        self.energy_places = frozenset(
            [*flatten(numbers.atoms.parameters)[0], *flatten(numbers.interactions)[0]]
        )
        self.explicit = structure.explicit
        self._held: tuple[Arrays, Any] | None = None
        self._list_spec: Any = None
        self.record_spec: Any = None
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def compiled(
        self, function: Callable[..., Any], *static: Any, exact: bool = False
    ) -> Callable[..., Any]:
        """Return `function(self, *static, ...)` compiled, once for each set of static arguments."""
        key = (function, *static)
        found = self._compiled.get(key)
        if found is None:
            found = self.backend.jit(
                lambda *arguments: function(self, *static, *arguments), exact=exact
            )
            self._compiled[key] = found
        return found

    @property
    def n_box(self) -> int:
        """Number of leaves of the box, the last ones of a state's floats."""
        return len(self.box_places)

    def components(self, leaves: Arrays) -> tuple[Any, Simulator]:
        """Return the System and the simulator that the leaves belong to."""
        held = self._held
        if held is not None and held[0] is leaves:
            return held[1]  # type: ignore[no-any-return]
        return unflatten(self.structure.spec, leaves)  # type: ignore[no-any-return]

    @contextmanager
    def holding(self, leaves: Arrays) -> Iterator[None]:
        """Put together the components of these leaves once for all steps within."""
        self._held = leaves, self.components(leaves)
        try:
            yield
        finally:
            self._held = None

    def state(self, floats: Arrays, system: Any) -> tuple[State, Any]:
        """Return the state and the System with the box of the state."""
        end = len(floats) - self.n_box
        box = tuple(floats[end:])
        if box:
            system = system.with_fields(boundary=unflatten(self._box_spec, box))
        return State(floats[0], floats[1], floats[2], tuple(floats[3:end]), box), system

    def system_at(self, leaves: Arrays, floats: Arrays) -> Any:
        """Return the System with coordinates, velocities and box of a state."""
        system, _ = self.components(leaves)
        state, system = self.state(floats, system)
        return system.with_fields(coords=state.coords, velocities=state.velocities)

    def snapshot(self, floats: Arrays) -> Arrays:
        """Return coordinates, velocities and box of a state."""
        return (*floats[:2], *floats[len(floats) - self.n_box :])

    def neighbors(self, lists: Arrays) -> NeighborList:
        """Return the neighbor list that the flat arrays belong to."""
        return unflatten(self._list_spec, lists)  # type: ignore[no-any-return]

    def flat_lists(self, neighbors: NeighborList) -> Arrays:
        """Return the leaves of a neighbor list."""
        leaves, self._list_spec = flatten(neighbors)
        return tuple(leaves)

    def noise(self, simulator: Simulator, system: Any, keys: Array, t: Any) -> Any:
        """Return the noise of a step, `None` if none is drawn; it is never differentiated."""
        if not (simulator.stochastic or any(c.stochastic for c in simulator.couplings)):
            return None
        xp = self.backend.xp(keys)
        dtype, device = getattr(xp, system.dtype), self.backend.device_of(keys)
        return Noise(keys, t, xp=xp, dtype=dtype, device=device)

    def with_leaves(self, leaves: Arrays, places: tuple[int, ...], values: Arrays) -> Arrays:
        """Return the leaves with those at some places replaced."""
        changed = list(leaves)
        for place, value in zip(places, values, strict=True):
            changed[place] = value
        return tuple(changed)


def flat_floats(state: State) -> Arrays:
    """Return a state as flat arrays."""
    return (state.coords, state.velocities, state.forces, *state.memory, *state.box)


_programs: OrderedDict[Structure, Program] = OrderedDict()


def program_for(structure: Structure, leaves: Arrays) -> Program:
    """Return the program of a structure, made on first use."""
    program = _programs.pop(structure, None)
    if program is None:
        program = Program(structure, leaves)
    _programs[structure] = program
    while len(_programs) > MOST_PROGRAMS:
        _programs.popitem(last=False)
    return program
