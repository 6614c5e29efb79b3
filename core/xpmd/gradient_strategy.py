"""The contracts of a gradient strategy: what the derivative of a simulation is, and how it is found.

A trajectory strategy is the reverse rule of `simulate`: it says what to keep of a walk on the way
forward and how to pull cotangents through it on the way back. A loss strategy differentiates a whole
loss, in which `simulate` then takes its plain path.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from xpmd.backend import Backend
from xpmd.chunk_backward import Tempering
from xpmd.concrete import require_positive
from xpmd.ensemble import EnsembleBack
from xpmd.module import Module
from xpmd.program import LONGEST_CHUNK
from xpmd.walk import Walk, WalkBack

Array = Any
Arrays = tuple[Any, ...]

#: Bytes of states that strategies keep before they compute some of them again.
MEMORY_BUDGET = 2 * 2**30


class GradientStrategy(Module):
    """Base of the gradient strategies; settings are static fields.

    A field `diagnostics` may take what a strategy has to tell of the latest gradient.
    """

    #: Fields that are not settings.
    unkeyed: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name in ("truncate", "clip_norm"):
            value = getattr(self, name, None)
            if value is not None:
                require_positive(name, value)
        damping = getattr(self, "damping", 0.0)
        if not 0.0 <= damping < 1.0:
            raise ValueError(f"`damping` = {damping} must be at least 0 and below 1.")
        if getattr(self, "budget", None) is not None:
            require_positive("budget", self.budget)  # type: ignore[attr-defined]

    def key(self) -> Hashable:
        """Return what distinguishes this strategy from others, for caches."""
        names = (name for name in self._static_names if name not in self.unkeyed)
        return (type(self), *(getattr(self, name) for name in names))


class TrajectoryStrategy(GradientStrategy):
    """Base of the strategies that go back along a trajectory."""

    def for_run(self, n_steps: int, state_bytes: int) -> TrajectoryStrategy:
        """Return the strategy to use for a run, itself unless its size speaks for another.

        Args:
            n_steps: of the run.
            state_bytes: what the state before one step takes.
        """
        return self

    def longest_chunk(self, n_steps: int) -> int:
        """Return how many steps at most to take between looks at the state."""
        return LONGEST_CHUNK

    @property
    def tempering(self) -> Tempering:
        """What is done to cotangents after each step back."""
        return Tempering(
            truncate=getattr(self, "truncate", None),
            clip_norm=getattr(self, "clip_norm", None),
            damping=getattr(self, "damping", 0.0),
        )

    def forward(self, walk: Walk) -> Any:
        """Go along the trajectory and return what the way back needs of it."""
        raise NotImplementedError

    def backward(self, back: WalkBack, kept: Any) -> list[Array | None]:
        """Return a cotangent for each leaf.

        Args:
            back: the way back, which knows the cotangents of the outputs.
            kept: what `forward` returned.
        """
        raise NotImplementedError


class EnsembleStrategy(GradientStrategy):
    """Base of the strategies that differentiate averages over noise, not trajectories.

    The derivative enters where records are averaged, `Result.average`; anything else that a loss makes
    of coordinates and velocities raises `GradientError`.
    """

    def forward(self, walk: Walk) -> tuple[Arrays, Sequence[float], Any]:
        """Return the outputs of a walk, the weight of each record, and what the way back needs."""
        raise NotImplementedError

    def backward(self, back: EnsembleBack, kept: Any) -> list[Array | None]:
        """Return a cotangent for each leaf from those of the records' log-densities.

        Args:
            back: the way back, which knows them.
            kept: what `forward` returned.
        """
        raise NotImplementedError


class LossStrategy(GradientStrategy):
    """Base of the strategies that treat the loss as a whole."""

    #: Whether `simulate` is to be differentiated along directions; it then cannot be in reverse.
    forward_mode: ClassVar[bool] = False

    def value_and_grad(
        self, backend: Backend, loss: Callable[..., tuple[Array, Arrays]], params: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        """Return value, gradient and extra arrays of `value, extra = loss(*params)`."""
        raise NotImplementedError


#: The strategy of the `value_and_grad` that is at work, if any.
active_strategy: ContextVar[GradientStrategy | None] = ContextVar("active_strategy", default=None)


def resolve_strategy(strategy: str | GradientStrategy | None) -> GradientStrategy:
    """Return a strategy from its name or itself; the active one or "reverse" for `None`."""
    if strategy is None:
        strategy = active_strategy.get() or "reverse"
    if isinstance(strategy, str):
        from xpmd.plugins import get

        strategy = get("gradient_strategy", strategy)()
    if isinstance(strategy, type) or not isinstance(strategy, GradientStrategy):
        raise TypeError(
            f"`strategy` = {strategy!r} must be the name of a gradient strategy or an instance of one; "
            "see md.plugins.list('gradient_strategy')."
        )
    return strategy
