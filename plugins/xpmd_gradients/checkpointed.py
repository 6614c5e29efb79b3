"""Reverse mode with states kept now and then, and computed again in between."""

from __future__ import annotations

import math
from typing import Any

from xpmd.concrete import require_whole
from xpmd.gradient_strategy import MEMORY_BUDGET, TrajectoryStrategy
from xpmd.module import static
from xpmd.walk import Chunk, Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]

#: States in use beside checkpoints and those of a stretch: the last one, and the one gone back to.
SPARE_STATES = 2
#: Checkpoints, and states of a stretch, that are kept whatever the budget.
FEWEST = 10


class Checkpointed(TrajectoryStrategy):
    """The exact discrete adjoint in little memory: states are kept at checkpoints and computed again.

    Without `slots` there are two levels, of about sqrt(n) steps each, so that sqrt(n) checkpoints and
    the states of sqrt(n) steps are held at once and each step is taken twice. With `slots` the number
    of checkpoints is fixed, however long the run, and they are placed binomially: with s of them, and
    each step taken again r times at most, (s + r)! / (s! r!) stretches are reached.

    Args:
        slots: most checkpoints held at once; if left out, sqrt(n) of them, or as many as `budget` allows.
        truncate, clip_norm, damping: as for `Reverse`.
        longest: most steps whose states are held at once; the least of sqrt(n) and 100 if left out.
        budget: bytes that checkpoints and these states may take, `None` for any number; ten of each are
            kept in any case, because with fewer a run is repeated very often.

    Source: Griewank and Walther, ACM Trans. Math. Softw. 26, 19 (2000).
    """

    slots: int | None = static(default=None)
    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)
    longest: int | None = static(default=None)
    budget: float | None = static(default=MEMORY_BUDGET)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("slots", "longest"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), at_least=1)

    def for_run(self, n_steps: int, state_bytes: int) -> TrajectoryStrategy:
        if self.slots is not None or self.budget is None:
            return self
        fitting = int(self.budget // max(state_bytes, 1)) - SPARE_STATES
        if 2 * _root(n_steps) <= fitting:
            return self
        half = max(FEWEST, fitting // 2)
        return self.replace(slots=half, longest=min(half, self.longest or half))

    def longest_chunk(self, n_steps: int) -> int:
        longest = min(super().longest_chunk(n_steps), _root(n_steps))
        return longest if self.longest is None else min(longest, self.longest)

    def forward(self, walk: Walk) -> Any:
        return walk.run(anchors=self._places(walk))

    def _places(self, walk: Walk) -> set[int]:
        """Return the chunks whose first state is kept on the way forward."""
        if self.slots is not None:
            return set(_binomial_places(0, len(walk.chunks), self.slots))
        # By steps, not by chunks: records cut these short, and then there are many.
        return set(walk.anchors_every(_root(walk.n_steps)))

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        walk, floats = back.walk, kept.last
        # Each is given up when it has served; who goes back again starts from the first state.
        checkpoints = kept.anchors
        if not checkpoints:
            checkpoints[0] = kept.first
        cotangents = back.begin(floats)
        for last in range(len(walk.chunks) - 1, -1, -1):
            number = self._approach(walk, checkpoints, last)
            held = checkpoints[number] if number < last else checkpoints.pop(number)
            start = _forward_to(walk, walk.chunks[number:last], held)
            del held
            cotangents, floats = _chunk_back(back, walk.chunks[last], start, floats, cotangents)
            del start
        return back.finish(floats, cotangents)

    def _approach(self, walk: Walk, checkpoints: dict[int, Arrays], last: int) -> int:
        """Leave more checkpoints before chunk `last`, as there is room; return the nearest one."""
        number = max(each for each in checkpoints if each <= last)
        while number < last and (self.slots is None or len(checkpoints) < self.slots):
            ahead = 1
            if self.slots is not None:
                room = self.slots - len(checkpoints) + 1
                ahead = _binomial_split(last + 1 - number, room)
            there = _forward_to(walk, walk.chunks[number : number + ahead], checkpoints[number])
            number += ahead
            checkpoints[number] = there
        return number


def _root(n_steps: int) -> int:
    return max(1, math.ceil(math.sqrt(n_steps)))


def _chunk_back(
    back: WalkBack, chunk: Chunk, start: Arrays, end: Arrays, cotangents: Arrays
) -> tuple[Arrays, Arrays]:
    """Go back over one chunk, whose states are given up before those of the next are computed."""
    _, states = back.walk.again(chunk, start, keep="states")
    return back.retreat(chunk, states, end, cotangents)


def _forward_to(walk: Walk, chunks: list[Chunk], floats: Arrays) -> Arrays:
    for chunk in chunks:
        floats, _ = walk.again(chunk, floats)
    return floats


def _binomial_split(length: int, slots: int) -> int:
    """Return after how many of `length` chunks the next checkpoint belongs."""
    repetitions = 1
    while math.comb(slots + repetitions, slots) < length:
        repetitions += 1
    # What lies beyond the checkpoint is gone back over with one slot less.
    beyond = math.comb(slots - 1 + repetitions, slots - 1)
    return max(1, min(length - 1, length - min(beyond, length - 1)))


def _binomial_places(first: int, last: int, slots: int) -> list[int]:
    """Return the checkpoints that the first pass over chunks `first` ... `last - 1` leaves behind."""
    places = []
    while slots > 0 and last > first:
        places.append(first)
        if slots == 1 or last - first == 1:
            break
        first += _binomial_split(last - first, slots)
        slots -= 1
    return places
