"""Derivatives of the functions that tell the parts of a complex number apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd_autodiff.rules.rule import Array, Pull, Rule, conjugate, is_complex, of_kind


def _abs_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    along = tangents[0] * conjugate(xp, sign(xp, args[0]))
    return of_kind(xp, along, out.dtype)


def _abs_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    x = args[0]
    return lambda cotangent: [cotangent * conjugate(xp, sign(xp, x))]


def _real_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return of_kind(xp, tangents[0], out.dtype)


def _real_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    dtype = args[0].dtype
    return lambda cotangent: [of_kind(xp, cotangent, dtype)]


def _imag_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return xp.imag(tangents[0]) if is_complex(xp, args[0]) else None


def _imag_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    dtype, has_parts = args[0].dtype, is_complex(xp, args[0])
    return lambda cotangent: [-1j * of_kind(xp, cotangent, dtype) if has_parts else None]


def _conj_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return conjugate(xp, tangents[0])


def _conj_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    return lambda cotangent: [conjugate(xp, cotangent)]


def sign(xp: Any, x: Array, /) -> Array:
    """Return the sign, a constant for real numbers; z / |z| for complex ones, and 0 at 0."""
    if not is_complex(xp, x):
        return xp.sign(xp.primal(x))
    length = xp.abs(x)
    return x / xp.where(length == 0, xp.ones_like(length), length)


RULES: dict[str, Rule] = {
    # The kink of |x| at 0 gets slope 0.
    "abs": Rule(_abs_jvp, _abs_vjp),
    "real": Rule(_real_jvp, _real_vjp),
    "imag": Rule(_imag_jvp, _imag_vjp),
    "conj": Rule(_conj_jvp, _conj_vjp),
}
COMPOSITES: dict[str, Callable[..., Any]] = {"sign": sign}
