"""How fast the sensitivity of a trajectory grows, and where its gradient stops to mean anything."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

from xpmd.concrete import concrete, require_whole
from xpmd.noise import host_noise
from xpmd.observe import Observe
from xpmd.simulate import simulate
from xpmd.simulator import Simulator
from xpmd.system import System

Array = Any

#: Stream of the direction of the disturbance, apart from those of simulations.
_DIRECTION_STREAM = 2**32 - 3


class SensitivityWarning(UserWarning):
    """A gradient is asked for along a run that forgets where it came from."""


@dataclass(frozen=True)
class SensitivityGrowth:
    """The growth of a small disturbance along a run.

    Attributes:
        steps: at which it was looked at.
        sizes: root mean square of dx/de at these steps, for a disturbance e of the start.
        rate: exponent of its growth, the largest Lyapunov exponent where the run is long enough, 1/ps;
            negative where disturbances die out.
        growth: how many times larger it is at the end than at the start.
        horizon: steps after which it will have grown to `limit`; infinite if it does not grow.
        limit: what counts as too large.
    """

    steps: tuple[int, ...]
    sizes: tuple[float, ...]
    rate: float
    growth: float
    horizon: float
    limit: float


def sensitivity_growth(
    system: System,
    simulator: Simulator,
    n_steps: int,
    *,
    every: int = 10,
    seed: int = 0,
    limit: float = 1e4,
) -> SensitivityGrowth:
    """Follow a small disturbance of the starting coordinates, exactly, along a run.

    |dx(t)| ~ exp(rate t) in a chaotic system, and the gradient of whatever depends on x(t) grows alike:
    past the horizon its size says nothing of the averages one usually is after.

    Args:
        system, simulator, n_steps, seed: the run.
        every: steps between looks.
        limit: growth that counts as too large.

    Warns:
        SensitivityWarning: the run is longer than the horizon.

    Source: G. Benettin et al., Meccanica 15, 9 (1980).
    """
    require_whole("every", every, at_least=1)
    backend = system.backend
    shape = tuple(int(extent) for extent in system.coords.shape)
    numbers = host_noise(seed, _DIRECTION_STREAM).normal(0, shape)
    device = backend.device_of(system.coords)
    direction = backend.asarray(numbers, dtype=system.dtype, device=device)

    def coords_after(disturbance: Array) -> tuple[Array, ...]:
        start = system.with_fields(coords=system.coords + disturbance)
        look = Observe(lambda s: s.coords, every=every)
        run = simulate(
            start, simulator, n_steps, observe={"x": look}, seed=seed, gradient="forward"
        )
        return (run.observations["x"],)

    xp = backend.xp(system.coords)
    zeros = xp.zeros_like(system.coords)
    _, ((moved,),) = backend.jvp_many(coords_after, (zeros,), [(direction,)])
    rows = backend.to_numpy(moved)
    sizes = [float((row * row).mean() ** 0.5) for row in rows]
    steps = [k * every for k in range(len(sizes))]
    dt = float(concrete(getattr(simulator, "dt", 1.0)))
    rate = _slope([dt * step for step in steps], [math.log(max(s, 1e-300)) for s in sizes])
    growth = sizes[-1] / sizes[0] if sizes[0] else 0.0
    horizon = math.log(limit) / (rate * dt) if rate > 0.0 else math.inf
    if growth > limit:
        warnings.warn(
            f"A disturbance of the start grows {growth:.1e} times in {n_steps} steps (exponent "
            f"{rate:.3g}/ps): gradients through more than about {horizon:.0f} steps are dominated by "
            "chaos. Use fewer steps, `truncate`, or an average with 'reweighting' or 'score'.",
            SensitivityWarning,
            stacklevel=2,
        )
    return SensitivityGrowth(tuple(steps), tuple(sizes), rate, growth, horizon, limit)


def _slope(xs: list[float], ys: list[float]) -> float:
    """Return the slope of the line through the later half of the points, by least squares."""
    half = len(xs) // 2
    xs, ys = xs[half:], ys[half:]
    if len(xs) < 2:
        return 0.0
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
