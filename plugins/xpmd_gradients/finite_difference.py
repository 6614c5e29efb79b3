"""Central finite differences, the referee of all other strategies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
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


class FiniteDifference(LossStrategy):
    """dL/dp by central differences: the loss is a black box, run 2 (or 4, 6) times a number.

    Noise depends on the seed alone, so all runs of a stochastic simulation see the same numbers.

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
        numbers = backend.known(flat).tolist()
        # A number of zero in an array of others gets a step of their size.
        mean_square = sum(x * x for x in numbers) / max(size, 1)
        size_of_all = math.sqrt(mean_square) or 1.0
        slopes = []
        for k in range(size):
            h = relative * max(abs(numbers[k]), size_of_all)
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
