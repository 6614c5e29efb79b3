"""Differentiation of functions of plain arrays without setting anything up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import array_api_compat

from xpmd_autodiff.differentiation import Differentiation
from xpmd_autodiff.namespace import Namespace
from xpmd_autodiff.wrapped_array import strip

Function = Callable[..., Any]


@lru_cache(maxsize=16)
def _of_namespace(xp: Any) -> Differentiation:
    return Differentiation(xp)


def differentiation_of(xs: Sequence[Any], xp: Any = None) -> Differentiation:
    """Return the differentiation of the namespace of some arrays.

    Args:
        xs: arrays, wrapped or not; numbers are ignored.
        xp: their plain namespace, found if not given.
    """
    if xp is None:
        plain = [strip(x) for x in xs]
        xp = array_api_compat.array_namespace(*(x for x in plain if hasattr(x, "shape")))
    if isinstance(xp, Namespace):
        xp = xp.plain
    return _of_namespace(xp)


def grad(fn: Function, argument: int = 0, *, xp: Any = None) -> Function:
    """Return the function that computes the gradient of a function that returns one number.

    Args:
        fn: function of arrays.
        argument: position of the argument to differentiate by.
        xp: plain namespace of the arrays, found if not given.
    """

    def gradient(*xs: Any) -> Any:
        def of_one(x: Any) -> Any:
            return fn(*xs[:argument], x, *xs[argument + 1 :])

        return differentiation_of(xs, xp).value_and_grad(of_one, (xs[argument],))[1][0]

    return gradient


def jvp(
    fn: Function, xs: Sequence[Any], tangents: Sequence[Any], *, xp: Any = None
) -> tuple[Any, Any]:
    """Return the values of a function and their derivatives along one direction.

    Args:
        fn: function of arrays that returns an array or a tuple of arrays.
        xs: its arguments.
        tangents: the direction, one of the same shape per argument; `None` stands for zero.
        xp: plain namespace of the arrays, found if not given.
    """
    return differentiation_of(xs, xp).jvp(fn, xs, tangents)


def vjp(fn: Function, *xs: Any, xp: Any = None) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return the values of a function and how a loss of them depends on its arguments.

    Args:
        fn: function of arrays that returns an array or a tuple of arrays.
        xs: its arguments.
        xp: plain namespace of the arrays, found if not given.
    """
    return differentiation_of(xs, xp).vjp(fn, *xs)
