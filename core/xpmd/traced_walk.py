"""A run inside an outer compiler: one loop, nothing for the host to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from xpmd.chunk_backward import BackwardPlan, add_snapshot, retreat, start_back, with_room
from xpmd.chunk_forward import advance, lists_at, start
from xpmd.errors import NeighborOverflowError
from xpmd.kernels import KERNELS
from xpmd.module import flatten, unflatten
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_upkeep import MOST_ATOMS_ALL_PAIRS, uses_neighbors
from xpmd.program import ChunkState, Program, Structure, program_for

Array = Any
Arrays = tuple[Any, ...]


def _program(trajectory: Any, leaves: Arrays) -> tuple[Program, Arrays, int]:
    """Return the program with all steps in one chunk, its leaves, and the number of its records."""
    system, simulator = unflatten(trajectory.spec, leaves)
    plan, spec = trajectory.find_plan(), trajectory.spec
    if plan is None and uses_neighbors(system) and math.isfinite(system.neighbor_finder.reach):
        if system.n_atoms > MOST_ATOMS_ALL_PAIRS:
            raise NeighborOverflowError(
                "The size of the neighbor list is unknown while the coordinates are traced: give "
                f"{type(system.neighbor_finder).__name__} a `capacity`, or leave jit to simulate."
            )
        plain = NeighborFinder()
        plan = plain.plan(system.coords, system.boundary, system.exclusions, backend=system.backend)
        changed, spec = flatten((system.with_fields(neighbor_finder=plain), simulator))
        leaves = tuple(changed)
    n_steps, interval = trajectory.n_steps, trajectory.interval
    longest = max(n_steps, 1)
    if interval is not None:
        longest = -(-longest // interval) * interval
    structure = Structure(
        trajectory.backend,
        spec,
        (1, *trajectory.shapes[1:]),
        plan,
        interval,
        longest,
        kernels=KERNELS.get(),
    )
    made = n_steps // interval if interval is not None else 0
    return program_for(structure, leaves), leaves, made


def traced_forward(trajectory: Any, leaves: Arrays, *, keep: bool = False) -> tuple[Arrays, Any]:
    """Return the snapshots and what the way back needs.

    Raises:
        ValueError: there are reporters, who would be told nothing.
    """
    if trajectory.watch.reporters:
        raise ValueError(
            "`reporters` and `progress` are told of steps by the host, which sees nothing while all of a "
            "simulation is compiled or mapped: leave them out there, or simulate outside of it."
        )
    program, leaves, made = _program(trajectory, leaves)
    backend, first_step = trajectory.backend, trajectory.start_step
    xp = backend.xp(*leaves)
    state: ChunkState = program.compiled(start, first_step == 0)(leaves)
    overflow = program.neighbors(state.lists).overflow
    result = program.compiled(advance, "states" if keep else None)(
        leaves, state, trajectory.keys, first_step, trajectory.n_steps
    )
    overflow = overflow | result.overflow
    outputs = program.snapshot(result.state.floats)
    if trajectory.keep_records:
        first = [part[None, ...] for part in program.snapshot(state.floats)]
        rows = (
            [part[:made, ...] for part in result.records] if made else [part[:0] for part in first]
        )
        outputs = (*outputs, *(xp.concat([a, b]) for a, b in zip(first, rows, strict=True)))
    outputs = tuple(xp.where(overflow, xp.nan + xp.zeros_like(x), x) for x in outputs)
    return outputs, (result.kept, state.floats, result.state.floats) if keep else ()


def traced_back(
    trajectory: Any,
    leaves: Arrays,
    kept: Any,
    wanted: Sequence[bool],
    cotangents: Sequence[Array | None],
) -> list[Array | None]:
    """Return the cotangent of each leaf."""
    original = len(leaves)
    program, leaves, made = _program(trajectory, leaves)
    backend, first_step = trajectory.backend, trajectory.start_step
    rows, first, end = kept
    xp = backend.xp(*end)
    flags = [w and f for w, f in zip(wanted, program.is_float, strict=False)]
    every = tuple(k for k, flag in enumerate(flags) if flag)
    places = tuple(k for k in every if k not in program.start_places)
    width = 2 + program.n_box
    lam = add_snapshot(tuple(xp.zeros_like(x) for x in end), cotangents[:width], program.n_box)
    of_records: Arrays = ()
    parts = list(cotangents[width:])
    if made and any(part is not None for part in parts):
        inside = program.structure.records_inside
        of_records = tuple(
            with_room(None if part is None else part[1:, ...], inside, like, backend)
            for part, like in zip(parts, program.snapshot(end), strict=True)
        )
    tempering = trajectory.strategy.tempering
    n_steps = trajectory.n_steps if tempering.truncate is not None else 0
    plan = BackwardPlan(places, False, bool(of_records), tempering=tempering, n_steps=n_steps)
    lists = program.compiled(lists_at)(leaves, end)
    totals = tuple(xp.zeros_like(leaves[k]) for k in places)
    result = program.compiled(retreat, plan)(
        leaves, rows, end, lists, trajectory.keys, first_step, trajectory.n_steps, 0, lam,
        of_records, totals,
    )  # fmt: skip
    lam = result.cotangents
    if any(part is not None for part in parts):
        row = [None if part is None else part[0, ...] for part in parts]
        lam = add_snapshot(lam, row, program.n_box)
    of_start = program.compiled(start_back, first_step == 0, every)(
        leaves, first, result.lists, lam
    )
    found: list[Array | None] = [None] * len(program.is_float)
    for place, value in zip(every, of_start, strict=True):
        found[place] = xp.where(result.overflow, xp.nan + xp.zeros_like(value), value)
    for place, value in zip(places, result.totals, strict=True):
        found[place] = found[place] + value
    return (found + [None] * original)[:original]
