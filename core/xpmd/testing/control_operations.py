"""A backend's loops and branches, by themselves and inside compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
from xpmd.testing.agreement import host_namespace, on_host, require_close
from xpmd.testing.check import ConformanceError

Array = Any
Arrays = tuple[Any, ...]


def _both(
    on: Backend, what: str, function: Callable[..., Arrays], xs: Arrays, wanted: list[Any]
) -> None:
    """Raise unless a function gives what it should, compiled (where that means anything) or not."""
    ways = [("", function)]
    if on.capabilities.jit:
        ways.append((" in compiled code", on.jit(function)))
    for way, run in ways:
        for k, (found, expected) in enumerate(zip(run(*xs), wanted, strict=True)):
            require_close(
                f"result {k} of {what}{way}",
                on_host(found),
                expected,
                wanted_is="must be",
                relative=1e-14,
            )


def _number(on: Backend, value: float) -> Array:
    return on.asarray(value, dtype="float64")


def repeat(on: Backend) -> None:
    """`repeat` calls its body so often, with the number of the call, and never beyond the bound."""
    start = _number(on, 1.0)

    def body(k: Any, carry: Arrays) -> Arrays:
        return carry[0] * 2.0, carry[1] + k

    count = on.asarray(0, dtype="int32")
    for times, most, wanted in ((3, 5, [8.0, 3]), (0, 5, [1.0, 0]), (5, 5, [32.0, 10])):

        def run(x: Array, n: Array, times: int = times, most: int = most) -> Arrays:
            limit = on.asarray(times, dtype="int32") if on.capabilities.jit else times
            return tuple(on.repeat(body, (x, n), limit, most))

        _both(on, f"repeat of {times} of at most {most}", run, (start, count), wanted)


def repeat_keeping(on: Backend) -> None:
    """`repeat_keeping` keeps a part of every carry, that at the end included."""
    start = _number(on, 1.0)

    def run(x: Array) -> Arrays:
        limit = on.asarray(3, dtype="int32") if on.capabilities.jit else 3
        (end,), rows = on.repeat_keeping(lambda k, c: (c[0] * 2.0,), (x,), limit, 3, lambda c: c)
        (last,) = on.row(rows, 2)
        (some,) = on.stacked_rows(rows, [0, 2, 3])
        (packed,) = on.row(on.packed_rows(rows, 1), 3)
        return end, last, some, packed

    _both(on, "repeat_keeping", run, (start,), [8.0, 4.0, [1.0, 4.0, 8.0], 8.0])


def scan(on: Backend) -> None:
    """`scan` threads a carry and stacks what its body returns."""

    def body(carry: Arrays, x: Any) -> tuple[Arrays, Arrays]:
        total = carry[0] + x
        return (total,), (total * total,)

    def run(x: Array) -> Arrays:
        (end,), (rows,) = on.scan(body, (x,), [2, 0, 5])
        return end, rows

    _both(on, "scan", run, (_number(on, 1.0),), [8.0, [9.0, 9.0, 64.0]])


def while_loop(on: Backend) -> None:
    """`while_loop` goes on while its condition holds, and not once if it does not."""

    def run(x: Array) -> Arrays:
        return tuple(on.while_loop(lambda c: c[0] < 50.0, lambda c: (c[0] * 3.0,), (x,)))

    _both(on, "while_loop", run, (_number(on, 1.0),), [81.0])
    _both(on, "while_loop that ends at once", run, (_number(on, 99.0),), [99.0])


def cond(on: Backend) -> None:
    """`cond` takes the branch it should."""

    def run(x: Array) -> Arrays:
        return tuple(on.cond(x > 1.0, lambda y: (y * 10.0,), lambda y: (y - 10.0,), x))

    _both(on, "cond that holds", run, (_number(on, 2.0),), [20.0])
    _both(on, "cond that does not", run, (_number(on, 0.5),), [-9.5])


def map_slices(on: Backend) -> None:
    """`map` applies a function to each slice and stacks."""
    rows = on.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype="float64")

    def run(x: Array) -> Arrays:
        return tuple(on.map(lambda row: (on.xp(row).sum(row), row * 2.0), x))

    wanted = [[3.0, 7.0, 11.0], [[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]]]
    _both(on, "map", run, (rows,), wanted)


def host_call(on: Backend) -> None:
    """`host_call` hands NumPy arrays to a function and takes some back."""
    host = host_namespace()
    x = on.asarray([1.0, 2.0, 4.0], dtype="float64")

    def on_the_host(values: Any) -> Any:
        if type(values) is not type(host.zeros(1)):
            raise ConformanceError(f"a host function was given a {type(values).__name__}.")
        return host.cumsum(values), host.asarray(values > 1.5)

    def run(values: Array) -> Arrays:
        return tuple(on.host_call(on_the_host, [((3,), "float64"), ((3,), "bool")], values))

    _both(on, "host_call", run, (x,), [[1.0, 3.0, 7.0], [0.0, 1.0, 1.0]])


def compiled_once(on: Backend) -> None:
    """`jit` traces a function once for arrays of the same shapes; traced values are unknown."""
    calls: list[Any] = []

    def function(x: Array) -> Arrays:
        calls.append((on.is_traced(x), on.known(x)))
        return (x * 2.0,)

    run = on.jit(function)
    for value in (1.0, 2.0, 3.0):
        require_close(
            "a compiled function",
            on_host(run(_number(on, value))[0]),
            2.0 * value,
            wanted_is="must be",
        )
    if on.capabilities.jit:
        if len(calls) != 1:
            raise ConformanceError(
                f"`capabilities.jit`, and a function was traced {len(calls)} times."
            )
        if calls[0] != (True, None):
            raise ConformanceError(
                f"inside compiled code (is_traced(x), known(x)) = {calls[0]}, and must be (True, None)."
            )
    elif len(calls) != 3 or calls[0][0]:
        raise ConformanceError(
            "not `capabilities.jit`, and `jit` does not simply call the function."
        )
