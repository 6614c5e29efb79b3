"""Reverse mode with stored states."""

from __future__ import annotations

from typing import Any

from xpmd.gradient_strategy import MEMORY_BUDGET, TrajectoryStrategy
from xpmd.module import static
from xpmd.walk import Walk, WalkBack
from xpmd_gradients.checkpointed import Checkpointed

Array = Any


class Reverse(TrajectoryStrategy):
    """The exact discrete adjoint from the state of every step, which is kept as long as all fit.

    Memory grows by a state a step: coordinates, velocities and forces. Where they would take more than
    `budget`, `Checkpointed` takes over, with the same gradient for the time of one more run.

    Args:
        truncate: carry the cotangent of a record, and of the end, back this many steps only.
        clip_norm: largest norm of the cotangent of a state; longer ones are shortened to it.
        damping: fraction taken from the cotangent of a state at each step back.
        budget: bytes that the states may take; `None` to keep them all in any case.
    """

    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)
    budget: float | None = static(default=MEMORY_BUDGET)

    def for_run(self, n_steps: int, state_bytes: int) -> TrajectoryStrategy:
        if self.budget is None or n_steps * state_bytes <= self.budget:
            return self
        few = Checkpointed(
            budget=self.budget,
            truncate=self.truncate,
            clip_norm=self.clip_norm,
            damping=self.damping,
        )
        return few.for_run(n_steps, state_bytes)

    def forward(self, walk: Walk) -> Any:
        return walk.run(keep="states")

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        floats = kept.last
        cotangents = back.begin(floats)
        for chunk in reversed(back.walk.chunks):
            states = kept.kept[chunk.number]
            cotangents, floats = back.retreat(chunk, states, floats, cotangents)
        return back.finish(floats, cotangents)
