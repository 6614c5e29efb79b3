"""Reverse mode with stored states."""

from __future__ import annotations

from typing import Any

from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.module import static
from xpmd.walk import Walk, WalkBack

Array = Any


class Reverse(TrajectoryStrategy):
    """The exact discrete adjoint from the state of every step, which is kept.

    Memory grows by a state a step: coordinates, velocities and forces.

    Args:
        truncate: carry the cotangent of a record, and of the end, back this many steps only.
        clip_norm: largest norm of the cotangent of a state; longer ones are shortened to it.
        damping: fraction taken from the cotangent of a state at each step back.
    """

    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)

    def forward(self, walk: Walk) -> Any:
        return walk.run(keep="states")

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        floats = kept.last
        cotangents = back.begin(floats)
        for chunk in reversed(back.walk.chunks):
            states = kept.kept[chunk.number]
            cotangents, floats = back.retreat(chunk, states, floats, cotangents)
        return back.finish(floats, cotangents)
