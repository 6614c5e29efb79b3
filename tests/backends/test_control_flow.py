"""Loops, branches, compilation and calls of the host: one body for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md

Array = Any
Arrays = tuple[Any, ...]
Make = Callable[..., Array]


def test_jit_computes_the_same(on: md.Backend, array: Make) -> None:
    calls: list[int] = []

    def function(x: Array, y: Array) -> Arrays:
        calls.append(1)
        return on.xp(x, y).exp(x) * y, x + y

    compiled = on.jit(function)
    for shift in (0.0, 1.0):
        product, total = compiled(array([0.0, 1.0]) + shift, array([2.0, 3.0]))
        expected = np.exp(np.array([0.0, 1.0]) + shift) * [2.0, 3.0]
        np.testing.assert_allclose(on.to_numpy(product), expected, rtol=1e-15)
        np.testing.assert_array_equal(on.to_numpy(total), np.array([2.0, 4.0]) + shift)
    assert len(calls) == (1 if on.capabilities.jit else 2)


def steps(on: md.Backend) -> Callable[[Any, Arrays], Arrays]:
    """Return the body x, n -> x (k + 1), n + 1."""
    return lambda k, carry: (carry[0] * (k + 1), carry[1] + 1)


@pytest.mark.parametrize("times", [0, 1, 4, 6, 9])
def test_repeat(on: md.Backend, array: Make, times: int) -> None:
    """k! grows by the number of the step; beyond `at_most` nothing happens."""
    start = (array([1.0, 2.0]), on.asarray(0, dtype="int32"))
    grown, count = on.repeat(steps(on), start, times, 6)
    done = min(times, 6)
    factorial = float(np.prod(np.arange(1, done + 1), dtype=float))
    np.testing.assert_array_equal(on.to_numpy(grown), factorial * np.array([1.0, 2.0]))
    assert int(on.to_numpy(count)) == done


def test_repeat_takes_a_number_of_times_known_to_the_compiler_alone(
    on: md.Backend, array: Make
) -> None:
    def run(x: Array, times: Array) -> Array:
        return on.repeat(steps(on), (x, on.asarray(0, dtype="int32")), times, 6)[0]

    compiled = on.jit(run)
    for times, factorial in ((0, 1.0), (3, 6.0), (5, 120.0)):
        found = compiled(array(2.0), on.asarray(times, dtype="int32"))
        assert float(on.to_numpy(found)) == 2.0 * factorial


def test_repeat_keeping_rows(on: md.Backend, array: Make) -> None:
    """Row k is what was picked before call k, the last row what was picked at the end."""
    start = (array([1.0, 2.0]), on.asarray(0, dtype="int32"))
    (grown, _), rows = on.repeat_keeping(steps(on), start, 4, 6, lambda carry: carry)
    np.testing.assert_array_equal(on.to_numpy(grown), [24.0, 48.0])
    packed = on.packed_rows(rows, 1)
    for k, factorial in enumerate((1.0, 1.0, 2.0, 6.0, 24.0)):
        for found, *_ in (on.row(rows, k), on.row(packed, k)):
            np.testing.assert_array_equal(on.to_numpy(found), [factorial, 2 * factorial])
    assert len(on.row(packed, 4)) == 1
    assert len(on.row(on.packed_rows(rows, 0), 1)) == 0
    chosen, _ = on.stacked_rows(rows, (0, 2, 4))
    np.testing.assert_array_equal(on.to_numpy(chosen), [[1.0, 2.0], [2.0, 4.0], [24.0, 48.0]])


@pytest.mark.parametrize("xs", [(3, 1, 2), (0.5, -1.25), range(4)])
def test_scan(on: md.Backend, array: Make, xs: Any) -> None:
    """Running sums: the last carry is the last row, and fractions are not cut off."""

    def body(carry: Arrays, x: Any) -> tuple[Arrays, Arrays]:
        total = carry[0] + x
        return (total,), (total, total * total)

    (end,), (sums, squares) = on.scan(body, (array([0.0, 10.0]),), xs)
    expected = np.cumsum(np.asarray(xs, dtype=float))[:, None] + [0.0, 10.0]
    np.testing.assert_array_equal(on.to_numpy(end), expected[-1])
    np.testing.assert_array_equal(on.to_numpy(sums), expected)
    np.testing.assert_array_equal(on.to_numpy(squares), expected**2)


def test_scan_is_differentiated_in_reverse(on: md.Backend, array: Make) -> None:
    """y_n = x^(n + 1), so that d(y_0 + y_1 + y_2)/dx = 1 + 2x + 3x^2."""

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        def body(carry: Arrays, _: Any) -> tuple[Arrays, Arrays]:
            power = carry[0] * x
            return (power,), (power,)

        _, (powers,) = on.scan(body, (on.xp(x).ones_like(x),), range(3))
        return on.xp(powers).sum(powers), ()

    at = np.array([0.5, -2.0])
    value, (slope,), _ = on.value_and_grad(loss, (array(at),))
    np.testing.assert_allclose(on.to_numpy(value), (at + at**2 + at**3).sum(), rtol=1e-15)
    np.testing.assert_allclose(on.to_numpy(slope), 1 + 2 * at + 3 * at**2, rtol=1e-15)


def test_while_loop(on: md.Backend, array: Make) -> None:
    """Collatz: 27 takes 111 steps to reach 1."""

    def body(carry: Arrays) -> Arrays:
        n, count = carry
        xp = on.xp(n)
        return xp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

    start = (on.asarray(27, dtype="int32"), on.asarray(0, dtype="int32"))
    n, count = on.while_loop(lambda carry: carry[0] != 1, body, start)
    assert (int(on.to_numpy(n)), int(on.to_numpy(count))) == (1, 111)
    n, count = on.while_loop(lambda carry: carry[0] != 27, body, start)
    assert (int(on.to_numpy(n)), int(on.to_numpy(count))) == (27, 0)


@pytest.mark.parametrize("holds", [True, False])
def test_cond(on: md.Backend, array: Make, holds: bool) -> None:
    ran: list[str] = []

    def yes(x: Array, y: Array) -> Arrays:
        ran.append("yes")
        return x + y, x

    def no(x: Array, y: Array) -> Arrays:
        ran.append("no")
        return x - y, y

    def run(predicate: Array, x: Array, y: Array) -> Arrays:
        return on.cond(predicate, yes, no, x, y)

    made = on.asarray(holds, dtype="bool")
    first, second = on.jit(run)(made, array([3.0]), array([1.0]))
    assert float(on.to_numpy(first)[0]) == (4.0 if holds else 2.0)
    assert float(on.to_numpy(second)[0]) == (3.0 if holds else 1.0)
    if not on.capabilities.jit:
        assert ran == ["yes" if holds else "no"]


def test_the_branch_not_taken_spoils_no_gradient(on: md.Backend, array: Make) -> None:
    """sqrt has no derivative at 0; the branch without it is the one that counts there."""

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        xp = on.xp(x)
        (found,) = on.cond(
            on.stop_gradient(x) > 0, lambda y: (on.xp(y).sqrt(y),), lambda y: (3.0 * y,), x
        )
        return xp.sum(found), ()

    for at, slope in ((0.0, 3.0), (4.0, 0.25)):
        _, (found,), _ = on.value_and_grad(loss, (array(at),))
        assert float(on.to_numpy(found)) == slope


def test_map(on: md.Backend, array: Make) -> None:
    xs, ys = np.arange(6.0).reshape(3, 2), np.array([1.0, 10.0, 100.0])

    def function(x: Array, y: Array) -> Arrays:
        return on.xp(x).sum(x) * y, x[0]

    sums, firsts = on.map(function, array(xs), array(ys))
    np.testing.assert_array_equal(on.to_numpy(sums), xs.sum(axis=1) * ys)
    np.testing.assert_array_equal(on.to_numpy(firsts), xs[:, 0])

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        found = on.map(function, x, array(ys))[0]
        return on.xp(found).sum(found), ()

    _, (slope,), _ = on.value_and_grad(loss, (array(xs),))
    np.testing.assert_array_equal(on.to_numpy(slope), np.broadcast_to(ys[:, None], (3, 2)))


def sorted_on_host(x: Any, order: Any) -> tuple[Any, Any]:
    """Return sorted values and where they were, as only the host can here."""
    assert type(x) is np.ndarray
    assert type(order) is np.ndarray
    places = np.argsort(x) if int(order) > 0 else np.argsort(-x)
    return x[places], places


@pytest.mark.parametrize("compiled", [False, True])
def test_host_call(on: md.Backend, array: Make, compiled: bool) -> None:
    like = [((3,), "float64"), ((3,), "int32")]

    def run(x: Array, order: Array) -> Arrays:
        return on.host_call(sorted_on_host, like, x, order)

    at, downwards = array([2.0, 3.0, 1.0]), on.asarray(-1, dtype="int32")
    values, places = (on.jit(run) if compiled else run)(at, downwards)
    assert (on.dtype_name(values), on.dtype_name(places)) == ("float64", "int32")
    np.testing.assert_array_equal(on.to_numpy(values), [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(on.to_numpy(places), [1, 0, 2])
    assert on.device_of(values) == on.device_of(at)


def test_no_gradient_passes_a_host_call(on: md.Backend, array: Make) -> None:
    """d(x host(x))/dx = host(x): what the host returns is a constant, in both directions."""

    def function(x: Array) -> Arrays:
        (doubled,) = on.host_call(lambda host: (2.0 * host,), [((2,), "float64")], x)
        return (x * doubled,)

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        (found,) = function(x)
        return on.xp(found).sum(found), ()

    at = np.array([3.0, -0.5])
    _, (slope,), _ = on.value_and_grad(loss, (array(at),))
    np.testing.assert_array_equal(on.to_numpy(slope), 2.0 * at)
    _, (along,) = on.jvp(function, (array(at),), (array([1.0, 1.0]),))
    np.testing.assert_array_equal(on.to_numpy(along), 2.0 * at)


def test_host_call_without_arrays(on: md.Backend) -> None:
    (found,) = on.host_call(lambda: (np.arange(3.0),), [((3,), "float64")])
    np.testing.assert_array_equal(on.to_numpy(found), [0.0, 1.0, 2.0])


def test_host_call_of_a_shape_that_comes(on: md.Backend, array: Make) -> None:
    def positive(x: Any) -> tuple[Any]:
        return (x[x > 0],)

    like = [(None, "float64")]
    if on.capabilities.jit:
        with pytest.raises(md.BackendError, match="must know the shape of every array"):
            on.host_call(positive, like, array([1.0, -1.0]))
        return
    (found,) = on.host_call(positive, like, array([1.0, -1.0, 2.0]))
    np.testing.assert_array_equal(on.to_numpy(found), [1.0, 2.0])


def test_host_call_holds_a_function_to_its_word(on: md.Backend, array: Make) -> None:
    with pytest.raises(Exception, match=r"shape \(2,\), and \(3,\) was announced"):
        on.to_numpy(on.host_call(lambda x: (x,), [((3,), "float64")], array([1.0, 2.0]))[0])
