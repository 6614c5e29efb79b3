"""Derivatives of averages by the likelihood ratio of the noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from xpmd.concrete import require_whole
from xpmd.ensemble import EnsembleBack, score_back, score_end
from xpmd.errors import GradientError
from xpmd.gradient_strategy import EnsembleStrategy
from xpmd.module import static
from xpmd.program import ChunkState
from xpmd.walk import Walk

Array = Any
Arrays = tuple[Any, ...]


class Score(EnsembleStrategy):
    """d<O>/dp = <dO/dp> + <(O - <O>) sum_s d log p(step s)/dp>, for any average over noise.

    Works for averages along a trajectory out of equilibrium as well, and in memory that does not grow
    with the number of steps; the steps are taken once more on the way back. Its variance grows with the
    number of steps that count for a record, which `window` limits: with one too short, correlations
    that last longer are lost, and the derivative is biased.

    Args:
        window: steps before a record that count for it; all if left out.

    Source: P. W. Glynn, Commun. ACM 33, 75 (1990).
    """

    window: int | None = static(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None:
            require_whole("window", self.window, at_least=1)

    def forward(self, walk: Walk) -> tuple[Arrays, Sequence[float], Any]:
        _check(walk.simulator)
        first = walk.run().first
        count = len(walk.records)
        return walk.outputs(), [1.0 / max(count, 1)] * count, first

    def backward(self, back: EnsembleBack, kept: Any) -> list[Array | None]:
        walk, backend = back.walk, back.walk.backend
        floats, of_steps = kept, self._of_steps(back)
        left = backend.xp(floats[0]).zeros_like(floats[0])
        device = backend.device_of(floats[0])
        for chunk in walk.chunks:
            some = list(islice(of_steps, chunk.active))
            some = some + [0.0] * (walk.longest - len(some))
            weights = backend.asarray(some, dtype=walk.system.dtype, device=device)
            while True:
                state = ChunkState(floats, walk.lists_at(floats))
                after, left_after, totals = walk.program.compiled(score_back, back.places)(
                    walk.leaves,
                    state,
                    walk.keys,
                    walk.start_step + chunk.done,
                    chunk.active,
                    weights,
                    left,
                    back.totals,
                )
                if not walk.overflowed(after[1]):
                    break
            floats, left, back.totals = tuple(after[0]), left_after, tuple(totals)
            walk.hold(floats, tuple(after[1]))
        state = ChunkState(floats, walk.lists_at(floats))
        back.totals = tuple(
            walk.program.compiled(score_end, back.places)(walk.leaves, state, left, back.totals)
        )
        return back.found()

    def _of_steps(self, back: EnsembleBack) -> Iterator[float]:
        """Yield for each step the sum of the cotangents of the records that it counts for."""
        walk = back.walk
        interval = walk.program.structure.interval or 1
        changes: dict[int, float] = defaultdict(float)
        for record, cotangent in enumerate(back.of_logs):
            end = record * interval
            start = 0 if self.window is None else max(0, end - self.window)
            changes[start] += cotangent
            changes[end] -= cotangent
        total = 0.0
        for step in range(walk.n_steps):
            total += changes.get(step, 0.0)
            yield total


def _check(simulator: Any) -> None:
    """Raise `GradientError` unless each step of a simulator has a density that is known."""
    name = type(simulator).__name__
    if not hasattr(simulator, "score_weights"):
        reason = f"the density of a step of {name} is not known, or there is none"
    elif simulator.couplings:
        reason = f"{type(simulator.couplings[0]).__name__} changes that of a step of {name}"
    elif getattr(simulator, "remove_cm_motion", 0):
        reason = "removing the motion of the center of mass leaves the next state no density"
    else:
        return
    raise GradientError(
        f"The strategy 'score' cannot be used here: {reason}. Use OBABO(..., remove_cm_motion=0) "
        "without couplings, or another strategy."
    )
