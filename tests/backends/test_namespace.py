"""No function that makes an array of a differentiated one loses the gradient without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md

Array = Any
Make = Callable[..., Array]

X = np.array([-1.0, 0.3, 0.9, 2.5])
ENDS = np.array([0.2, 1.7])
WEIGHTS = np.array([1.0, -2.0, 0.5, 0.7])
FUNCTIONS: dict[str, Callable[[Any, Array, Array, Array], Array]] = {
    "asarray": lambda xp, x, a, b: xp.asarray(b) * xp.asarray(x),
    "asarray of a type": lambda xp, x, a, b: xp.asarray(b, dtype=xp.float64) * x,
    "asarray of a copy": lambda xp, x, a, b: xp.asarray(b, copy=True) * x,
    "clip from below": lambda xp, x, a, b: xp.clip(x, a),
    "clip from above": lambda xp, x, a, b: xp.clip(x, max=b),
    "clip": lambda xp, x, a, b: xp.clip(x, a, b),
    "clip by a number and an array": lambda xp, x, a, b: xp.clip(x, 0.2, b),
    "asarray of a list": lambda xp, x, a, b: xp.asarray([a, b * b, 3.0, a * b]),
    "asarray of a nested list": lambda xp, x, a, b: xp.reshape(
        xp.asarray([[a, 1.0], [2.0, b]]), (-1,)
    ),
    "linspace": lambda xp, x, a, b: xp.linspace(a, b * b, 4),
    "linspace from a number": lambda xp, x, a, b: xp.linspace(0.0, b, 4),
    "linspace without its end": lambda xp, x, a, b: xp.linspace(a, b, 4, endpoint=False),
    "arange": lambda xp, x, a, b: xp.arange(0, 4) * xp.arange(0.0, b, 0.45),
    "full": lambda xp, x, a, b: xp.full((4,), b) * x,
    "full_like": lambda xp, x, a, b: xp.full_like(x, b) * x,
}
#: Those that every library can do; with others it may refuse.
ALWAYS = ("asarray", "asarray of a type", "asarray of a copy", "clip from below", "clip")


def by_differences(function: Any, step: float = 1e-6) -> Any:
    xp = md.backend("numpy").xp()
    slopes = []
    for k in range(2):
        moved = [ENDS + sign * step * np.eye(2)[k] for sign in (1.0, -1.0)]
        sums = [np.sum(WEIGHTS * function(xp, X, *ends)) for ends in moved]
        slopes.append((sums[0] - sums[1]) / (2.0 * step))
    return np.array(slopes)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ends_and_bounds_and_lists(on: md.Backend, array: Make, name: str) -> None:
    def loss(ends: Array) -> tuple[Array, tuple[()]]:
        xp = on.xp(ends)
        found = FUNCTIONS[name](xp, array(X), ends[0], ends[1])
        assert on.dtype_name(found) == "float64"
        # Connected to the parameters in any case, or a lost gradient would be noticed.
        return xp.sum(array(WEIGHTS) * found) + 0.0 * xp.sum(ends), ()

    try:
        _, (slope,), _ = on.value_and_grad(loss, (array(ENDS),))
    except (md.GradientError, TypeError):
        if name in ALWAYS:
            raise
        return
    np.testing.assert_allclose(on.to_numpy(slope), by_differences(FUNCTIONS[name]), atol=1e-8)
