"""The gradient over several seeds: mean, spread, and whether its sign can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xpmd.backend import backend_of
from xpmd.gradient import value_and_grad
from xpmd.gradient_strategy import GradientStrategy
from xpmd.module import flatten, unflatten


@dataclass(frozen=True)
class GradientStatistics:
    """Statistics of a gradient; every field but the first two has the structure of the parameters.

    Attributes:
        values: the losses, one a seed.
        gradients: the gradients, one a seed.
        mean: of the gradient.
        variance: of a gradient, about the mean, from n - 1.
        standard_error: of the mean.
        sign_agreement: fraction of the seeds whose gradient has the sign of the mean.
    """

    values: tuple[float, ...]
    gradients: tuple[Any, ...]
    mean: Any
    variance: Any
    standard_error: Any
    sign_agreement: Any


def gradient_statistics(
    loss: Callable[..., Any],
    params: Any,
    seeds: Sequence[Any],
    *rest: Any,
    strategy: str | GradientStrategy = "reverse",
    backend: str | None = None,
) -> GradientStatistics:
    """Take the gradient of `loss(params, seed, *rest)` for several seeds.

    The sign of a gradient through a chaotic trajectory is often worth more than its size; where even
    the sign differs from seed to seed, more steps or a larger learning rate will not help.

    Args:
        loss: function of the parameters, a seed (for velocities, coordinates, noise, or all of them)
            and `rest`.
        params: a number, an array, or any nesting of them.
        seeds: at least two.
        strategy, backend: as for `value_and_grad`.
    """
    seeds = list(seeds)
    if len(seeds) < 2:
        raise ValueError(f"`seeds` = {seeds} must be at least two, or there are no statistics.")
    function = value_and_grad(loss, strategy, backend=backend)
    values, gradients = [], []
    for seed in seeds:
        value, gradient = function(params, seed, *rest)
        values.append(float(backend_of(value).to_numpy(value)))
        gradients.append(gradient)
    spec = flatten(gradients[0])[1]
    columns = list(zip(*(flatten(gradient)[0] for gradient in gradients), strict=True))

    def of_each(function: Callable[[Any, Any], Any]) -> Any:
        found = []
        for column in columns:
            xp = backend_of(column[0]).xp(column[0])
            found.append(function(xp.stack(list(column)), xp))
        return unflatten(spec, found)

    n = len(seeds)
    return GradientStatistics(
        tuple(values),
        tuple(gradients),
        of_each(lambda rows, xp: xp.mean(rows, axis=0)),
        of_each(lambda rows, xp: xp.var(rows, axis=0, correction=1)),
        of_each(lambda rows, xp: xp.sqrt(xp.var(rows, axis=0, correction=1) / n)),
        of_each(_agreement),
    )


def _agreement(rows: Any, xp: Any) -> Any:
    same = xp.sign(rows) == xp.sign(xp.mean(rows, axis=0))
    return xp.mean(xp.astype(same, rows.dtype), axis=0)
