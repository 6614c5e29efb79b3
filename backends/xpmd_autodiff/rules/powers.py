"""Derivatives of x**y; whole-number exponents never meet a logarithm."""

from __future__ import annotations

import cmath
import math
from typing import Any

from xpmd_autodiff.rules.rule import Array, Rule, elementwise, is_complex

#: Above this exponent, the library's own power is not slower than repeated squaring.
_LARGEST_MULTIPLIED = 64


def whole_power(x: Array, exponent: int) -> Array:
    """Return x to a whole positive power by repeated squaring, faster than most libraries' power.

    Args:
        x: base.
        exponent: 1 or more.
    """
    result = None
    while True:
        if exponent & 1:
            result = x if result is None else result * x
        exponent >>= 1
        if not exponent:
            return result
        x = x * x


def _slope_times(t: Array, x: Array, exponent: float) -> Array | None:
    """Return t y x**(y - 1) for a number y."""
    if exponent == 0:
        return None
    if exponent == 1:
        return t
    if exponent == int(exponent) and abs(exponent) <= _LARGEST_MULTIPLIED:
        whole = int(exponent)
        if whole > 0:
            return t * (whole * whole_power(x, whole - 1))
        return t * (whole / whole_power(x, 1 - whole))
    return t * (exponent * x ** (exponent - 1))


def _for_base(xp: Any, t: Array, out: Array, x: Array, y: Any) -> Array | None:
    if isinstance(y, (int, float)):
        if math.isfinite(y):
            return _slope_times(t, x, y)
        return t * (y * x ** (y - 1))
    if isinstance(y, complex):
        return t * (y * x ** (y - 1))
    # At y = 0 the slope is 0 even where x**(y - 1) is infinite.
    constant = y == 0
    reduced = xp.where(constant, xp.ones_like(y), y - 1)
    return t * (y * x**reduced)


def _for_exponent(xp: Any, t: Array, out: Array, x: Any, y: Array) -> Array | None:
    if isinstance(x, (int, float)):
        return t * out * math.log(x) if x > 0 else None
    if isinstance(x, complex):
        return t * out * cmath.log(x) if x else None
    if is_complex(xp, x):
        nonzero = x != 0
        return t * out * xp.log(xp.where(nonzero, x, xp.ones_like(x)))
    # The logarithm ends at 0: there, and below, the slope along y is taken as 0.
    positive = x > 0
    logarithm = xp.log(xp.where(positive, x, xp.ones_like(x)))
    return t * out * logarithm


RULES: dict[str, Rule] = {"pow": elementwise(_for_base, _for_exponent)}
