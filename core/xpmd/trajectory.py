"""The trajectory as one differentiable function: leaves in, snapshots out.

The host walks where values are known. Where the whole simulation is being traced by an outer compiler
that is impossible; then all steps form one loop, and a list that is too small turns the results into
NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import optree

from xpmd.backend import Backend
from xpmd.ensemble import EnsembleBack
from xpmd.errors import CAPTURED, GradientError
from xpmd.gradient_strategy import EnsembleStrategy, TrajectoryStrategy
from xpmd.traced_walk import traced_back, traced_forward
from xpmd.walk import Walk, WalkBack
from xpmd.walk_along import WalkAlong
from xpmd.watch import Watch

Array = Any
Arrays = tuple[Any, ...]


@dataclass
class Trajectory:
    """One run of a simulator over a System; a function of its leaves and of the keys of the noise.

    Attributes:
        spec: of the System and the simulator.
        shapes: number of atoms, then shape and type of each leaf.
        interval: steps between records, `None` for none.
        keep_records: whether records are outputs, or only shown to reporters.
        strategy: what the derivative is; `None` if it is asked for in another way.
        ensemble: how averages are differentiated, where no trajectory is.
        find_plan: returns sizes of the neighbor list, as far as they are known while leaves are traced;
            asked on the way forward only, since what an outer transformation passes in is gone later.
    """

    backend: Backend
    spec: optree.PyTreeSpec
    shapes: tuple[Any, ...]
    n_steps: int
    start_step: int
    interval: int | None
    keep_records: bool
    watch: Watch
    strategy: TrajectoryStrategy | None
    find_plan: Callable[[], Any]
    ensemble: EnsembleStrategy | None = None
    #: Those of the latest call.
    keys: Array = field(default=None, init=False)
    _walk: Walk | None = field(default=None, init=False)
    _kept: Any = field(default=None, init=False)
    _wanted: Sequence[bool] = field(default=(), init=False)

    def primal(self, *arguments: Array) -> Arrays:
        """Return the snapshots: coords, velocities and box at the end, then the records of each.

        Args:
            arguments: leaves of the System and the simulator, then the keys.
        """
        leaves = self._leaves(arguments)
        if self._traced(arguments):
            return traced_forward(self, leaves)[0]
        walk = self.walk(leaves)
        walk.run()
        return walk.outputs()

    def _leaves(self, arguments: Arrays) -> Arrays:
        """Return the leaves among the arguments, having noted the keys."""
        self.keys = arguments[-1]
        return tuple(arguments[:-1])

    def forward(self, *arguments: Array, wanted: Sequence[bool]) -> tuple[Arrays, Any]:
        """Return the snapshots, keeping what the way back needs."""
        leaves = self._leaves(arguments)
        if self._traced(arguments):
            outputs, kept = traced_forward(self, leaves, keep=True)
            self._wanted = wanted
            return outputs, (arguments, kept)
        assert self.strategy is not None
        walk = self._unaided_walk(leaves)
        # What is kept stays here rather than in the residuals: it holds more than arrays.
        self._kept = self.strategy.forward(walk)
        self._walk, self._wanted = walk, wanted
        return walk.outputs(), (arguments, ())

    def backward(self, residuals: Any, cotangents: Arrays) -> list[Array | None]:
        """Return the cotangent of each argument, `None` for integers and those not wanted."""
        arguments, kept = residuals
        leaves = self._leaves(arguments)
        known = [c for c in cotangents if c is not None]
        if self._walk is None or self._traced((*arguments, *known)):
            return [*traced_back(self, leaves, kept, self._wanted, cotangents), None]
        assert self.strategy is not None
        back = WalkBack(self._walk, self._wanted, cotangents, self.strategy.tempering)
        found = self.strategy.backward(back, self._kept)
        back.require_finite(found)
        return [*found, None]

    def along(
        self, arguments: Arrays, directions: Sequence[Array | None]
    ) -> tuple[Arrays, Sequence[Array | None]]:
        """Return the snapshots and how they change along a direction of the leaves."""
        leaves = self._leaves(arguments)
        directions = directions[: len(leaves)]
        if self._traced(arguments):
            places = [k for k, each in enumerate(directions) if each is not None]

            def run(*values: Array) -> Arrays:
                changed = list(leaves)
                for place, value in zip(places, values, strict=True):
                    changed[place] = value
                return traced_forward(self, tuple(changed))[0]

            return self.backend.jvp(
                run,
                tuple(leaves[k] for k in places),
                tuple(directions[k] for k in places),
            )
        return WalkAlong(self._unaided_walk(leaves), directions).run()

    # -- averages over noise --------------------------------------------------------------------

    def sampled(self, *arguments: Array) -> Arrays:
        """Return the snapshots, then the weight of each record and its log-density, taken as zero."""
        return (*self.primal(*arguments), *self._weighed(None))

    def sampled_forward(self, *arguments: Array, wanted: Sequence[bool]) -> tuple[Arrays, Any]:
        """Do as `sampled`, keeping what the way back needs."""
        assert self.ensemble is not None
        leaves = self._leaves(arguments)
        if self._traced(arguments):
            raise GradientError(
                f"The strategy '{type(self.ensemble).__name__}' samples on the host, so the loss cannot "
                "be compiled or mapped as a whole: leave out jax.jit, jax.vmap, or `jit=True`."
            )
        walk = self._unaided_walk(leaves)
        outputs, weights, self._kept = self.ensemble.forward(walk)
        self._walk, self._wanted = walk, wanted
        return (*outputs, *self._weighed(weights)), ()

    def sampled_backward(self, residuals: Any, cotangents: Arrays) -> list[Array | None]:
        """Return the cotangent of each argument."""
        assert self.ensemble is not None
        assert self._walk is not None
        *of_snapshots, _, of_logs = cotangents
        name = type(self.ensemble).__name__
        for part in of_snapshots:
            known = None if part is None else self.backend.known(part)
            if known is not None and known.any():
                raise GradientError(
                    f"The strategy '{name}' differentiates averages of records, and the loss depends on "
                    "coordinates or velocities in another way. Record what it needs with md.Observe and "
                    "use `result.average(name)`, or a strategy that follows the trajectory."
                )
        numbers = [] if of_logs is None else self.backend.known(of_logs).tolist()
        back = EnsembleBack(self._walk, self._wanted, numbers, name)
        return [*self.ensemble.backward(back, self._kept), None]

    def _weighed(self, weights: Sequence[float] | None) -> Arrays:
        """Return the weights of the records, equal if not given, and as many zeros."""
        count = 0
        if self.keep_records:
            count = 1 + self.n_steps // (self.interval or 1)
        if weights is None:
            weights = [1.0 / max(count, 1)] * count
        device = self.backend.device_of(self.keys)
        kind = next(name for _, name in self.shapes[1:] if name.startswith("float"))
        one = self.backend.asarray(list(weights), dtype=kind, device=device)
        return one, self.backend.xp(one).zeros_like(one)

    def _unaided_walk(self, leaves: Arrays) -> Walk:
        """Return a walk whose steps follow no gradient by themselves.

        Raises:
            GradientError: they do, of something that they captured.
        """
        walk = self.walk(leaves)
        if self.backend.captures(walk.first_step(), *leaves):
            raise GradientError(CAPTURED)
        return walk

    def walk(self, leaves: Arrays) -> Walk:
        """Return a walk along this trajectory."""
        longest = {}
        if self.strategy is not None:
            longest = {"longest": self.strategy.longest_chunk(self.n_steps)}
        return Walk(
            self.backend,
            leaves,
            self.spec,
            self.shapes,
            self.keys,
            n_steps=self.n_steps,
            start_step=self.start_step,
            interval=self.interval,
            keep_records=self.keep_records,
            watch=self.watch,
            **longest,
        )

    def _traced(self, arrays: Sequence[Array]) -> bool:
        return any(self.backend.is_traced(array) for array in arrays)
