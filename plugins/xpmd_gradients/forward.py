"""Forward mode: the change of the trajectory is carried along with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from xpmd.backend import Backend
from xpmd.concrete import require_whole
from xpmd.errors import GradientError
from xpmd.gradient_strategy import LossStrategy
from xpmd.module import static

Array = Any
Arrays = tuple[Any, ...]


class Forward(LossStrategy):
    """dL/dp by carrying dx/dp along, exact; memory does not grow with the number of steps.

    One pass a number in p, or one for several of them where the backend can share the work (JAX).

    Args:
        at_once: most directions in a pass.
    """

    at_once: int = static(default=16)

    forward_mode: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("at_once", self.at_once, at_least=1)

    def value_and_grad(
        self, backend: Backend, loss: Callable[..., tuple[Array, Arrays]], params: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        params = tuple(backend.stop_gradient(p) for p in params)
        connected = False
        slopes: list[Array] = []
        outs: Arrays = ()
        for k, param in enumerate(params):

            def along(moved: Array, k: int = k) -> Arrays:
                nonlocal connected
                value, extra = loss(*params[:k], moved, *params[k + 1 :])
                connected = connected or backend.is_followed(value)
                return (value, *extra)

            found = []
            directions = _unit_vectors(param, backend)
            for first in range(0, len(directions), self.at_once):
                some = [(each,) for each in directions[first : first + self.at_once]]
                outs, changes = backend.jvp_many(along, (param,), some)
                found += [change[0] for change in changes]
            xp = backend.xp(param)
            stacked = xp.stack(found) if found else param
            slopes.append(xp.reshape(stacked, param.shape))
        if not connected:
            raise GradientError(
                "The loss depends on none of the parameters through a differentiable path: look for "
                "float() and the like, or an array made anew, between the parameters and the loss."
            )
        value, *extra = outs
        return value, tuple(slopes), tuple(extra)


def _unit_vectors(param: Array, backend: Backend) -> list[Array]:
    """Return an array of the parameter's shape for each number in it: one there, zero elsewhere."""
    xp = backend.xp(param)
    size = 1
    for extent in param.shape:
        size *= int(extent)
    places = xp.arange(size, device=backend.device_of(param))
    return [xp.reshape(xp.astype(places == k, param.dtype), param.shape) for k in range(size)]
