"""A walk in whole numbers, forwards and backwards, bit for bit the same both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.backend import Backend
from xpmd.chunk_backward import (
    BackwardPlan,
    split,
    step_back,
    tempered,
    with_record,
    without_earlier,
)
from xpmd.chunk_forward import prepared
from xpmd.errors import GradientError
from xpmd.force_field import total_forces
from xpmd.lattice import FULL_BUFFER, Lattice, LatticeState, friction_factor
from xpmd.module import flatten
from xpmd.neighbor_list import NeighborList
from xpmd.neighbor_upkeep import build_neighbors, remembering
from xpmd.orthorhombic_boundary import OrthorhombicBoundary
from xpmd.program import ChunkState, Program, flat_floats
from xpmd.simulator import State
from xpmd.walk import Chunk, Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]


class LatticeWalk:
    """A walk in whole numbers.

    The neighbor list is built anew for every force, so that a force depends on positions alone.

    Args:
        walk: the walk, not yet begun.

    Raises:
        GradientError: the run cannot be done in whole numbers; says why.
    """

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        _check(walk)
        simulator = walk.simulator
        self.factor = (1, 1)
        friction = simulator.friction_of_motion
        if not isinstance(friction, float):
            self.factor = friction_factor(friction, simulator.dt)
        self.full: dict[int, Array] = {}

    def begin(self) -> LatticeState:
        """Return the first state."""
        walk = self.walk
        while True:
            whole, floats, lists = walk.program.compiled(
                lattice_start, walk.start_step == 0, exact=True
            )(walk.leaves)
            if not walk.overflowed(lists):
                break
        walk.begin_at(ChunkState(tuple(floats), tuple(lists)))
        return LatticeState(*whole)

    def floats(self, state: LatticeState) -> Arrays:
        """Return coordinates, velocities, forces and box of a state."""
        walk = self.walk
        while True:
            floats, lists = walk.program.compiled(lattice_floats, exact=True)(walk.leaves, state)
            if not walk.overflowed(lists):
                return tuple(floats)

    def advance(self, chunk: Chunk, state: LatticeState) -> LatticeState:
        """Go through a chunk."""
        walk, before = self.walk, self.floats(state)
        while True:
            whole, end, kept, sane = walk.program.compiled(
                lattice_advance, self.factor, exact=True
            )(walk.leaves, state, walk.keys, walk.start_step + chunk.done, chunk.active)
            end = ChunkState(tuple(end[0]), tuple(end[1]))
            if not walk.overflowed(end.lists):
                break
        records: Arrays = ()
        if chunk.records:
            interval = walk.program.structure.interval or 1
            places = [(k + 1) * interval for k in range(chunk.records)]
            records = walk.backend.stacked_rows(kept, places)
        walk.passed(chunk, before, end, records, bool(sane))
        after = LatticeState(*whole)
        if int(walk.backend.known(after.buffers).max(initial=0)) >= FULL_BUFFER:
            self.full[chunk.number] = after.buffers
            after = after._replace(buffers=walk.backend.xp(after.buffers).zeros_like(after.buffers))
        return after

    def retreat(
        self, back: WalkBack, chunk: Chunk, state: LatticeState, cotangents: Arrays
    ) -> tuple[Arrays, LatticeState]:
        """Go back through a chunk; return cotangents of the state at its start, and that state."""
        walk = self.walk
        state = state._replace(buffers=self.full.get(chunk.number, state.buffers))
        end = self.floats(state)
        cotangents, of_records = back.with_records(chunk, end, cotangents)
        plan = back.plan(reconstruct=True)
        while True:
            lam, totals, whole, lists = walk.program.compiled(
                lattice_retreat, self.factor, plan, exact=True
            )(
                walk.leaves, state, walk.keys, walk.start_step + chunk.done, chunk.active,
                chunk.done, cotangents, of_records, back.totals,
            )  # fmt: skip
            if not walk.overflowed(lists):
                break
        back.totals = tuple(totals)
        return tuple(lam), LatticeState(*whole)


def _check(walk: Walk) -> None:
    simulator, system = walk.simulator, walk.system
    name = type(simulator).__name__
    if not hasattr(simulator, "lattice_step"):
        reason = f"{name} has no `lattice_step`"
    elif simulator.couplings:
        reason = f"{type(simulator.couplings[0]).__name__} has no inverse in whole numbers"
    elif simulator.stochastic and getattr(simulator, "remove_cm_motion", 0):
        reason = "removing the motion of the center of mass has none; use remove_cm_motion=0"
    elif not isinstance(system.boundary, OrthorhombicBoundary):
        reason = f"{type(system.boundary).__name__} has no right angles"
    elif system.dtype != "float64":
        reason = f"the System is in {system.dtype}, and forces must be exact to many digits"
    else:
        return
    raise GradientError(f"The fixed-point mode cannot be used here: {reason}.")


def _parts(program: Program, leaves: Arrays, xp: Any) -> tuple[Any, Any, Lattice]:
    system, simulator = program.components(leaves)
    return system, simulator, Lattice(system, simulator.dt, xp=xp)  # type: ignore[attr-defined]


def lattice_start(program: Program, fresh: bool, leaves: Arrays) -> tuple[Any, Arrays, Arrays]:
    """Return the first state, its floats, and the neighbor list."""
    xp = program.backend.xp(*leaves)
    state, _ = prepared(program, fresh, leaves)
    _, _, lattice = _parts(program, leaves, xp)
    whole = lattice.nearest(state.coords, state.velocities)
    return (whole, *lattice_floats(program, leaves, whole))


def lattice_floats(program: Program, leaves: Arrays, whole: LatticeState) -> tuple[Arrays, Arrays]:
    """Return the floats of a state, forces included, and the neighbor list they were found with."""
    xp = program.backend.xp(*leaves)
    system, _, lattice = _parts(program, leaves, xp)
    coords = lattice.coords(LatticeState(*whole))
    neighbors = build_neighbors(system, coords, program.structure.plan, xp=xp)
    forces = total_forces(system, coords, neighbors, xp=xp)
    velocities = lattice.velocities(LatticeState(*whole))
    box = tuple(flatten(system.boundary)[0])
    floats = flat_floats(State(coords, velocities, forces, (), box))
    return floats, program.flat_lists(neighbors)


def lattice_advance(
    program: Program,
    factor: tuple[int, int],
    leaves: Arrays,
    whole: LatticeState,
    keys: Array,
    t0: Any,
    active: Any,
) -> tuple[Any, Any, Any, Array]:
    """Advance by `active` steps; return the state, its floats and list, records, and a flag.

    The list remembers what those before it could not hold.
    """
    backend = program.backend
    xp = backend.xp(*leaves)
    system, simulator, lattice = _parts(program, leaves, xp)

    def forces(positions: Array) -> tuple[Array, NeighborList]:
        coords = lattice.coords(LatticeState(positions, positions, positions))
        neighbors = build_neighbors(system, coords, program.structure.plan, xp=xp)
        return total_forces(system, coords, neighbors, xp=xp), neighbors

    def body(k: Any, carry: Arrays) -> Arrays:
        *now, f, overflow, count = carry
        noise = program.noise(simulator, system, keys, t0 + k)
        held = [overflow, count]

        def force_at(positions: Array) -> Array:
            found, neighbors = forces(positions)
            held[:] = _room(_after(held, neighbors, backend))
            return found

        after, f = simulator.lattice_step(
            LatticeState(*now), f, force_at, lattice, factor, system, noise, xp=xp
        )
        return (*after, f, *held)

    first, neighbors = forces(whole[0])
    carry: Arrays = (*whole, first, *_room(neighbors))
    kept: Any = ()
    if program.structure.records_inside:
        box = tuple(flatten(system.boundary)[0])

        def pick(carry: Arrays) -> Arrays:
            now = LatticeState(*carry[:3])
            return (lattice.coords(now), lattice.velocities(now), *box)

        carry, kept = backend.repeat_keeping(body, carry, active, program.structure.chunk, pick)
    else:
        carry = backend.repeat(body, carry, active, program.structure.chunk)
    end = LatticeState(*carry[:3])
    floats, lists = lattice_floats(program, leaves, end)
    lists = program.flat_lists(_after(carry[4:], program.neighbors(lists), backend))
    sane = xp.all(xp.isfinite(floats[2]))
    return end, (floats, lists), kept, sane


def _room(neighbors: NeighborList) -> Arrays:
    """Return what is to be known of a list that is not kept."""
    return (neighbors.overflow, neighbors.count)


def _after(room: Sequence[Array], neighbors: NeighborList, backend: Backend) -> NeighborList:
    """Return a list that remembers what `_room` said of those before it."""
    before = neighbors.with_fields(overflow=room[0], count=room[1])
    return remembering(before, neighbors, backend=backend)


def lattice_retreat(
    program: Program,
    factor: tuple[int, int],
    plan: BackwardPlan,
    leaves: Arrays,
    whole: LatticeState,
    keys: Array,
    t0: Any,
    active: Any,
    done: Any,
    cotangents: Arrays,
    of_records: Arrays,
    totals: Arrays,
) -> tuple[Arrays, Arrays, Any, Arrays]:
    """Undo a chunk of steps and pull cotangents through them.

    Returns:
        Cotangents of the state at its start, sums for the wanted leaves, that state, and a list.
    """
    backend = program.backend
    xp = backend.xp(*leaves)
    system, simulator, lattice = _parts(program, leaves, xp)
    interval = program.structure.interval
    box, n_lam = tuple(flatten(system.boundary)[0]), len(cotangents)
    end, lists = lattice_floats(program, leaves, whole)
    n_lists = len(lists)

    def body(back: Any, carry: Arrays) -> Arrays:
        k = active - 1 - back
        after_whole, f = LatticeState(*carry[:3]), carry[3]
        lists, lam, sums = split(carry[4:], n_lists, n_lam)
        lam = without_earlier(program, plan, lam, done + k + 1)
        if of_records and program.structure.records_inside and interval is not None:
            lam = with_record(program, lam, of_records, k, interval)
        noise = program.noise(simulator, system, keys, t0 + k)
        found: list[Any] = []

        def force_at(positions: Array) -> Array:
            coords = lattice.coords(LatticeState(positions, positions, positions))
            neighbors = build_neighbors(system, coords, program.structure.plan, xp=xp)
            before = program.neighbors(lists)
            found[:] = program.flat_lists(remembering(before, neighbors, backend=backend))
            return total_forces(system, coords, neighbors, xp=xp)

        now_whole, now_f = simulator.lattice_inverse(
            after_whole, f, force_at, lattice, factor, system, noise, xp=xp
        )
        after = _as_floats(lattice, after_whole, f, box)
        now = _as_floats(lattice, now_whole, now_f, box)

        def pulled(*values: Array) -> Arrays:
            lam, after, lists, sums = split(values, n_lam, n_lam, n_lists)
            new, more = step_back(
                program, plan.places, leaves, now, after, lists, keys, t0 + k, lam
            )
            return (*new, *(a + b for a, b in zip(sums, more, strict=True)))

        lam, sums = tempered(program, plan, pulled, lam, after, lists, sums, done + k)
        return (*now_whole, now_f, *found, *lam, *sums)

    carry = (*whole, end[2], *lists, *cotangents, *totals)
    carry = backend.repeat(body, carry, active, program.structure.chunk)
    lists, lam, sums = split(carry[4:], n_lists, n_lam)
    return lam, sums, LatticeState(*carry[:3]), lists


def _as_floats(lattice: Lattice, whole: LatticeState, forces: Array, box: Arrays) -> Arrays:
    return (lattice.coords(whole), lattice.velocities(whole), forces, *box)
