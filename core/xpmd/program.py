"""A program: one structure of System and simulator, as functions of flat arrays, compiled once.

The structure (classes, static fields, shapes of lists) is the key under which a program is kept, so a
loss that builds a new System in every call compiles nothing after the first.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import optree

from xpmd.backend import Backend
from xpmd.explosion import acceleration_limit, largest_acceleration
from xpmd.force_field import total_forces
from xpmd.module import flatten, unflatten
from xpmd.neighbor_list import NeighborList
from xpmd.neighbor_upkeep import build_neighbors, is_stale, uses_neighbors
from xpmd.noise import Noise
from xpmd.simulator import State

Array = Any
Arrays = tuple[Any, ...]

#: Most steps in a chunk, the unit of compilation and of what is recomputed in a backward pass.
LONGEST_CHUNK = 100
#: Pair entries times steps that a chunk may hold at once when it is differentiated.
CHUNK_BUDGET = 5_000_000
#: Programs kept; a class defined anew in every call of a loss would otherwise fill the memory.
MOST_PROGRAMS = 64


class ChunkState(NamedTuple):
    """What passes from chunk to chunk: numbers that gradients reach, and the neighbor list."""

    floats: Arrays
    lists: Arrays


class ChunkResult(NamedTuple):
    """What a chunk returns: the state after it, its records, and flags that the host looks at."""

    state: ChunkState
    records: Arrays
    overflow: Array
    sane: Array


@dataclass(frozen=True)
class Structure:
    """Everything about a run that compiled code is specialised on."""

    backend: Backend
    spec: optree.PyTreeSpec
    shapes: tuple[Any, ...]
    plan: Any
    interval: int | None

    @property
    def chunk(self) -> int:
        """Steps in a chunk."""
        n_atoms: int = self.shapes[0]
        budget = CHUNK_BUDGET // max(n_atoms * min(n_atoms, 80), 1)
        longest = max(10, min(LONGEST_CHUNK, budget))
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
    """The functions of one structure: start, advance by a chunk, and the reverse of both."""

    def __init__(self, structure: Structure, leaves: Arrays) -> None:
        backend = structure.backend
        self.structure = structure
        self.backend = backend
        self.is_float = tuple("float" in backend.dtype_name(leaf) for leaf in leaves)
        self.start = backend.jit(lambda leaves: self._start(leaves, fresh=False))
        self.start_fresh = backend.jit(lambda leaves: self._start(leaves, fresh=True))
        self.lists = backend.jit(self._lists)
        self.advance = backend.jit(self._advance)
        self.start_back = backend.jit(lambda *a: self._start_back(*a, fresh=False))
        self.start_fresh_back = backend.jit(lambda *a: self._start_back(*a, fresh=True))
        self.advance_back = backend.jit(self._advance_back)
        self._list_spec: Any = None
        self._memory_size = 0

    # -- components from leaves -----------------------------------------------------------------

    def components(self, leaves: Arrays) -> tuple[Any, Any]:
        """Return the System and the simulator that the leaves belong to."""
        return unflatten(self.structure.spec, leaves)  # type: ignore[no-any-return]

    def _state(self, floats: Arrays, system: Any) -> tuple[State, Any]:
        """Return the state and the System with the box of the state."""
        box_leaves, box_spec = flatten(system.boundary)
        n_box = len(box_leaves)
        end = len(floats) - n_box
        box = floats[end:]
        boundary = unflatten(box_spec, box) if n_box else system.boundary
        return (
            State(floats[0], floats[1], floats[2], tuple(floats[3:end]), tuple(box)),
            system.with_fields(boundary=boundary),
        )

    def system_at(self, leaves: Arrays, floats: Arrays) -> Any:
        """Return the System with coordinates, velocities and box of a state."""
        system, _ = self.components(leaves)
        state, system = self._state(floats, system)
        return system.with_fields(coords=state.coords, velocities=state.velocities)

    def neighbors(self, lists: Arrays) -> NeighborList:
        """Return the neighbor list that the flat arrays belong to."""
        return unflatten(self._list_spec, lists)  # type: ignore[no-any-return]

    def _flat_lists(self, neighbors: NeighborList) -> Arrays:
        leaves, self._list_spec = flatten(neighbors)
        return tuple(leaves)

    # -- forward --------------------------------------------------------------------------------

    def _start(self, leaves: Arrays, *, fresh: bool) -> ChunkState:
        system, simulator = self.components(leaves)
        xp = self.backend.xp(*leaves)
        box, _ = flatten(system.boundary)
        coords = system.boundary.wrap(system.coords, xp=xp)
        state = State(coords, system.velocities, xp.zeros_like(coords), (), tuple(box))
        if fresh:
            state = simulator.prepare(state, system, xp=xp)
        neighbors = build_neighbors(system, coords, self.structure.plan, xp=xp)
        forces = total_forces(system, coords, neighbors, xp=xp)
        floats = (state.coords, state.velocities, forces, *state.memory, *state.box)
        return ChunkState(floats, self._flat_lists(neighbors))

    def _lists(self, leaves: Arrays, coords: Array) -> Arrays:
        """Return the list for given coordinates, after a larger plan has been made."""
        system, _ = self.components(leaves)
        xp = self.backend.xp(*leaves)
        return self._flat_lists(build_neighbors(system, coords, self.structure.plan, xp=xp))

    def _advance(
        self, leaves: Arrays, state: ChunkState, keys: Array, t0: Any, active: Any
    ) -> ChunkResult:
        """Advance by `active` steps from step `t0`, at most a chunk."""
        backend, structure = self.backend, self.structure
        xp = backend.xp(*leaves, *state.floats)
        initial, simulator = self.components(leaves)
        upkeep = uses_neighbors(initial) and math.isfinite(initial.neighbor_finder.reach)
        n_floats = len(state.floats)
        # Noise is never differentiated, so it is drawn in the plain namespace.
        plain, device = backend.xp(keys), backend.device_of(keys)
        dtype = getattr(plain, initial.dtype)
        stochastic = simulator.stochastic or any(c.stochastic for c in simulator.couplings)
        dt = getattr(simulator, "dt", None)

        def step(t: Any, carry: Arrays) -> Arrays:
            sane, *rest = carry
            carry = tuple(rest)
            now, system = self._state(carry[:n_floats], initial)
            held = [carry[n_floats:]]

            def forces(coords: Array) -> Array:
                if upkeep:
                    held[0] = self._kept(held[0], system, coords, t, xp)
                return total_forces(system, coords, self.neighbors(held[0]), xp=xp)

            noise: Any = None
            if stochastic:
                noise = Noise(keys, t, xp=plain, dtype=dtype, device=device)
            after, _ = simulator.step(now, forces, system, t, noise, xp=xp)
            numbers = (after.coords, after.velocities, after.forces, *after.memory, *after.box)
            limit = acceleration_limit(system, dt)
            if limit is not None:
                sane = sane & (largest_acceleration(after.forces, system) < limit)
            return (sane, *numbers, *held[0])

        sane = backend.asarray(True, dtype="bool", device=device)
        carry = (sane, *state.floats, *state.lists)
        records: Arrays = ()
        inside, interval = structure.records_inside, structure.interval
        if inside and interval is not None:
            n_box = len(flatten(initial.boundary)[0])

            def block(carry: Arrays, first: Any) -> tuple[Arrays, Arrays]:
                left = _clip(active - first, 0, interval, xp)
                carry = backend.repeat(lambda k, c: step(t0 + first + k, c), carry, left, interval)
                floats = carry[1 : 1 + n_floats]
                return carry, (*floats[:2], *floats[n_floats - n_box :])

            firsts = [k * interval for k in range(inside)]
            if not backend.capabilities.jit:
                firsts = [first for first in firsts if first < active]
            carry, rows = backend.scan(block, carry, firsts)
            records = tuple(rows)
        else:
            carry = backend.repeat(lambda k, c: step(t0 + k, c), carry, active, structure.chunk)
        sane, *rest = carry
        end = ChunkState(tuple(rest[:n_floats]), tuple(rest[n_floats:]))
        for part in end.floats[:3]:
            part = backend.stop_gradient(part)
            sane = sane & backend.xp(part).all(backend.xp(part).isfinite(part))
        return ChunkResult(end, records, self.neighbors(end.lists).overflow, sane)

    def _kept(self, lists: Arrays, system: Any, coords: Array, t: Any, xp: Any) -> Arrays:
        """Return the list, rebuilt if it is stale; overflow is remembered until the host looks."""
        old = self.neighbors(lists)

        def rebuilt(x: Array, *held: Array) -> Arrays:
            before = self.neighbors(held)
            new = build_neighbors(system, x, self.structure.plan, xp=xp)
            return self._flat_lists(
                new.with_fields(
                    overflow=before.overflow | new.overflow,
                    count=_larger(before.count, new.count, self.backend.xp(new.count)),
                )
            )

        def kept(x: Array, *held: Array) -> Arrays:
            return held

        stale = is_stale(system, coords, old, t, xp=xp)
        x = self.backend.stop_gradient(coords)
        return self.backend.cond(stale, rebuilt, kept, x, *lists)

    # -- backward -------------------------------------------------------------------------------

    def _merged(self, leaves: Arrays, floats: Arrays) -> Arrays:
        """Return the leaves with the float ones replaced."""
        new = iter(floats)
        return tuple(
            next(new) if is_float else leaf
            for leaf, is_float in zip(leaves, self.is_float, strict=True)
        )

    def float_leaves(self, leaves: Arrays) -> Arrays:
        """Return the leaves that gradients reach."""
        return tuple(leaf for leaf, f in zip(leaves, self.is_float, strict=True) if f)

    def _start_back(self, leaves: Arrays, cotangents: Arrays, *, fresh: bool) -> Arrays:
        """Pull cotangents of the first state back to the float leaves."""

        def run(*floats: Array) -> Arrays:
            return self._start(self._merged(leaves, floats), fresh=fresh).floats

        _, pull = self.backend.vjp(run, *self.float_leaves(leaves))
        return tuple(pull(cotangents))

    def _advance_back(
        self,
        leaves: Arrays,
        state: ChunkState,
        keys: Array,
        t0: Any,
        active: Any,
        cotangents: Arrays,
        record_cotangents: Arrays,
    ) -> tuple[Arrays, Arrays]:
        """Pull cotangents of a chunk's end and records back to the float leaves and its start.

        The chunk is run again, so only the states at the starts of chunks need to be kept.
        """
        floats = self.float_leaves(leaves)

        def run(*xs: Array) -> Arrays:
            inner = ChunkState(xs[len(floats) :], state.lists)
            result = self._advance(self._merged(leaves, xs[: len(floats)]), inner, keys, t0, active)
            return (*result.state.floats, *result.records)

        _, pull = self.backend.vjp(run, *floats, *state.floats)
        pulled = pull((*cotangents, *record_cotangents))
        return tuple(pulled[: len(floats)]), tuple(pulled[len(floats) :])


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


def _clip(value: Any, low: int, high: int, xp: Any) -> Any:
    if isinstance(value, int):
        return min(max(value, low), high)
    return xp.clip(value, low, high)


def _larger(first: Array, second: Array, xp: Any) -> Array:
    return xp.where(first > second, first, second)
