"""The way forward: the start of a run, and one chunk of steps after the other."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xpmd.explosion import acceleration_limit, largest_acceleration
from xpmd.force_field import total_forces
from xpmd.module import flatten
from xpmd.neighbor_upkeep import (
    build_neighbors,
    is_stale,
    narrowed,
    remembering,
    uses_neighbors,
)
from xpmd.program import ChunkState, Program, flat_floats
from xpmd.simulator import State

Array = Any
Arrays = tuple[Any, ...]


class ChunkResult(NamedTuple):
    """What a chunk returns.

    Attributes:
        state: the state after it.
        records: snapshots at the records it made, stacked.
        kept: rows of states or of step records, as was asked for.
        overflow: whether the neighbor list was too small, and nothing here counts.
        sane: whether every number is finite and no force moves an atom over half the box.
    """

    state: ChunkState
    records: Arrays
    kept: Any
    overflow: Array
    sane: Array


def start(program: Program, fresh: bool, leaves: Arrays) -> ChunkState:
    """Return the first state: wrapped, prepared if it is that of step 0, with forces."""
    xp = program.backend.xp(*leaves)
    state, system = prepared(program, fresh, leaves)
    neighbors = build_neighbors(system, state.coords, program.structure.plan, xp=xp)
    forces = total_forces(system, state.coords, neighbors, xp=xp)
    floats = flat_floats(state._replace(forces=forces))
    return ChunkState(floats, program.flat_lists(neighbors))


def prepared(program: Program, fresh: bool, leaves: Arrays) -> tuple[State, Any]:
    """Return the first state without its forces, and the System."""
    system, simulator = program.components(leaves)
    xp = program.backend.xp(*leaves)
    box, _ = flatten(system.boundary)
    coords = system.boundary.wrap(system.coords, xp=xp)
    state = State(coords, system.velocities, xp.zeros_like(coords), (), tuple(box))
    if fresh:
        state = simulator.prepare(state, system, xp=xp)
    return state, system


def lists_at(program: Program, leaves: Arrays, floats: Arrays) -> Arrays:
    """Return the neighbor list for a state."""
    system, _ = program.components(leaves)
    state, system = program.state(floats, system)
    xp = program.backend.xp(*leaves)
    neighbors = build_neighbors(system, state.coords, program.structure.plan, xp=xp)
    return program.flat_lists(neighbors)


def advance(
    program: Program,
    keep: str | None,
    leaves: Arrays,
    state: ChunkState,
    keys: Array,
    t0: Any,
    active: Any,
) -> ChunkResult:
    """Advance by `active` steps from step `t0`, at most a chunk.

    Args:
        keep: "states" to keep the state before each step, "records" what undoing each step needs.
    """
    backend = program.backend
    xp = backend.xp(*leaves, *state.floats)
    initial, simulator = program.components(leaves)
    n_floats, n_lists = len(state.floats), len(state.lists)
    dt = getattr(simulator, "dt", None)
    limits: list[Any] = [None, None]

    def limit_in(system: Any, box: Arrays) -> Array | None:
        """Return the limit of accelerations, computed again only if the box is another."""
        if limits[0] is None or any(a is not b for a, b in zip(limits[0], box, strict=True)):
            limits[:] = [box, acceleration_limit(system, dt)]
        return limits[1]

    def step(t: Any, carry: Arrays) -> Arrays:
        sane, *rest = carry
        now, system = program.state(tuple(rest[:n_floats]), initial)
        held = [tuple(rest[n_floats : n_floats + n_lists])]

        def forces(coords: Array) -> Array:
            held[0] = kept_up(program, held[0], system, coords, t, xp)
            return total_forces(system, coords, program.neighbors(held[0]), xp=xp)

        noise = program.noise(simulator, initial, keys, t)
        after, record = simulator.step(now, forces, system, t, noise, xp=xp)
        floats = flat_floats(after)
        lists = in_new_box(program, held[0], initial, tuple(rest[:n_floats]), floats)
        limit = limit_in(system, now.box)
        if limit is not None:
            sane = sane & (largest_acceleration(after.forces, system) < limit)
        record_leaves: Arrays = ()
        if keep == "records":
            found, program.record_spec = flatten(record)
            record_leaves = tuple(found)
        return (sane, *floats, *lists, *record_leaves)

    sane = backend.asarray(True, dtype="bool", device=backend.device_of(keys))
    carry: Arrays = (sane, *state.floats, *state.lists)
    if keep == "records":
        carry = (*carry, *_empty_record(program, leaves, state, keys, xp))
    carry, kept, records = _run(program, keep, step, carry, n_floats, n_lists, t0, active)
    sane, *rest = carry
    end = ChunkState(tuple(rest[:n_floats]), tuple(rest[n_floats : n_floats + n_lists]))
    for part in end.floats[:3]:
        part = backend.stop_gradient(part)
        sane = sane & backend.xp(part).all(backend.xp(part).isfinite(part))
    return ChunkResult(end, records, kept, program.neighbors(end.lists).overflow, sane)


def _run(
    program: Program,
    keep: str | None,
    step: Any,
    carry: Arrays,
    n_floats: int,
    n_lists: int,
    t0: Any,
    active: Any,
) -> tuple[Arrays, Any, Arrays]:
    """Take the steps; return the last carry, what was kept, and the records."""
    backend, structure = program.backend, program.structure
    inside, interval = structure.records_inside, structure.interval

    def snapshot(carry: Arrays) -> Arrays:
        return program.snapshot(carry[1 : 1 + n_floats])

    if keep is not None:
        first = 1 if keep == "states" else 1 + n_floats + n_lists
        last = 1 + n_floats if keep == "states" else len(carry)
        with_snapshots = keep == "records" and bool(inside)

        def pick(carry: Arrays) -> Arrays:
            return (*carry[first:last], *(snapshot(carry) if with_snapshots else ()))

        carry, kept = backend.repeat_keeping(
            lambda k, c: step(t0 + k, c), carry, active, structure.chunk, pick
        )
        records: Arrays = ()
        if inside and interval is not None:
            rows = backend.stacked_rows(kept, [(k + 1) * interval for k in range(inside)])
            records = rows[last - first :] if with_snapshots else program.snapshot(rows)
        if keep == "records":
            # Of a long run they are many, and small: an array for each would cost ten times as much.
            kept = backend.packed_rows(kept, last - first)
        return carry, kept, records
    if not inside or interval is None:
        carry = backend.repeat(lambda k, c: step(t0 + k, c), carry, active, structure.chunk)
        return carry, (), ()
    xp = backend.xp(*carry)

    def block(carry: Arrays, first: Any) -> tuple[Arrays, Arrays]:
        left = _clip(active - first, 0, interval, xp)
        carry = backend.repeat(lambda k, c: step(t0 + first + k, c), carry, left, interval)
        return carry, snapshot(carry)

    firsts = [k * interval for k in range(inside)]
    if not backend.capabilities.jit:
        firsts = [first for first in firsts if first < active]
    carry, columns = backend.scan(block, carry, firsts)
    return carry, (), tuple(columns)


def _empty_record(
    program: Program, leaves: Arrays, state: ChunkState, keys: Array, xp: Any
) -> Arrays:
    """Return a record of the right shapes, of a step that is not taken."""
    initial, simulator = program.components(leaves)
    now, system = program.state(state.floats, initial)
    noise = program.noise(simulator, initial, keys, 0)
    _, record = simulator.step(now, lambda coords: now.forces, system, 0, noise, xp=xp)
    found, program.record_spec = flatten(record)
    return tuple(xp.zeros_like(part) for part in found)


def kept_up(program: Program, lists: Arrays, system: Any, coords: Array, t: Any, xp: Any) -> Arrays:
    """Return the list, rebuilt if it is stale; overflow is remembered until the host looks."""
    if not (uses_neighbors(system) and math.isfinite(system.neighbor_finder.reach)):
        return lists
    backend = program.backend
    old = program.neighbors(lists)

    def rebuilt(x: Array, *held: Array) -> Arrays:
        new = build_neighbors(system, x, program.structure.plan, xp=xp)
        return program.flat_lists(remembering(program.neighbors(held), new, backend=backend))

    def kept(x: Array, *held: Array) -> Arrays:
        return held

    stale = is_stale(system, coords, old, t, xp=xp)
    return backend.cond(stale, rebuilt, kept, backend.stop_gradient(coords), *lists)


def in_new_box(
    program: Program, lists: Arrays, system: Any, before: Arrays, after: Arrays
) -> Arrays:
    """Return the list after a step, of no use if the box has become too narrow for an interaction.

    Args:
        before, after: floats of the states before and after the step.
    """
    end = len(after) - program.n_box
    # Most steps hand on the box they were given, which costs nothing then.
    if not uses_neighbors(system) or all(
        old is new for old, new in zip(before[end:], after[end:], strict=True)
    ):
        return lists
    _, system = program.state(after, system)
    return program.flat_lists(narrowed(system, program.neighbors(lists)))


def _clip(value: Any, low: int, high: int, xp: Any) -> Any:
    if isinstance(value, int):
        return min(max(value, low), high)
    return xp.clip(value, low, high)
