"""Derivatives by finite differences of fourth order, the referee that knows nothing of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[Any]]

#: Step as a fraction of a parameter: errors of truncation and rounding are near 1e-12 of the value
#: for energies as steep as r^-12.
RELATIVE_STEP = 2e-4


def derivative(function: Callable[[float], float], at: float, step: float) -> float:
    """Return f'(x) = [8 f(x+h) - 8 f(x-h) - f(x+2h) + f(x-2h)] / 12h."""
    f = {k: function(at + k * step) for k in (-2, -1, 1, 2)}
    return (8.0 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12.0 * step)


def gradient(
    function: Callable[[Numbers], float], at: Numbers, step: float | None = None
) -> Numbers:
    """Return df/dx for every entry of x.

    Args:
        step: the same for all entries; a fraction of each entry if left out.
    """
    at = np.asarray(at, dtype=float)
    slope = np.empty_like(at)
    for place in np.ndindex(at.shape):

        def along(value: float, place: tuple[int, ...] = place) -> float:
            moved = at.copy()
            moved[place] = value
            return function(moved)

        size = RELATIVE_STEP * max(abs(at[place]), 0.1) if step is None else step
        slope[place] = derivative(along, float(at[place]), size)
    return slope
