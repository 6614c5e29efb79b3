"""A walk along a trajectory together with its change in a direction of the leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.chunk_along import AlongResult, advance_along, start_along
from xpmd.program import ChunkState
from xpmd.walk import Chunk, Walk

Array = Any
Arrays = tuple[Any, ...]


class WalkAlong:
    """One run with a direction, on the host.

    Args:
        walk: the walk, not yet begun.
        directions: change of each leaf, `None` for none.
    """

    def __init__(self, walk: Walk, directions: Sequence[Array | None]) -> None:
        self.walk = walk
        is_float = walk.program.is_float
        moving = [k for k, each in enumerate(directions) if each is not None and is_float[k]]
        self._places = tuple(moving)
        self._directions = tuple(directions[k] for k in moving)
        inner = [k for k in moving if k not in walk.program.start_places]
        self._inner = tuple(inner)
        self._inner_directions = tuple(directions[k] for k in inner)
        self._changes: list[Arrays] = []

    def run(self) -> tuple[Arrays, Arrays]:
        """Return the outputs of the walk and their changes."""
        walk = self.walk
        floats, change = self._begin()
        for chunk in walk.chunks:
            floats, change = self._advance(chunk, floats, change)
        walk.finish(floats)
        of_end = walk.program.snapshot(change)
        if not walk.keep_records:
            return walk.outputs(), of_end
        columns = zip(*self._changes, strict=True)
        stacked = (walk.backend.xp(*c).stack(list(c)) for c in columns)
        return walk.outputs(), (*of_end, *stacked)

    def _begin(self) -> tuple[Arrays, Arrays]:
        walk = self.walk
        fresh = walk.start_step == 0
        while True:
            found = walk.program.compiled(start_along, fresh, self._places)(
                walk.leaves, self._directions
            )
            state, change = ChunkState(*found[0]), tuple(found[1])
            if not walk.overflowed(state.lists):
                break
        walk.begin_at(state)
        self._changes.append(walk.program.snapshot(change))
        return state.floats, change

    def _advance(self, chunk: Chunk, floats: Arrays, change: Arrays) -> tuple[Arrays, Arrays]:
        walk, backend = self.walk, self.walk.backend
        while True:
            state = ChunkState(floats, walk.lists_at(floats))
            result: AlongResult = walk.program.compiled(advance_along, self._inner)(
                walk.leaves,
                self._inner_directions,
                state,
                change,
                walk.keys,
                walk.start_step + chunk.done,
                chunk.active,
            )
            if not walk.overflowed(result.state.lists, result.overflow):
                break
        records: Arrays = ()
        if chunk.records:
            interval = walk.program.structure.interval or 1
            places = [(k + 1) * interval for k in range(chunk.records)]
            columns = backend.stacked_rows(result.kept, places)
            width = len(columns) // 2
            records = tuple(columns[:width])
            for k in range(chunk.records):
                self._changes.append(tuple(part[k, ...] for part in columns[width:]))
        walk.passed(chunk, floats, result.state, records, bool(result.sane))
        if chunk.record_at_end:
            self._changes.append(walk.program.snapshot(result.change))
        return result.state.floats, result.change
