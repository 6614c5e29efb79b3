"""A walk along a trajectory, forwards and backwards, chunk by chunk.

The host walks, so that it can enlarge a neighbor list and repeat a chunk, name the step at which
numbers stopped being finite, and call reporters. Gradient strategies are written in terms of a walk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.chunk_backward import (
    BackwardPlan,
    BackwardResult,
    Tempering,
    add_snapshot,
    require_finite,
    retreat,
    start_back,
    with_room,
)
from xpmd.chunk_forward import ChunkResult, advance, lists_at, start
from xpmd.continuous_adjoint import check_motion
from xpmd.errors import NeighborOverflowError
from xpmd.kernels import KERNELS
from xpmd.module import leaf_names, unflatten
from xpmd.neighbor_upkeep import MOST_ENLARGEMENTS, plan_neighbors, uses_neighbors
from xpmd.program import (
    EXPLICIT_ADJOINTS,
    LONGEST_CHUNK,
    ChunkState,
    Program,
    Structure,
    program_for,
)
from xpmd.remembered_plans import remember_plan, remembered_plan
from xpmd.watch import Watch

Array = Any
Arrays = tuple[Any, ...]

#: Blocks of records that are put together in one operation.
AT_ONCE = 16


class Chunk(NamedTuple):
    """Some steps in a row.

    Attributes:
        number: its number, from 0.
        done: steps before it.
        active: steps in it.
        records: records that it makes itself.
        first_record: number of the first of them, or of the one at its end; that of step 0 is 0.
        record_at_end: whether there is a record at its end that it does not make itself.
    """

    number: int
    done: int
    active: int
    records: int
    first_record: int
    record_at_end: bool


class Run(NamedTuple):
    """What is left of a whole run.

    Attributes:
        first, last: the states it goes from and to.
        kept: what was kept of each chunk.
        anchors: the states before some chunks, by the number of the chunk.
    """

    first: Arrays
    last: Arrays
    kept: list[Any]
    anchors: dict[int, Arrays]


def chunks_of(structure: Structure, n_steps: int) -> list[Chunk]:
    """Return the chunks of a run."""
    interval, inside = structure.interval, structure.records_inside
    chunks: list[Chunk] = []
    done, record = 0, 1
    while done < n_steps:
        active = min(structure.chunk, n_steps - done)
        if interval is not None and not inside:
            active = min(active, interval - done % interval)
        made = active // interval if inside and interval is not None else 0
        at_end = interval is not None and not inside and (done + active) % interval == 0
        chunks.append(Chunk(len(chunks), done, active, made, record, at_end))
        done, record = done + active, record + made + int(at_end)
    return chunks


class Walk:
    """One run of a simulator over a System, on the host.

    Args:
        leaves: of the System and the simulator, plain arrays.
        spec: their structure.
        shapes: number of atoms, then shape and type of each leaf.
        keys: of the noise.
        longest: most steps in a chunk.
        watch: who is told of records, the end and failures.
    """

    def __init__(
        self,
        backend: Backend,
        leaves: Arrays,
        spec: Any,
        shapes: tuple[Any, ...],
        keys: Array,
        *,
        n_steps: int,
        start_step: int,
        interval: int | None,
        keep_records: bool,
        watch: Watch,
        longest: int = LONGEST_CHUNK,
    ) -> None:
        self.backend, self.leaves, self.keys = backend, leaves, keys
        self.n_steps, self.start_step = n_steps, start_step
        self.keep_records = keep_records
        self.watch = watch
        self.system, self.simulator = unflatten(spec, leaves)
        self._structure = Structure(backend, spec, shapes, None, interval, longest)
        self.chunks = chunks_of(self._structure, n_steps)
        self._program: Program | None = None
        self._lists: tuple[Arrays, Arrays] | None = None
        # Stacked as chunks made them: a row for itself would cost more than the steps it is of.
        self._records: list[Arrays] = []
        self.end: Arrays = ()
        self._failed_in_a_row = 0

    # -- programs and lists ---------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The program for the present size of the neighbor list."""
        if self._program is None:
            plan = remembered_plan(self._structure)
            if plan is None:
                plan = plan_neighbors(self.system, self.system.coords)
            self._use_plan(plan)
        assert self._program is not None
        return self._program

    def _use_plan(self, plan: Any) -> None:
        structure = self._structure
        planned = Structure(
            structure.backend,
            structure.spec,
            structure.shapes,
            plan,
            structure.interval,
            structure.longest,
            EXPLICIT_ADJOINTS.get(),
            KERNELS.get(),
        )
        self._program = program_for(planned, self.leaves)
        self._lists = None

    def _enlarge(self, lists: Arrays) -> None:
        """Make room for what a list could not hold."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row > MOST_ENLARGEMENTS:
            raise NeighborOverflowError(
                f"The neighbor list overflowed {MOST_ENLARGEMENTS} times in a row: the atoms may have "
                "collapsed onto each other."
            )
        finder, program = self.system.neighbor_finder, self.program
        self._use_plan(finder.enlarge(program.structure.plan, program.neighbors(lists)))

    def overflowed(self, lists: Arrays, flag: Array | None = None) -> bool:
        """Return whether a list was too small; if so there is room now, and the work is to be repeated.

        Args:
            flag: that of the list itself, if it is at hand.
        """
        if not bool(self.program.neighbors(lists).overflow if flag is None else flag):
            self._failed_in_a_row = 0
            return False
        self._enlarge(lists)
        return True

    def lists_at(self, floats: Arrays) -> Arrays:
        """Return a neighbor list that holds at a state."""
        while True:
            if self._lists is not None and self._lists[0] is floats[0]:
                return self._lists[1]
            lists: Arrays = self.program.compiled(lists_at)(self.leaves, floats)
            if not self.overflowed(lists):
                return lists

    def hold(self, floats: Arrays, lists: Arrays) -> None:
        """Remember the list that holds at a state."""
        self._lists = (floats[0], lists)

    # -- forwards -------------------------------------------------------------------------------

    def begin(self) -> Arrays:
        """Return the first state."""
        while True:
            found = self.program.compiled(start, self.start_step == 0)(self.leaves)
            state = ChunkState(*found)
            if not self.overflowed(state.lists):
                break
        self.begin_at(state)
        return state.floats

    def first_step(self) -> Callable[..., Arrays]:
        """Return the states around the first step as a function of leaves.

        It may be traced: the size of the neighbor list is settled here, where coordinates are known.
        Whether the list has room does not matter to what the step depends on.
        """
        begun = self.program.compiled(start, self.start_step == 0)
        advanced = self.program.compiled(advance, None)

        def states(*leaves: Array) -> Arrays:
            state = ChunkState(*begun(leaves))
            if not self.n_steps:
                return state.floats
            found = advanced(leaves, state, self.keys, self.start_step, 1)
            return (*state.floats, *ChunkState(*found[0]).floats)

        return states

    def begin_at(self, state: ChunkState) -> None:
        """Look at the first state, and record it."""
        self.hold(*state)
        self.watch.check_start(self, state.floats, self.program.neighbors(state.lists))
        self._record(0, self.program.snapshot(state.floats))

    def run(self, keep: str | None = None, anchors: Collection[int] = ()) -> Run:
        """Go all the way.

        Args:
            keep: as for `advance`.
            anchors: numbers of the chunks before which the state is kept.
        """
        first = floats = self.begin()
        kept, held = [], {}
        for chunk in self.chunks:
            if chunk.number in anchors:
                held[chunk.number] = floats
            floats, part = self.advance(chunk, floats, keep)
            kept.append(part)
        self.finish(floats)
        return Run(first, floats, kept, held)

    def anchors_every(self, n_steps: int | None) -> list[int]:
        """Return the chunks that begin the run, or at least so many steps after the one before."""
        chosen: list[int] = []
        last = 0
        for chunk in self.chunks:
            if not chosen or (n_steps is not None and chunk.done - last >= n_steps):
                chosen.append(chunk.number)
                last = chunk.done
        return chosen

    def advance(self, chunk: Chunk, floats: Arrays, keep: str | None = None) -> tuple[Arrays, Any]:
        """Go through a chunk for the first time; return the state after it and what was kept.

        Args:
            keep: "states" to keep those before each step, "records" what undoing each needs.
        """
        result = self._advanced(chunk, floats, keep)
        self.passed(chunk, floats, result.state, result.records, bool(result.sane))
        return result.state.floats, result.kept

    def passed(
        self, chunk: Chunk, before: Arrays, after: ChunkState, records: Arrays, sane: bool
    ) -> None:
        """Look at what came of a chunk, and record it.

        Args:
            before, after: the floats before it and the state after it.
            records: the snapshots it made, stacked.
            sane: whether all is well.
        """
        if not sane:
            self.watch.fail(self, chunk, before, records)
        self.hold(*after)
        if chunk.records:
            self.watch.report_records(self, chunk, records)
            if self.keep_records:
                self._records.append(tuple(_first(part, chunk.records) for part in records))
        if chunk.record_at_end:
            self._record(chunk.done + chunk.active, self.program.snapshot(after.floats))

    def again(self, chunk: Chunk, floats: Arrays, keep: str | None = None) -> tuple[Arrays, Any]:
        """Go through a chunk that was gone through before."""
        result = self._advanced(chunk, floats, keep)
        self.hold(*result.state)
        return result.state.floats, result.kept

    def _advanced(self, chunk: Chunk, floats: Arrays, keep: str | None) -> ChunkResult:
        while True:
            state = ChunkState(floats, self.lists_at(floats))
            found = self.program.compiled(advance, keep)(
                self.leaves, state, self.keys, self.start_step + chunk.done, chunk.active
            )
            result = ChunkResult(ChunkState(*found[0]), *found[1:])
            if not self.overflowed(result.state.lists, result.overflow):
                return result

    def steps(self, floats: Arrays, chunk: Chunk, count: int) -> tuple[Arrays, bool]:
        """Return the state some steps into a chunk, and whether it is sane."""
        result = self._advanced(chunk._replace(active=count), floats, None)
        return result.state.floats, bool(result.sane)

    def check_motion(self, wanted: Sequence[int]) -> None:
        """Raise `GradientError` unless the equation of motion and the wanted derivatives are known."""
        check_motion(self.program, self.leaves, list(wanted))

    @property
    def longest(self) -> int:
        """Most steps in a chunk."""
        return self._structure.chunk

    def distance(self, first: Arrays, second: Arrays) -> float:
        """Return the largest difference of a coordinate of two states, nm; infinite for NaN."""
        _, system = self.program.state(first, self.system)
        difference = system.backend.stop_gradient(first[0] - second[0])
        xp = self.backend.xp(difference)
        columns = [difference[:, k] for k in range(system.boundary.dimensions)]
        parts = system.boundary.nearest(columns, xp=xp)
        if not difference.shape[0]:
            return 0.0
        worst = max(float(xp.max(xp.abs(part))) for part in parts)
        return worst if math.isfinite(worst) else math.inf

    def finish(self, floats: Arrays) -> None:
        """Say which state is the last."""
        self.end = self.program.snapshot(floats)
        if uses_neighbors(self.system) and self._lists is not None:
            _, lists = self._lists
            plan, neighbors = self.program.structure.plan, self.program.neighbors(lists)
            remember_plan(self._structure, self.system.neighbor_finder, plan, neighbors)
        self.watch.finish(self, self.start_step + self.n_steps, floats)

    def _record(self, done: int, snapshot: Arrays) -> None:
        self.watch.report(self, self.start_step + done, snapshot)
        if self.keep_records:
            self._records.append(tuple(part[None, ...] for part in snapshot))

    @property
    def records(self) -> list[Arrays]:
        """The snapshots of the records, one by one."""
        return [
            tuple(part[k, ...] for part in block)
            for block in self._records
            for k in range(block[0].shape[0])
        ]

    def outputs(self) -> Arrays:
        """Return the snapshot at the end, then those of the records, stacked."""
        if not self.keep_records:
            return self.end
        columns = zip(*self._records, strict=True)
        return (*self.end, *(_joined(list(column), self.backend) for column in columns))


def _first(part: Array, count: int) -> Array:
    return part if part.shape[0] == count else part[:count, ...]


def _joined(blocks: list[Array], backend: Backend) -> Array:
    """Return blocks one after the other, a few at a time: compilers are slow with thousands."""
    xp = backend.xp(*blocks)
    while len(blocks) > 1:
        groups = [blocks[k : k + AT_ONCE] for k in range(0, len(blocks), AT_ONCE)]
        blocks = [group[0] if len(group) == 1 else xp.concat(group) for group in groups]
    return blocks[0]


class WalkBack:
    """The way back along a walk: cotangents of its outputs become those of its leaves.

    Args:
        walk: the walk.
        wanted: a flag for each leaf.
        of_outputs: cotangents of the walk's outputs, `None` for zero.
        tempering: what is done to cotangents after each step.
    """

    def __init__(
        self,
        walk: Walk,
        wanted: Sequence[bool],
        of_outputs: Sequence[Array | None],
        tempering: Tempering,
    ) -> None:
        self.walk, self.backend = walk, walk.backend
        program = walk.program
        self.wanted = [k for k, floating in enumerate(program.is_float) if floating and wanted[k]]
        self.places = tuple(k for k in self.wanted if k not in program.start_places)
        self._tempering = tempering
        width = 2 + program.n_box
        self._of_end, self._of_records = of_outputs[:width], list(of_outputs[width:])
        xp = self.backend.xp(*walk.leaves)
        self.totals: Arrays = tuple(xp.zeros_like(walk.leaves[k]) for k in self.places)

    def begin(self, end: Arrays) -> Arrays:
        """Return the cotangents of the last state."""
        xp = self.backend.xp(*end)
        zeros = tuple(xp.zeros_like(part) for part in end)
        return add_snapshot(zeros, self._of_end, self.walk.program.n_box)

    def retreat(
        self,
        chunk: Chunk,
        kept: Any,
        end: Arrays,
        cotangents: Arrays,
        *,
        reconstruct: bool = False,
        continuous: bool = False,
    ) -> tuple[Arrays, Arrays]:
        """Go back through a chunk; return cotangents of the state at its start, and that state.

        Args:
            kept: what `advance` or `again` kept of it.
            end: the state after it.
            cotangents: of that state.
            reconstruct: whether step records were kept, and states are found by undoing steps.
            continuous: whether the equation of motion is differentiated, rather than the steps.
        """
        walk, plan = self.walk, self.plan(reconstruct=reconstruct, continuous=continuous)
        cotangents, of_records = self.with_records(chunk, end, cotangents)
        while True:
            lists = walk.lists_at(end)
            result: BackwardResult = walk.program.compiled(retreat, plan)(
                walk.leaves,
                kept,
                end,
                lists,
                walk.keys,
                walk.start_step + chunk.done,
                chunk.active,
                chunk.done,
                cotangents,
                of_records,
                self.totals,
            )
            if not walk.overflowed(result.lists, result.overflow):
                break
        walk.hold(result.floats, result.lists)
        self.totals = result.totals
        return result.cotangents, result.floats

    def plan(self, *, reconstruct: bool, continuous: bool = False) -> BackwardPlan:
        """Return what the compiled way back is specialised on; arguments as for `retreat`."""
        has_records = any(part is not None for part in self._of_records)
        n_steps = self.walk.n_steps if self._tempering.truncate is not None else 0
        return BackwardPlan(
            self.places, reconstruct, has_records, continuous, self._tempering, n_steps
        )

    def with_records(self, chunk: Chunk, end: Arrays, cotangents: Arrays) -> tuple[Arrays, Arrays]:
        """Return cotangents with those of a record at a chunk's end, and those of its own records."""
        program = self.walk.program
        if all(part is None for part in self._of_records):
            return cotangents, ()
        if chunk.record_at_end:
            row = [None if p is None else p[chunk.first_record, ...] for p in self._of_records]
            cotangents = add_snapshot(cotangents, row, program.n_box)
        inside = program.structure.records_inside
        return cotangents, self._chunk_records(chunk, end) if inside else ()

    def _chunk_records(self, chunk: Chunk, end: Arrays) -> Arrays:
        """Return cotangents of the records a chunk makes itself, zeros for those it does not reach."""
        program = self.walk.program
        inside = program.structure.records_inside
        first = chunk.first_record
        parts = []
        for part, like in zip(self._of_records, program.snapshot(end), strict=True):
            made = None
            if part is not None and chunk.records:
                made = part[first : first + chunk.records, ...]
            parts.append(with_room(made, inside, like, self.backend))
        return tuple(parts)

    def require_finite(self, found: Sequence[Array | None]) -> None:
        """Raise `GradientError` if a cotangent of a leaf is not finite; names the leaf."""
        names = leaf_names(self.walk.program.structure.spec)
        for name, value in zip(names, found, strict=True):
            if value is not None:
                require_finite(name, value, self.backend)

    def finish(self, first: Arrays, cotangents: Arrays) -> list[Array | None]:
        """Return a cotangent for each leaf, `None` for those that are not wanted.

        Args:
            first: the first state.
            cotangents: of that state.
        """
        walk = self.walk
        program = walk.program
        if any(part is not None for part in self._of_records):
            row = [None if part is None else part[0, ...] for part in self._of_records]
            cotangents = add_snapshot(cotangents, row, program.n_box)
        lists = walk.lists_at(first)
        places = tuple(self.wanted)
        of_start = walk.program.compiled(start_back, walk.start_step == 0, places)(
            walk.leaves, first, lists, cotangents
        )
        found: list[Array | None] = [None] * len(program.is_float)
        for place, value in zip(places, of_start, strict=True):
            found[place] = value
        for place, value in zip(self.places, self.totals, strict=True):
            found[place] = found[place] + value
        return found
