"""Reverse mode with states kept now and then, and computed again in between."""

from __future__ import annotations

import math
from typing import Any

from xpmd.concrete import require_whole
from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.module import static
from xpmd.walk import Chunk, Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]


class Checkpointed(TrajectoryStrategy):
    """The exact discrete adjoint in little memory: states are kept at checkpoints and computed again.

    Without `slots` there are two levels, of about sqrt(n) steps each, so that sqrt(n) checkpoints and
    the states of sqrt(n) steps are held at once and each step is taken twice. With `slots` the number
    of checkpoints is fixed, however long the run, and they are placed binomially: with s of them and
    each step taken r times at most, (s + r)! / (s! r!) stretches are reached.

    Args:
        slots: most checkpoints held at once; sqrt(n) of them if left out.
        truncate, clip_norm, damping: as for `Reverse`.

    Source: Griewank and Walther, ACM Trans. Math. Softw. 26, 19 (2000).
    """

    slots: int | None = static(default=None)
    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slots is not None:
            require_whole("slots", self.slots, at_least=1)

    def longest_chunk(self, n_steps: int) -> int:
        return min(super().longest_chunk(n_steps), max(1, math.ceil(math.sqrt(n_steps))))

    def forward(self, walk: Walk) -> Any:
        return walk.run(anchors=self._places(len(walk.chunks), walk))

    def _places(self, n_chunks: int, walk: Walk) -> set[int]:
        """Return the chunks whose first state is kept on the way forward."""
        if self.slots is not None:
            return set(_binomial_places(0, n_chunks, self.slots))
        # Chunks have an upper length; a long run has several in a stretch.
        stretch = max(1, round(math.sqrt(walk.n_steps) / max(walk.longest, 1)))
        return set(range(0, n_chunks, stretch))

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        floats = kept.last
        # Each is given up when it has served; who goes back again starts from the first state.
        checkpoints = kept.anchors
        if not checkpoints:
            checkpoints[0] = kept.first
        cotangents = back.begin(floats)
        last = len(back.walk.chunks)
        for first in sorted(checkpoints, reverse=True):
            free = None if self.slots is None else self.slots - len(checkpoints) + 1
            start = checkpoints.pop(first)
            cotangents, floats = _stretch_back(back, first, last, start, floats, cotangents, free)
            last = first
        return back.finish(floats, cotangents)


def _stretch_back(
    back: WalkBack,
    first: int,
    last: int,
    start: Arrays,
    end: Arrays,
    cotangents: Arrays,
    slots: int | None,
) -> tuple[Arrays, Arrays]:
    """Go back over chunks `first` ... `last - 1`; return cotangents of their first state, and it.

    Args:
        start, end: states before and after them.
        slots: checkpoints that may be held, that of `start` included; `None` for one a chunk.
    """
    walk = back.walk
    if last == first:
        return cotangents, start
    if last - first == 1:
        chunk = walk.chunks[first]
        _, states = walk.again(chunk, start, keep="states")
        return back.retreat(chunk, states, end, cotangents)
    if slots is not None and slots <= 1:
        # No room: each chunk's start is computed from the first anew.
        for number in range(last - 1, first - 1, -1):
            there = _forward_to(walk, walk.chunks[first:number], start)
            _, states = walk.again(walk.chunks[number], there, keep="states")
            cotangents, end = back.retreat(walk.chunks[number], states, end, cotangents)
        return cotangents, end
    if slots is None:
        starts = [start]
        for chunk in walk.chunks[first : last - 1]:
            starts.append(walk.again(chunk, starts[-1])[0])
        for chunk in reversed(walk.chunks[first:last]):
            _, states = walk.again(chunk, starts.pop(), keep="states")
            cotangents, end = back.retreat(chunk, states, end, cotangents)
        return cotangents, end
    middle = first + _binomial_split(last - first, slots)
    there = _forward_to(walk, walk.chunks[first:middle], start)
    cotangents, end = _stretch_back(back, middle, last, there, end, cotangents, slots - 1)
    return _stretch_back(back, first, middle, start, end, cotangents, slots)


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
