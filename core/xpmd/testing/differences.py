"""Derivatives by finite differences, with their uncertainty: the referee of all others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xpmd.noise import host_noise
from xpmd.testing.agreement import (
    DIFFERENTIATED,
    SAME,
    at,
    host_namespace,
    require_close,
)
from xpmd.testing.check import ConformanceError

Array = Any

#: Above this many numbers an array is differentiated along random directions, not one by one.
MOST_ENTRIES = 40
#: How many random directions.
N_DIRECTIONS = 3
#: Stream of the random directions.
_STREAM = 40
#: The longest step, as a part of the length over which the function changes.
_STEP = 2e-3
#: A derivative known no better than this is no referee.
_COARSE = 1e-4


class Slopes(NamedTuple):
    """Derivatives along unit directions: d f/dt at x + t u for each row u.

    Attributes:
        directions: the rows u.
        values: the derivatives.
        uncertainties: how far off they may be.
        sizes: |f|/length, of which rounding errors are small parts.
        labels: what each direction is.
    """

    directions: Array
    values: Array
    uncertainties: Array
    sizes: Array
    labels: list[str]


def slope(function: Callable[[float], float], step: float) -> tuple[float, float]:
    """Return f'(0) and its uncertainty.

    [8 (f(h) - f(-h)) - (f(2h) - f(-2h))] / (12 h) for three steps h; two that agree bound both the
    error of truncation, which falls with h, and that of rounding, which grows.
    """
    found = []
    for h in (step, step / 4, step / 16):
        near, far = function(h) - function(-h), function(2 * h) - function(-2 * h)
        found.append((8.0 * near - far) / (12.0 * h))
    pairs = [(abs(b - a), b) for a, b in itertools.pairwise(found)]
    uncertainty, value = min(pairs)
    return value, uncertainty


def slopes(
    function: Callable[[Array], float],
    point: Array,
    lengths: Array,
    *,
    most_entries: int = MOST_ENTRIES,
    n_directions: int = N_DIRECTIONS,
) -> Slopes:
    """Differentiate a function of an array.

    Args:
        function: takes an array like `point`, returns a number.
        point: host array.
        lengths: a number, or one for each entry: how far it can move before the function changes
            its shape. Steps are a small part of it.
        most_entries: arrays of more are differentiated along random directions.
        n_directions: how many.
    """
    xp = host_namespace()
    size, shape = int(point.size), tuple(point.shape)
    reaches = xp.reshape(lengths + xp.zeros_like(point), (-1,))
    if size <= most_entries:
        directions = xp.eye(size)
        labels = ["[" + ", ".join(map(str, k)) + "]" if k else "" for k in _places(shape)]
    else:
        directions = host_noise(0, _STREAM).normal(0, (n_directions, size))
        directions = directions / xp.sqrt(xp.sum(directions * directions, axis=1))[:, None]
        labels = [f"along random direction {k}" for k in range(n_directions)]
    found, value = [], function(point)
    for u in directions:

        def along(t: float, u: Array = u) -> float:
            return function(point + t * xp.reshape(u, shape))

        length = float(xp.min(reaches[u != 0.0]))
        found.append((*slope(along, _STEP * length), abs(value) / length))
    return of_rows(found, directions, labels)


def of_rows(
    rows: Sequence[tuple[float, float, float]], directions: Array, labels: list[str]
) -> Slopes:
    """Return slopes from value, uncertainty and size of each."""
    xp = host_namespace()
    values, uncertainties, sizes = (xp.asarray([row[k] for row in rows]) for k in range(3))
    return Slopes(directions, values, uncertainties, sizes, labels)


def require_slopes(what: str, gradient: Array, wanted: Slopes) -> None:
    """Raise unless a gradient agrees with finite differences."""
    xp = host_namespace()
    largest = float(xp.max(xp.abs(wanted.values))) if wanted.values.size else 0.0
    coarse = wanted.uncertainties > _COARSE * (largest + 1e-3 * wanted.sizes)
    if not xp.all(xp.isfinite(wanted.values)) or xp.any(coarse):
        k = int(xp.argmax(xp.where(xp.isfinite(wanted.values), wanted.uncertainties, xp.inf)))
        raise ConformanceError(
            f"{at(what, wanted.labels[k])} has no derivative by finite differences that could be "
            f"trusted, {float(wanted.values[k]):.6g} +- {float(wanted.uncertainties[k]):.2g}: the "
            "value jumps or is not finite near here."
        )
    require_close(
        what,
        wanted.directions @ xp.reshape(gradient, (-1,)),
        wanted.values,
        wanted_is="finite differences give",
        relative=DIFFERENTIATED,
        absolute=10.0 * wanted.uncertainties + SAME * wanted.sizes,
        labels=wanted.labels,
    )


def _places(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    places: list[tuple[int, ...]] = [()]
    for size in shape:
        places = [(*place, k) for place in places for k in range(size)]
    return places
