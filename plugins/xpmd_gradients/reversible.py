"""Reverse mode without stored states: steps are undone on the way back."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.concrete import require_positive, require_whole
from xpmd.errors import GradientError
from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.lattice_walk import LatticeWalk
from xpmd.module import static
from xpmd.walk import Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]


class Reversible(TrajectoryStrategy):
    """The discrete adjoint along a trajectory that is reconstructed backwards.

    Rounding errors grow on the way back as fast as any disturbance, so the state is kept every
    `anchor_every` steps, and there replaces the reconstructed one. How far the two are apart says how
    good the reconstruction was: it is found in `diagnostics["mismatch"]`, the largest difference of a
    coordinate (nm) of the latest gradient, and an error is raised if it is over `tolerance`.

    With `fixed_point` the run is done in whole numbers, a lattice of 2^-40 of the box, and undone to the
    last bit, without anchors, for as many steps as one likes: velocity Verlet, and Langevin without the
    removal of drift. The trajectory is another one than in floating point numbers, as close to it as
    rounding lets any be; the gradient is that of the steps along it.

    Args:
        anchor_every: steps between the states that are kept. In double precision 100 leave the
            gradient exact to its last digits; in single precision take 50 or fewer.
        tolerance: largest mismatch, nm; none at all is tolerated in whole numbers.
        fixed_point: whether to use whole numbers.
        truncate, clip_norm, damping: as for `Reverse`.

    Source: J. G. Greener, PNAS 122, e2426058122 (2025).
    """

    anchor_every: int = static(default=100)
    tolerance: float = static(default=1e-4)
    fixed_point: bool = static(default=False)
    truncate: int | None = static(default=None)
    clip_norm: float | None = static(default=None)
    damping: float = static(default=0.0)
    diagnostics: dict[str, float] = static(default_factory=dict)

    unkeyed: ClassVar[frozenset[str]] = frozenset({"diagnostics"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("anchor_every", self.anchor_every, at_least=1)
        require_positive("tolerance", self.tolerance)

    def longest_chunk(self, n_steps: int) -> int:
        return min(super().longest_chunk(n_steps), self.anchor_every)

    def forward(self, walk: Walk) -> Any:
        if self.fixed_point:
            return self._forward_on_lattice(walk)
        return walk.run(keep="records", anchors=walk.anchors_every(self.anchor_every))

    def _forward_on_lattice(self, walk: Walk) -> Any:
        on_lattice = LatticeWalk(walk)
        first = state = on_lattice.begin()
        for chunk in walk.chunks:
            state = on_lattice.advance(chunk, state)
        walk.finish(on_lattice.floats(state))
        return on_lattice, first, state

    def _backward_on_lattice(self, back: WalkBack, kept: Any) -> list[Array | None]:
        on_lattice, first, state = kept
        cotangents = back.begin(on_lattice.floats(state))
        for chunk in reversed(back.walk.chunks):
            cotangents, state = on_lattice.retreat(back, chunk, state, cotangents)
        known = back.walk.backend.known
        wrong = sum(int((known(a) != known(b)).sum()) for a, b in zip(state, first, strict=True))
        self.diagnostics["mismatch"] = float(wrong)
        if wrong:
            raise GradientError(
                f"{wrong} numbers of the first state did not come back: the forces are not the same to "
                "the last bit when they are computed again. Look for a force that depends on more than "
                "positions, or use `fixed_point=False` with anchors."
            )
        return back.finish(on_lattice.floats(state), cotangents)

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        if self.fixed_point:
            return self._backward_on_lattice(back, kept)
        floats = kept.last
        cotangents = back.begin(floats)
        worst = 0.0
        for chunk in reversed(back.walk.chunks):
            cotangents, floats = back.retreat(
                chunk, kept.kept[chunk.number], floats, cotangents, reconstruct=True
            )
            if chunk.number in kept.anchors:
                anchor = kept.anchors[chunk.number]
                worst = max(worst, back.walk.distance(floats, anchor))
                floats = anchor
        self.diagnostics["mismatch"] = worst
        if not worst <= self.tolerance:
            raise GradientError(
                f"The trajectory could not be reconstructed backwards: coordinates are up to {worst:.2g} "
                f"nm away from those of the way forward, and `tolerance` = {self.tolerance} nm. Use a "
                f"smaller `anchor_every` than {self.anchor_every}, double precision, or the strategy "
                "'checkpointed'."
            )
        return back.finish(floats, cotangents)
