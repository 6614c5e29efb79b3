"""A backend's sums by row, its search for true entries and its error function."""

from __future__ import annotations

import math
from typing import Any

from xpmd.backend import Backend
from xpmd.testing.agreement import host_namespace, on_host, require_close
from xpmd.testing.check import ConformanceError

Array = Any


def index_add(on: Backend) -> None:
    """`index_add` adds up repeated rows, in any order, and leaves rows without values zero."""
    kind = on.capabilities.index_dtype
    rows = on.asarray([4, 0, 4, 2, 0, 4], dtype=kind)
    for dtype in ("float64", "float32"):
        values = on.asarray([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], dtype=dtype)
        found = on.index_add(6, rows, values)
        if on.dtype_name(found) != dtype:
            raise ConformanceError(f"sums of {dtype} by row have type {on.dtype_name(found)}.")
        require_close(
            "sums by row", on_host(found), [18.0, 0.0, 8.0, 0.0, 37.0, 0.0], wanted_is="must be"
        )
    wide = on.asarray([[1.0, 10.0]] * 6, dtype="float64")
    require_close(
        "sums of rows by row",
        on_host(on.index_add(5, rows, wide)),
        [[2.0, 20.0], [0.0, 0.0], [1.0, 10.0], [0.0, 0.0], [3.0, 30.0]],
        wanted_is="must be",
    )
    none = on.index_add(3, on.asarray([], dtype=kind), on.asarray([], dtype="float64"))
    require_close("sums of nothing", on_host(none), [0.0, 0.0, 0.0], wanted_is="must be")
    weights = on.asarray([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype="float64")

    def function(x: Array) -> tuple[Array, tuple[Array, ...]]:
        sums = on.index_add(6, rows, x)
        return on.xp(sums).sum(sums * sums * weights), ()

    values = on.asarray([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], dtype="float64")
    _, (slope,), _ = on.value_and_grad(function, (values,))
    require_close(
        "the gradient of sums by row",
        on_host(slope),
        [370.0, 36.0, 370.0, 48.0, 36.0, 370.0],
        wanted_is="must be",
    )


def nonzero_padded(on: Backend) -> None:
    """`nonzero_padded` finds the places that hold, pads, and counts also what finds no room."""
    mask = on.asarray([False, True, True, False, True], dtype="bool")
    for size, wanted in ((5, [1, 2, 4, 0, 0]), (3, [1, 2, 4]), (2, [1, 2])):
        places, count = on.nonzero_padded(mask, size)
        require_close(f"the first {size} places", on_host(places), wanted, wanted_is="must be")
        require_close("the number of places", on_host(count), 3, wanted_is="must be")
    empty = on.asarray([False, False], dtype="bool")
    places, count = on.nonzero_padded(empty, 2)
    require_close("places of none", on_host(places), [0, 0], wanted_is="must be")
    require_close("the number of none", on_host(count), 0, wanted_is="must be")


def erf(on: Backend) -> None:
    """`erf` is the error function, and its derivative 2/sqrt(pi) exp(-x^2)."""
    xp = host_namespace()
    numbers = [-3.0, -0.5, 0.0, 1e-3, 0.7, 2.5]
    x = on.asarray(numbers, dtype="float64")
    require_close(
        "erf(x)",
        on_host(on.erf(x)),
        [math.erf(number) for number in numbers],
        wanted_is="math.erf gives",
        relative=1e-14,
    )
    if on.dtype_name(on.erf(on.asarray(numbers, dtype="float32"))) != "float32":
        raise ConformanceError("erf of float32 has another type.")
    _, (slope,), _ = on.value_and_grad(lambda y: (on.xp(y).sum(on.erf(y)), ()), (x,))
    host = xp.asarray(numbers)
    require_close(
        "erf'(x)",
        on_host(slope),
        2.0 / math.sqrt(math.pi) * xp.exp(-host * host),
        wanted_is="2/sqrt(pi) exp(-x^2) is",
        relative=1e-13,
    )
