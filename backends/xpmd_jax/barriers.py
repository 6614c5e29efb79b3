"""Identities that derivatives do not pass: cotangents only, or none at all."""

from __future__ import annotations

from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from xpmd.errors import GradientError

Array = Any

_ad: Any = ad
_batching: Any = batching
_forwards_only: Any = Primitive("forwards_only")


def forwards_only(array: Array, reason: str) -> Array:
    """Return the array; to differentiate it in reverse raises `GradientError`, for a reason."""
    return _forwards_only.bind(array, reason=reason)


def _refuse(*_: Any, reason: str) -> Any:
    raise GradientError(reason)


_forwards_only.def_impl(lambda array, reason: array)
_forwards_only.def_abstract_eval(lambda array, reason: array)
mlir.register_lowering(_forwards_only, lambda _, array, reason: [array])
_batching.defvectorized(_forwards_only)
_ad.deflinear2(_forwards_only, _refuse)


def without_derivative(array: Array, reason: str) -> Array:
    """Return the array; a derivative with respect to it raises `GradientError`, for a reason."""

    @jax.custom_jvp
    def same(x: Array) -> Array:
        return x

    @same.defjvp
    def refuse(xs: Any, tangents: Any) -> Any:
        raise GradientError(reason)

    return same(array)
