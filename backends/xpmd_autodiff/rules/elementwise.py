"""Derivatives of functions of one number or two, applied to every element."""

from __future__ import annotations

import math

from xpmd_autodiff.rules.rule import Array, Rule, additive, elementwise


def _over_length(xp: Array, t: Array, x: Array, length: Array) -> Array:
    """Return t x / length, and 0 where the length is 0 so that no NaN appears there."""
    zero = length == 0
    return t * (x / xp.where(zero, xp.ones_like(length), length))


_SLOPE_OF_ERF = 2.0 / math.sqrt(math.pi)

#: In every action t is the tangent or cotangent, out the result and x, y the arguments.
RULES: dict[str, Rule] = {
    "add": additive(1, 1),
    "subtract": additive(1, -1),
    "negative": additive(-1),
    "positive": additive(1),
    "multiply": elementwise(
        lambda xp, t, out, x, y: t * y,
        lambda xp, t, out, x, y: t * x,
    ),
    "divide": elementwise(
        lambda xp, t, out, x, y: t / y,
        lambda xp, t, out, x, y: -t * out / y,
    ),
    "remainder": elementwise(
        lambda xp, t, out, x, y: t,
        lambda xp, t, out, x, y: -t * xp.floor(x / y),
    ),
    "square": elementwise(lambda xp, t, out, x: 2 * t * x),
    "sqrt": elementwise(lambda xp, t, out, x: 0.5 * t / out),
    "reciprocal": elementwise(lambda xp, t, out, x: -t * out * out),
    "exp": elementwise(lambda xp, t, out, x: t * out),
    "expm1": elementwise(lambda xp, t, out, x: t * (out + 1)),
    "log": elementwise(lambda xp, t, out, x: t / x),
    "log1p": elementwise(lambda xp, t, out, x: t / (1 + x)),
    "log2": elementwise(lambda xp, t, out, x: t / (math.log(2.0) * x)),
    "log10": elementwise(lambda xp, t, out, x: t / (math.log(10.0) * x)),
    "logaddexp": elementwise(
        lambda xp, t, out, x, y: t * xp.exp(x - out),
        lambda xp, t, out, x, y: t * xp.exp(y - out),
    ),
    "sin": elementwise(lambda xp, t, out, x: t * xp.cos(x)),
    "cos": elementwise(lambda xp, t, out, x: -t * xp.sin(x)),
    "tan": elementwise(lambda xp, t, out, x: t * (1 + out * out)),
    "asin": elementwise(lambda xp, t, out, x: t / xp.sqrt(1 - x * x)),
    "acos": elementwise(lambda xp, t, out, x: -t / xp.sqrt(1 - x * x)),
    "atan": elementwise(lambda xp, t, out, x: t / (1 + x * x)),
    "atan2": elementwise(
        lambda xp, t, out, x, y: t * y / (x * x + y * y),
        lambda xp, t, out, x, y: -t * x / (x * x + y * y),
    ),
    "sinh": elementwise(lambda xp, t, out, x: t * xp.cosh(x)),
    "cosh": elementwise(lambda xp, t, out, x: t * xp.sinh(x)),
    "tanh": elementwise(lambda xp, t, out, x: t * (1 - out * out)),
    "asinh": elementwise(lambda xp, t, out, x: t / xp.sqrt(x * x + 1)),
    "acosh": elementwise(lambda xp, t, out, x: t / xp.sqrt(x * x - 1)),
    "atanh": elementwise(lambda xp, t, out, x: t / (1 - x * x)),
    "erf": elementwise(lambda xp, t, out, x: _SLOPE_OF_ERF * t * xp.exp(-x * x)),
    # hypot(0, 0) gets slope 0, as the norm of a zero vector does.
    "hypot": elementwise(
        lambda xp, t, out, x, y: _over_length(xp, t, x, out),
        lambda xp, t, out, x, y: _over_length(xp, t, y, out),
    ),
}
