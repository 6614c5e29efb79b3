"""Central finite differences, the referee of all other strategies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
from xpmd.errors import GradientError
from xpmd.gradient_strategy import LossStrategy
from xpmd.module import static

Array = Any
Arrays = tuple[Any, ...]

#: Offsets in steps and weights of the central differences by order of accuracy.
_STENCILS = {
    2: ((1, 1 / 2),),
    4: ((1, 2 / 3), (2, -1 / 12)),
    6: ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)),
}

#: How far parameters are moved, relative to their size, to see whether the loss depends on them at all.
_FAR = (0.01, 0.3, -0.3)


class FiniteDifference(LossStrategy):
    """dL/dp by central differences: the loss is a black box, run 2 (or 4, 6) times a number.

    Noise depends on the seed alone, so all runs of a stochastic simulation see the same numbers. Where
    every difference vanishes, as for an even function at zero, all parameters are moved further, by up
    to a third of their size; if the loss is still the same, it is taken to depend on none of them.

    Args:
        step: step relative to |p|, or to the root mean square of the array that p is in, if larger;
            chosen from precision and order if left out.
        order: order of accuracy, 2, 4 or 6; 4 and 6 are the Richardson extrapolations of 2.
    """

    step: float | None = static(default=None)
    order: int = static(default=4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in _STENCILS:
            raise ValueError(f"`order` = {self.order} must be one of {sorted(_STENCILS)}.")
        if self.step is not None and not self.step > 0:
            raise ValueError(f"`step` = {self.step} must be positive.")

    def value_and_grad(
        self, backend: Backend, loss: Callable[..., tuple[Array, Arrays]], params: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        params = tuple(backend.stop_gradient(p) for p in params)
        value, extra = loss(*params)
        gradients = []
        for k, param in enumerate(params):

            def along(moved: Array, k: int = k) -> Array:
                return loss(*params[:k], moved, *params[k + 1 :])[0]

            gradients.append(self._slope(along, param, backend))
        if not any(bool(backend.known(each).any()) for each in gradients):
            _require_connected(backend, loss, params, value)
        return (
            backend.stop_gradient(value),
            tuple(gradients),
            tuple(backend.stop_gradient(x) for x in extra),
        )

    def _slope(self, loss: Callable[[Array], Array], param: Array, backend: Backend) -> Array:
        xp = backend.xp(param)
        flat = xp.reshape(param, (-1,))
        size = int(flat.shape[0])
        epsilon = float(xp.finfo(param.dtype).eps)
        relative = self.step if self.step is not None else epsilon ** (1.0 / max(self.order, 3))
        places = xp.arange(size, device=backend.device_of(param))
        sizes = _sizes(flat, backend)
        slopes = []
        for k, scale in enumerate(sizes):
            h = relative * scale
            here = xp.astype(places == k, param.dtype)
            total: Array = 0.0
            for offset, weight in _STENCILS[self.order]:
                up = xp.reshape(flat + (offset * h) * here, param.shape)
                down = xp.reshape(flat - (offset * h) * here, param.shape)
                difference = backend.stop_gradient(loss(up)) - backend.stop_gradient(loss(down))
                total = total + weight * difference
            slopes.append(total / h)
        stacked = xp.stack([xp.astype(xp.asarray(s), param.dtype) for s in slopes])
        return xp.reshape(stacked, param.shape)


def _sizes(flat: Array, backend: Backend) -> list[float]:
    """Return the size of each number: its own, or that of all if it is smaller; 1 if all are zero."""
    numbers = backend.known(flat).tolist()
    of_all = math.sqrt(sum(x * x for x in numbers) / max(len(numbers), 1)) or 1.0
    return [max(abs(x), of_all) for x in numbers]


def _require_connected(
    backend: Backend, loss: Callable[..., tuple[Array, Arrays]], params: Arrays, value: Array
) -> None:
    """Raise `GradientError` if the loss stays what it is when all parameters are moved far away."""
    here = backend.known(value)
    for far in _FAR:
        try:
            there = loss(*(_moved(param, far, backend) for param in params))[0]
        except Exception:
            return  # It minds, so it depends on them.
        if backend.known(there) != here:
            return
    raise GradientError(
        "The loss depends on none of the parameters, as far as differences can tell: it stayed what it "
        f"is, to the last digit, when all of them were moved by up to {max(_FAR):.0%}. Look for an array "
        "made anew, or a step function, between the parameters and the loss."
    )


def _moved(param: Array, far: float, backend: Backend) -> Array:
    """Return a parameter moved by a fraction of its size, each number of it by another one."""
    xp = backend.xp(param)
    sizes = _sizes(xp.reshape(param, (-1,)), backend)
    steps = [far * size * (1.0 - 0.309 * k % 0.5) for k, size in enumerate(sizes)]
    kind, device = backend.dtype_name(param), backend.device_of(param)
    return param + xp.reshape(backend.asarray(steps, dtype=kind, device=device), param.shape)
