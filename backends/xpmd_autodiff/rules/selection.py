"""Derivatives of choosing between values; a tie of two values gives half to each."""

from __future__ import annotations

from typing import Any

from xpmd_autodiff.rules.rule import Array, Rule, elementwise


def _only_where(xp: Any, mask: Array, t: Array) -> Array:
    return xp.where(mask, t, xp.zeros_like(t))


def _winner(xp: Any, t: Array, wins: Array, ties: Array) -> Array:
    return xp.where(wins, t, _only_where(xp, ties, 0.5 * t))


def _inside(xp: Any, t: Array, out: Array, x: Array, low: Any, high: Any) -> Array:
    if low is not None:
        t = _only_where(xp, x >= low, t)
    if high is not None:
        t = _only_where(xp, x <= high, t)
    return t


def _below(xp: Any, t: Array, out: Array, x: Array, low: Array, high: Any) -> Array:
    if high is not None:
        t = _only_where(xp, low <= high, t)
    return _only_where(xp, x < low, t)


def _above(xp: Any, t: Array, out: Array, x: Array, low: Any, high: Array) -> Array:
    # Where the bounds are swapped, the upper one is the result for every x.
    mask = x > high
    if low is not None:
        mask = mask | (low > high)
    return _only_where(xp, mask, t)


RULES: dict[str, Rule] = {
    "where": elementwise(
        lambda xp, t, out, mask, x, y: None,
        lambda xp, t, out, mask, x, y: _only_where(xp, mask, t),
        lambda xp, t, out, mask, x, y: _only_where(xp, ~mask, t),
    ),
    "minimum": elementwise(
        lambda xp, t, out, x, y: _winner(xp, t, x < y, x == y),
        lambda xp, t, out, x, y: _winner(xp, t, y < x, x == y),
    ),
    "maximum": elementwise(
        lambda xp, t, out, x, y: _winner(xp, t, x > y, x == y),
        lambda xp, t, out, x, y: _winner(xp, t, y > x, x == y),
    ),
    # A value on a bound counts as inside.
    "clip": elementwise(_inside, _below, _above),
}
