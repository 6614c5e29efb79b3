"""Identities that derivatives do not pass: cotangents only, or none at all."""

from __future__ import annotations

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from xpmd.errors import ONE_WAY, GradientError

Array = Any

_ad: Any = ad
_batching: Any = batching
_one_way: Any = Primitive("one_way")


def one_way(array: Array) -> Array:
    """Return the array, which must not be differentiated in reverse."""
    return _one_way.bind(array)


def _refuse(*_: Any) -> Any:
    raise GradientError(ONE_WAY)


_one_way.def_impl(lambda array: array)
_one_way.def_abstract_eval(lambda array: array)
mlir.register_lowering(_one_way, lambda _, array: [array])
_batching.defvectorized(_one_way)
_ad.deflinear2(_one_way, _refuse)


def without_derivative(array: Array, reason: str) -> Array:
    """Return the array; a derivative with respect to it raises `GradientError`, for a reason."""

    @jax.custom_jvp
    def same(x: Array) -> Array:
        return x

    @same.defjvp
    def refuse(xs: Any, tangents: Any) -> Any:
        raise GradientError(reason)

    return same(array)
