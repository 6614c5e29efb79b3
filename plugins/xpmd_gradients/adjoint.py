"""Adjoint sensitivity of the equation of motion."""

from __future__ import annotations

from typing import Any

from xpmd.concrete import require_whole
from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.module import static
from xpmd.walk import Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]


class Adjoint(TrajectoryStrategy):
    """dL/dp from the adjoint equation, integrated backwards along the reconstructed trajectory.

    The derivative is that of the exact solution up to the error of the time step; the other strategies
    differentiate the steps. The two come together as dt^2 for a system without friction (where they
    are the same) and as dt with it. What is kept is a few numbers a step, and the anchors.

    Args:
        anchor_every: keep the state every so many steps, as for `Reversible`; never if left out, and
            then only as good as rounding errors let the trajectory be reconstructed.
        truncate, clip_norm, damping: as for `Reverse`.

    Source: L. S. Pontryagin et al., The Mathematical Theory of Optimal Processes (1962); R. T. Q. Chen
    et al., NeurIPS 31 (2018).
    """

    anchor_every: int | None = static(default=100)
    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.anchor_every is not None:
            require_whole("anchor_every", self.anchor_every, at_least=1)

    def longest_chunk(self, n_steps: int) -> int:
        longest = super().longest_chunk(n_steps)
        return longest if self.anchor_every is None else min(longest, self.anchor_every)

    def forward(self, walk: Walk) -> Any:
        walk.check_motion([])
        return walk.run(keep="records", anchors=walk.anchors_every(self.anchor_every))

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        floats = kept.last
        back.walk.check_motion(back.wanted)
        cotangents = back.begin(floats)
        for chunk in reversed(back.walk.chunks):
            cotangents, floats = back.retreat(
                chunk,
                kept.kept[chunk.number],
                floats,
                cotangents,
                reconstruct=True,
                continuous=True,
            )
            floats = kept.anchors.get(chunk.number, floats)
        return back.finish(floats, cotangents)
