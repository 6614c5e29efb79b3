"""Undoing steps on the way back, where the forces there and what is pulled through them share a pass.

To undo a step takes the forces at its start, and the way back through the step before takes J^T w there.
Which w that is follows from the cotangents as soon as those of the later step are pulled, before it is
undone: a simulator that says itself how cotangents pass a step says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd.chunk_forward import kept_up
from xpmd.force_derivatives import force_vjp
from xpmd.force_field import total_forces
from xpmd.module import unflatten
from xpmd.program import Program, flat_floats

Array = Any
Arrays = tuple[Any, ...]


def undone(
    program: Program,
    leaves: Arrays,
    record: Arrays,
    after: Arrays,
    held: Arrays,
    keys: Array,
    t: Any,
    xp: Any,
    force: Callable[[Any, Array, Arrays], Array] | None = None,
) -> tuple[Arrays, Arrays]:
    """Return the state before a step from the one after it, and a list that holds at both.

    Args:
        force: total forces of a System at coordinates, with a list that holds there.
    """
    initial, simulator = program.components(leaves)
    state, system = program.state(after, initial)
    lists = [held]

    def forces(coords: Array) -> Array:
        lists[0] = kept_up(program, lists[0], system, coords, 1, xp)
        if force is not None:
            return force(system, coords, lists[0])
        return total_forces(system, coords, program.neighbors(lists[0]), xp=xp)

    noise = program.noise(simulator, initial, keys, t)
    tree = unflatten(program.record_spec, list(record))
    before = simulator.inverse(state, tree, forces, system, t, noise, xp=xp)
    return flat_floats(before), lists[0]


def undone_and_pulled(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    record: Arrays,
    after: Arrays,
    held: Arrays,
    keys: Array,
    t: Any,
    cotangents: Arrays,
    earlier: Any,
    xp: Any,
) -> tuple[Arrays, Arrays, Arrays]:
    """Return the state before a step, a list that holds there, and what `pulled_ahead` returns of it.

    Args:
        t: number of the step.
        cotangents: of the state before it.
        earlier: number of the step before it.
    """
    ahead: list[Arrays] = []

    def force(system: Any, coords: Array, lists: Arrays) -> Array:
        w = _pulled_cotangent(program, leaves, system, cotangents, earlier, xp)
        forces, *found = _force_vjp(program, places, leaves, system, coords, lists, w, forces=True)
        ahead.append(tuple(found))
        return forces

    now, held = undone(program, leaves, record, after, held, keys, t, xp, force)
    if len(ahead) != 1:  # the inverse looks at other forces too
        return now, held, pulled_ahead(program, places, leaves, now, held, cotangents, earlier, xp)
    return now, held, ahead[0]


def pulled_ahead(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    floats: Arrays,
    lists: Arrays,
    cotangents: Arrays,
    t: Any,
    xp: Any,
) -> Arrays:
    """Return J^T w at a state, then cotangents of the wanted leaves, for the way back through a step.

    Args:
        floats, lists: the state after the step, and a list that holds there.
        cotangents: of that state.
        t: number of the step.
    """
    state, system = program.state(floats, program.components(leaves)[0])
    w = _pulled_cotangent(program, leaves, system, cotangents, t, xp)
    _, *found = _force_vjp(program, places, leaves, system, state.coords, lists, w, forces=False)
    return tuple(found)


def known_step_back(
    program: Program, leaves: Arrays, after: Arrays, cotangents: Arrays, response: Array, t: Any
) -> Arrays:
    """Return cotangents of a state from those of the one a step later, where J^T w is known there."""
    system, simulator = program.components(leaves)
    xp = program.backend.xp(*leaves, *after)
    _, system = program.state(after, system)
    state, _ = program.state(cotangents, system)
    assert simulator.adjoint is not None
    return flat_floats(simulator.adjoint(state, lambda w: response, system, t, xp=xp))


def _pulled_cotangent(
    program: Program, leaves: Arrays, system: Any, cotangents: Arrays, t: Any, xp: Any
) -> Array:
    """Return what the adjoint of a step pulls through the forces."""
    _, simulator = program.components(leaves)
    state, _ = program.state(cotangents, system)
    asked: list[Array] = []

    def pull(w: Array) -> Array:
        asked.append(w)
        return xp.zeros_like(w)

    assert simulator.adjoint is not None
    simulator.adjoint(state, pull, system, t, xp=xp)
    return asked[0]


def _force_vjp(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    system: Any,
    coords: Array,
    lists: Arrays,
    w: Array,
    *,
    forces: bool,
) -> Arrays:
    """Return forces, if wanted, J^T w, and cotangents of the wanted leaves, zeros where there is none."""
    flags = [k in places for k in range(program.n_of_system)]
    total, response, found = force_vjp(
        system, coords, program.neighbors(lists), w, flags, forces=forces
    )
    xp = program.backend.xp(w)
    slopes = filled([found[place] for place in places], [leaves[place] for place in places], xp)
    return (total, response, *slopes)


def filled(cotangents: Sequence[Array | None], values: Sequence[Array], xp: Any) -> Arrays:
    """Return cotangents of values, zeros where there is none."""
    return tuple(
        xp.zeros_like(value) if each is None else each
        for each, value in zip(cotangents, values, strict=True)
    )
