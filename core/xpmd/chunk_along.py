"""The way forward with a direction: how a state changes when leaves change, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xpmd.chunk_forward import in_new_box, kept_up, prepared
from xpmd.explosion import acceleration_limit, largest_acceleration
from xpmd.force_derivatives import force_jvp
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import build_neighbors
from xpmd.program import ChunkState, Program, flat_floats

Array = Any
Arrays = tuple[Any, ...]


class AlongResult(NamedTuple):
    """What a chunk with a direction returns.

    Attributes:
        state: the state after it.
        change: how its floats change.
        kept: rows of floats and their changes, before each step and at the end.
        overflow: whether the neighbor list was too small, and nothing here counts.
        sane: as for a chunk without direction.
    """

    state: ChunkState
    change: Arrays
    kept: Any
    overflow: Array
    sane: Array


def start_along(
    program: Program, fresh: bool, places: tuple[int, ...], leaves: Arrays, directions: Arrays
) -> tuple[ChunkState, Arrays]:
    """Return the first state, and how its floats change.

    Args:
        places: the leaves that change.
        directions: their changes.
    """
    backend = program.backend
    xp = backend.xp(*leaves)
    plain, _ = program.components(leaves)

    def listed(coords: Array, lists: Arrays) -> Arrays:
        neighbors = build_neighbors(plain, coords, program.structure.plan, xp=xp)
        return program.flat_lists(neighbors)

    def run(*values: Array) -> Arrays:
        changed = program.with_leaves(leaves, places, values)
        state, system = prepared(program, fresh, changed)
        forces = forces_along(program, leaves, places, system, listed)
        found, lists = forces(state.coords, ())
        return (*flat_floats(state._replace(forces=found)), *lists)

    values = tuple(leaves[place] for place in places)
    outs, changes = backend.jvp(run, values, directions)
    # Coordinates, velocities, forces and box; nothing is remembered before the first step.
    n_floats = 3 + program.n_box
    return ChunkState(tuple(outs[:n_floats]), tuple(outs[n_floats:])), tuple(changes[:n_floats])


def forces_along(
    program: Program,
    leaves: Arrays,
    places: tuple[int, ...],
    system: Any,
    listed: Callable[[Array, Arrays], Arrays],
) -> Callable[[Array, Arrays], tuple[Array, Arrays]]:
    """Return the total force as a primitive whose change is that of `force_jvp`.

    Args:
        leaves: plain ones.
        system: with the leaves that change, and the box of its state.
        listed: a neighbor list for plain coordinates, from the one before.

    Returns:
        A function of coordinates and a neighbor list that gives the forces and a list that holds.
    """
    backend = program.backend
    mapped, spec = flatten(system)
    used = [k for k in range(len(mapped)) if k in places and k not in program.start_places]
    # The box of the state changes as well, if anything does.
    used = sorted({*used, *(program.box_places if places else ())})
    plain = [backend.stop_gradient(leaf) for leaf in mapped]

    def rule(
        xs: Arrays, tangents: Sequence[Array | None]
    ) -> tuple[Arrays, tuple[Array | None, ...]]:
        coords, *values = xs
        lists = listed(coords, tuple(values[len(used) :]))
        held = list(plain)
        change: list[Array | None] = [None] * len(mapped)
        for k, value, tangent in zip(used, values, tangents[1:], strict=False):
            held[k], change[k] = value, tangent
        whole = unflatten(spec, held)
        xp = backend.xp(coords)
        moved = xp.zeros_like(coords) if tangents[0] is None else tangents[0]
        forces, along = force_jvp(whole, coords, program.neighbors(lists), moved, change)
        return (forces, *lists), (along, *(None for _ in lists))

    def primal(coords: Array, *values: Array) -> Arrays:
        return rule((coords, *values), [None] * (1 + len(values)))[0]

    primitive = backend.custom_jvp(primal, rule)

    def forces(coords: Array, lists: Arrays) -> tuple[Array, Arrays]:
        found, *after = primitive(coords, *(mapped[k] for k in used), *lists)
        return found, tuple(after)

    return forces


def advance_along(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    directions: Arrays,
    state: ChunkState,
    change: Arrays,
    keys: Array,
    t0: Any,
    active: Any,
) -> AlongResult:
    """Advance a state and its change by `active` steps from step `t0`.

    Args:
        places: the leaves that change, those of the start left out.
        directions: their changes.
        change: of the state's floats.
    """
    backend = program.backend
    xp = backend.xp(*leaves)
    n_floats, n_lists = len(state.floats), len(state.lists)
    values = tuple(leaves[place] for place in places)
    plain_system, plain_simulator = program.components(leaves)
    dt = getattr(plain_simulator, "dt", None)

    def body(k: Any, carry: Arrays) -> Arrays:
        sane, *rest = carry
        floats, moving = tuple(rest[:n_floats]), tuple(rest[n_floats : 2 * n_floats])
        _, with_box = program.state(floats, plain_system)

        def listed(coords: Array, lists: Arrays) -> Arrays:
            return kept_up(program, lists, with_box, coords, t0 + k, xp)

        def step(*xs: Array) -> Arrays:
            changed = program.with_leaves(leaves, places, xs[n_floats:])
            initial, simulator = program.components(changed)
            now, system = program.state(xs[:n_floats], initial)
            with_lists = forces_along(program, leaves, places, system, listed)
            held = [tuple(rest[2 * n_floats :])]

            def forces(coords: Array) -> Array:
                found, held[0] = with_lists(coords, held[0])
                return found

            noise = program.noise(simulator, plain_system, keys, t0 + k)
            after, _ = simulator.step(now, forces, system, t0 + k, noise, xp=backend.xp(*xs))
            return (*flat_floats(after), *held[0])

        outs, changes = backend.jvp(step, (*floats, *values), (*moving, *directions))
        floats, moving = tuple(outs[:n_floats]), tuple(changes[:n_floats])
        limit = acceleration_limit(with_box, dt)
        if limit is not None:
            sane = sane & (largest_acceleration(floats[2], with_box) < limit)
        lists = in_new_box(
            program, tuple(outs[n_floats:]), plain_system, tuple(rest[:n_floats]), floats
        )
        return (sane, *floats, *moving, *lists)

    sane = backend.asarray(True, dtype="bool", device=backend.device_of(keys))
    carry: Arrays = (sane, *state.floats, *change, *state.lists)
    last = 1 + 2 * n_floats
    kept: Any = ()
    if program.structure.records_inside:
        carry, kept = backend.repeat_keeping(
            body, carry, active, program.structure.chunk, lambda c: _snapshots(program, c, n_floats)
        )
    else:
        carry = backend.repeat(body, carry, active, program.structure.chunk)
    sane, *rest = carry
    floats, moving = tuple(rest[:n_floats]), tuple(rest[n_floats : 2 * n_floats])
    lists = tuple(carry[last : last + n_lists])
    for part in floats[:3]:
        sane = sane & xp.all(xp.isfinite(part))
    overflow = program.neighbors(lists).overflow
    return AlongResult(ChunkState(floats, lists), moving, kept, overflow, sane)


def _snapshots(program: Program, carry: Arrays, n_floats: int) -> Arrays:
    floats, moving = carry[1 : 1 + n_floats], carry[1 + n_floats : 1 + 2 * n_floats]
    return (*program.snapshot(floats), *program.snapshot(moving))
