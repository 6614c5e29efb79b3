"""The trajectory as one differentiable function: leaves in, snapshots out.

The host walks chunk by chunk, so that it can enlarge a neighbor list and repeat a chunk, name the step
at which numbers stopped being finite, and call reporters. Where the whole simulation is being traced by
an outer compiler none of that is possible; then the chunks form one loop, and a list that is too small
turns the results into NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import optree

from xpmd.backend import Backend
from xpmd.errors import NeighborOverflowError, SimulationError
from xpmd.explosion import worst_atom
from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.module import flatten, unflatten
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_upkeep import (
    MOST_ATOMS_ALL_PAIRS,
    MOST_ENLARGEMENTS,
    plan_neighbors,
    uses_neighbors,
)
from xpmd.program import ChunkState, Program, Structure, program_for
from xpmd.properties import check_forces
from xpmd.reporter import Reporter

Array = Any
Arrays = tuple[Any, ...]


@dataclass
class Link:
    """One chunk as the way back needs it."""

    program: Program
    t0: int
    active: int
    records: int
    record_at_end: bool
    residual: Any


@dataclass
class Trajectory:
    """One run of a simulator over a System.

    Attributes:
        interval: steps between records, `None` for none.
        keep_records: whether records are outputs, or only shown to reporters.
    """

    backend: Backend
    spec: optree.PyTreeSpec
    shapes: tuple[Any, ...]
    n_steps: int
    start_step: int
    keys: Array
    interval: int | None
    keep_records: bool
    reporters: Sequence[Reporter]
    strategy: TrajectoryStrategy | None
    plan_hint: Any
    links: list[Link] = field(default_factory=list)
    first: ChunkState | None = None

    # -- the three functions of the primitive ---------------------------------------------------

    def primal(self, *leaves: Array) -> Arrays:
        """Return the snapshots: coords, velocities and box at the end, then the records of each."""
        if any(self.backend.is_traced(leaf) for leaf in leaves):
            return self._traced(*leaves)
        return self._walk(leaves, keep_links=False)

    def forward(self, *leaves: Array) -> tuple[Arrays, Arrays]:
        """Return the snapshots, keeping what the way back needs."""
        if any(self.backend.is_traced(leaf) for leaf in leaves):
            return self._traced(*leaves), leaves
        # What is kept stays here rather than in the residuals: it holds more than arrays.
        return self._walk(leaves, keep_links=True), leaves

    def backward(self, leaves: Arrays, cotangents: Arrays) -> list[Array | None]:
        """Return the cotangent of each leaf, `None` for integers."""
        everything = [*leaves, *(c for c in cotangents if c is not None)]
        if any(self.backend.is_traced(array) for array in everything):
            _, pull = self.backend.vjp(self._traced, *leaves)
            return list(pull(cotangents))
        return self._walk_back(leaves, cotangents)

    # -- walking on the host --------------------------------------------------------------------

    def _program(self, leaves: Arrays, plan: Any) -> Program:
        structure = Structure(self.backend, self.spec, self.shapes, plan, self.interval)
        return program_for(structure, leaves)

    def _walk(self, leaves: Arrays, *, keep_links: bool) -> Arrays:
        system, _ = unflatten(self.spec, leaves)
        plan = plan_neighbors(system, system.coords)
        program, state = self._started(leaves, plan)
        self._check_start(program, leaves, state)
        strategy = self.strategy
        self.links, self.first = [], state
        rows: list[Arrays] = [self._snapshot(program, leaves, state.floats)]
        self._report(program, leaves, self.start_step, state.floats)
        done = enlargements = 0
        while done < self.n_steps:
            structure = program.structure
            active = min(structure.chunk, self.n_steps - done)
            if self.interval is not None and not structure.records_inside:
                active = min(active, self.interval - done % self.interval)
            t0 = self.start_step + done
            if keep_links and strategy is not None:
                result, residual = strategy.chunk_forward(
                    program, leaves, state, self.keys, t0, active
                )
            else:
                result = program.advance(leaves, state, self.keys, t0, active)
                residual = None
            if bool(result.overflow):
                enlargements += 1
                if enlargements > MOST_ENLARGEMENTS:
                    raise NeighborOverflowError(
                        f"The neighbor list overflowed {enlargements} times in a row at step {t0}: "
                        "the atoms may have collapsed onto each other."
                    )
                larger = system.neighbor_finder.enlarge(
                    structure.plan, program.neighbors(result.state.lists)
                )
                program = self._program(leaves, larger)
                state = ChunkState(state.floats, program.lists(leaves, state.floats[0]))
                continue
            enlargements = 0
            if not bool(result.sane):
                self._fail(program, leaves, state, t0, active)
            made = active // self.interval if structure.records_inside and self.interval else 0
            at_end = not structure.records_inside and self._due(done + active)
            for k in range(made):
                row = tuple(part[k, ...] for part in result.records)
                self._report(program, leaves, t0 + (k + 1) * (self.interval or 0), row, row=True)
                if self.keep_records:
                    rows.append(row)
            if keep_links:
                self.links.append(Link(program, t0, active, made, at_end, residual))
            state, done = result.state, done + active
            if at_end:
                self._report(program, leaves, t0 + active, state.floats)
                if self.keep_records:
                    rows.append(self._snapshot(program, leaves, state.floats))
        end = self._snapshot(program, leaves, state.floats)
        for reporter in self.reporters:
            reporter.finish(self.start_step + done, program.system_at(leaves, state.floats))
        if not self.keep_records:
            return end
        return (*end, *(self._stacked(column) for column in zip(*rows, strict=True)))

    def _started(self, leaves: Arrays, plan: Any) -> tuple[Program, ChunkState]:
        for _ in range(MOST_ENLARGEMENTS):
            program = self._program(leaves, plan)
            start = program.start_fresh if self.start_step == 0 else program.start
            state = ChunkState(*start(leaves))
            neighbors = program.neighbors(state.lists)
            if not bool(neighbors.overflow):
                return program, state
            system, _ = unflatten(self.spec, leaves)
            plan = system.neighbor_finder.enlarge(plan, neighbors)
        raise NeighborOverflowError("The neighbor list overflowed at every capacity tried.")

    def _due(self, done: int) -> bool:
        return self.interval is not None and done % self.interval == 0

    def _snapshot(self, program: Program, leaves: Arrays, floats: Arrays) -> Arrays:
        n_box = self._n_box(leaves)
        return (*floats[:2], *floats[len(floats) - n_box :])

    def _n_box(self, leaves: Arrays) -> int:
        system, _ = unflatten(self.spec, leaves)
        return len(flatten(system.boundary)[0])

    def _stacked(self, column: Sequence[Array]) -> Array:
        return self.backend.xp(*column).stack(list(column))

    def _report(
        self, program: Program, leaves: Arrays, step: int, floats: Arrays, *, row: bool = False
    ) -> None:
        due = [r for r in self.reporters if (step - self.start_step) % r.every == 0]
        if not due:
            return
        if row:
            # A record has no forces; those of the state are not looked at.
            floats = (*floats[:2], floats[0], *floats[2:])
        system = program.system_at(leaves, floats)
        for reporter in due:
            reporter.report(step, system)

    # -- what can go wrong ----------------------------------------------------------------------

    def _check_start(self, program: Program, leaves: Arrays, state: ChunkState) -> None:
        system = program.system_at(leaves, state.floats)
        check_forces(
            system,
            state.floats[2],
            program.neighbors(state.lists),
            xp=self.backend.xp(*leaves),
            step=self.start_step,
        )

    def _fail(
        self, program: Program, leaves: Arrays, state: ChunkState, t0: int, active: int
    ) -> None:
        """Find the first step after which the state is not sane, and raise with the last good one."""
        good, bad = 0, active
        while bad - good > 1:
            middle = (good + bad) // 2
            sane = program.advance(leaves, state, self.keys, t0, middle).sane
            good, bad = (middle, bad) if bool(sane) else (good, middle)
        floats = state.floats
        if good:
            floats = program.advance(leaves, state, self.keys, t0, good).state.floats
        broken = program.advance(leaves, state, self.keys, t0, bad).state.floats
        last_good, forces = program.system_at(leaves, floats), self.backend.known(floats[2])
        atom, fate = worst_atom(
            (last_good, forces),
            (program.system_at(leaves, broken), self.backend.known(broken[2])),
        )
        step = t0 + bad
        for reporter in self.reporters:
            reporter.failed(step - 1, last_good)
        raise SimulationError(
            f"The simulation exploded at step {step} with atom {atom}: {fate}. The largest force "
            f"component on it one step before was {float(abs(forces[atom]).max()):.3g}. Use a smaller "
            "time step, minimize the energy first, or check the parameters; the error's `system` is "
            "the last good state.",
            step=step,
            atom=atom,
            system=last_good,
        )

    # -- walking back ---------------------------------------------------------------------------

    def _walk_back(self, leaves: Arrays, cotangents: Arrays) -> list[Array | None]:
        assert self.first is not None
        assert self.strategy is not None
        backend, program = self.backend, self.links[-1].program if self.links else None
        if program is None:
            system, _ = unflatten(self.spec, leaves)
            program = self._program(leaves, plan_neighbors(system, system.coords))
        xp = backend.xp(*leaves)
        n_box = self._n_box(leaves)
        width = 2 + n_box
        outputs = list(cotangents)
        records = outputs[width:]
        template = self.first.floats
        lam: list[Array] = [xp.zeros_like(part) for part in template]
        _add_snapshot(lam, outputs[:width], n_box)
        totals: list[Array] = [xp.zeros_like(x) for x in program.float_leaves(leaves)]
        row = records[0].shape[0] if records and records[0] is not None else 0
        if records and not row:
            row = next((part.shape[0] for part in records if part is not None), 0)
        for link in reversed(self.links):
            if link.record_at_end and records:
                row -= 1
                _add_snapshot(lam, [_row(part, row) for part in records], n_box)
            made: Arrays = ()
            if link.program.structure.records_inside:
                inside = link.program.structure.records_inside
                if records:
                    row -= link.records
                    made = tuple(
                        _padded(_rows(part, row, link.records), inside, like, xp)
                        for part, like in zip(
                            records, self._record_like(template, n_box), strict=True
                        )
                    )
                else:
                    made = tuple(
                        _padded(None, inside, like, xp)
                        for like in self._record_like(template, n_box)
                    )
            leaf_cotangents, state_cotangents = self.strategy.chunk_backward(
                link.program,
                leaves,
                link.residual,
                self.keys,
                link.t0,
                link.active,
                tuple(lam),
                made,
            )
            totals = [_plus(a, b) for a, b in zip(totals, leaf_cotangents, strict=True)]
            lam = [
                xp.zeros_like(part) if new is None else new
                for part, new in zip(template, state_cotangents, strict=True)
            ]
        if records:
            _add_snapshot(lam, [_row(part, 0) for part in records], n_box)
        back = program.start_fresh_back if self.start_step == 0 else program.start_back
        totals = [_plus(a, b) for a, b in zip(totals, back(leaves, tuple(lam)), strict=True)]
        found = iter(totals)
        return [next(found) if is_float else None for is_float in program.is_float]

    def _record_like(self, template: Arrays, n_box: int) -> Arrays:
        return (*template[:2], *template[len(template) - n_box :])

    # -- under an outer compiler ----------------------------------------------------------------

    def _traced(self, *leaves: Array) -> Arrays:
        backend = self.backend
        system, _ = unflatten(self.spec, leaves)
        plan, spec = self.plan_hint, self.spec
        if plan is None and uses_neighbors(system) and math.isfinite(system.neighbor_finder.reach):
            if system.n_atoms > MOST_ATOMS_ALL_PAIRS:
                raise NeighborOverflowError(
                    "The size of the neighbor list is unknown while the coordinates are traced: give "
                    f"{type(system.neighbor_finder).__name__} a `capacity`, or leave jit to simulate."
                )

            _, simulator = unflatten(self.spec, leaves)
            plain = system.with_fields(neighbor_finder=NeighborFinder())
            leaves_list, spec = flatten((plain, simulator))
            leaves = tuple(leaves_list)
        structure = Structure(backend, spec, self.shapes, plan, self.interval)
        program = Program(structure, leaves)
        xp = backend.xp(*leaves)
        start = program.start_fresh if self.start_step == 0 else program.start
        state = ChunkState(*start(leaves))
        overflow = program.neighbors(state.lists).overflow
        rows = [self._snapshot(program, leaves, state.floats)]
        columns: list[Arrays] = []
        done = 0
        while done < self.n_steps:
            active = min(structure.chunk, self.n_steps - done)
            if self.interval is not None and not structure.records_inside:
                active = min(active, self.interval - done % self.interval)
            t0 = backend.asarray(self.start_step + done, dtype="int32")
            count = backend.asarray(active, dtype="int32")
            result = program.advance(leaves, state, self.keys, t0, count)
            overflow = overflow | result.overflow
            state, done = ChunkState(*result.state), done + active
            if structure.records_inside and self.interval:
                made = active // self.interval
                columns.append(tuple(part[:made, ...] for part in result.records))
            elif self._due(done):
                row = self._snapshot(program, leaves, state.floats)
                columns.append(tuple(part[None, ...] for part in row))
        end = self._snapshot(program, leaves, state.floats)
        outputs = end
        if self.keep_records:
            first = tuple(part[None, ...] for part in rows[0])
            outputs = (*end, *(xp.concat(parts) for parts in zip(first, *columns, strict=True)))
        return tuple(xp.where(overflow, xp.nan + xp.zeros_like(x), x) for x in outputs)


def _add_snapshot(lam: list[Array], snapshot: Sequence[Array | None], n_box: int) -> None:
    """Add cotangents of a snapshot (coords, velocities, box) to those of a state."""
    places = [0, 1, *range(len(lam) - n_box, len(lam))]
    for place, part in zip(places, snapshot, strict=True):
        if part is not None:
            lam[place] = lam[place] + part


def _plus(first: Array, second: Array | None) -> Array:
    return first if second is None else first + second


def _row(part: Array | None, k: int) -> Array | None:
    return None if part is None else part[k, ...]


def _rows(part: Array | None, start: int, count: int) -> Array | None:
    return None if part is None else part[start : start + count, ...]


def _padded(part: Array | None, size: int, like: Array, xp: Any) -> Array:
    """Return record cotangents of a chunk, with zeros for records it did not reach."""
    have = 0 if part is None else part.shape[0]
    if part is not None and have == size:
        return part
    zeros = xp.zeros((size - have, *like.shape), dtype=like.dtype, device=like.device)
    return zeros if part is None else xp.concat([part, zeros])
