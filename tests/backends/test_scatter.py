"""Sums by row, places where a mask holds, and erf: one body for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md

Array = Any
Make = Callable[..., Array]

#: Repeated, out of order, with rows that nothing is added to.
ROWS = [3, 0, 3, 1, 3, 0]
CASES: dict[str, list[int]] = {
    "repeated": ROWS,
    "sorted": sorted(ROWS),
    "all the same": [2] * 6,
    "none": [],
    "one": [4],
    "each once": [4, 3, 2, 1, 0],
}


def summed_by_row(rows: list[int], values: Any, n_rows: int) -> Any:
    """Return the sums, one addition at a time."""
    total = np.zeros((n_rows, *values.shape[1:]))
    for row, value in zip(rows, values, strict=True):
        total[row] += value
    return total


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("trailing", [(), (3,)])
def test_index_add(
    on: md.Backend, array: Make, name: str, dtype: str, kind: str, trailing: tuple[int, ...]
) -> None:
    rows = CASES[name]
    # Exact in both types, so that the order of the additions does not show.
    values = np.arange(len(rows) * math.prod(trailing), dtype=float) * 0.25 - 1.0
    values = values.reshape(len(rows), *trailing)
    found = on.index_add(5, on.asarray(rows, dtype=kind), array(values, dtype=dtype))
    assert on.dtype_name(found) == dtype
    assert tuple(found.shape) == (5, *trailing)
    np.testing.assert_array_equal(on.to_numpy(found), summed_by_row(rows, values, 5))


def test_index_add_into_nothing(on: md.Backend, array: Make) -> None:
    found = on.index_add(0, on.asarray([], dtype="int32"), array([]))
    assert tuple(found.shape) == (0,)


def test_index_add_of_integers(on: md.Backend) -> None:
    values = on.asarray([1, 2, 3, 4, 5, 6], dtype="int64")
    found = on.index_add(5, on.asarray(ROWS, dtype="int32"), values)
    assert on.dtype_name(found) == "int64"
    np.testing.assert_array_equal(on.to_numpy(found), [8, 4, 0, 9, 0])


@pytest.mark.parametrize("size", [100, 10_000])
def test_index_add_of_many(on: md.Backend, array: Make, size: int) -> None:
    """Two thousand times the same row, and no addition is lost."""
    rng = np.random.default_rng(3)
    rows, values = rng.integers(0, 5, size), rng.standard_normal(size)
    found = on.index_add(5, on.asarray(rows, dtype="int32"), array(values))
    expected = summed_by_row(rows.tolist(), values, 5)
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["numpy", "torch", "array_api_strict"])
def test_a_row_that_does_not_exist(name: str) -> None:
    """Where a library looks at its indices it says so; a compiler and a GPU do not look."""
    on = md.backend(name)
    rows, values = on.asarray([0, 7], dtype="int64"), on.asarray([1.0, 2.0], dtype="float64")
    with pytest.raises((IndexError, RuntimeError), match=r"[Rr]ow 7|out of (range|bounds)"):
        on.index_add(5, rows, values)


def test_index_add_is_linear_both_ways(on: md.Backend, array: Make) -> None:
    """Its pull gathers, and the pull of that adds again."""
    rows = on.asarray(ROWS, dtype=on.capabilities.index_dtype)
    values, weights = np.linspace(-1.0, 1.0, 6), np.array([1.0, 2.0, 4.0, 8.0, 16.0])

    def function(x: Array) -> tuple[Array]:
        return (on.index_add(5, rows, x),)

    (sums,), pull = on.vjp(function, array(values))
    np.testing.assert_allclose(on.to_numpy(sums), summed_by_row(ROWS, values, 5), rtol=1e-14)
    np.testing.assert_array_equal(on.to_numpy(pull((array(weights),))[0]), weights[ROWS])
    _, (along,) = on.jvp(function, (array(values),), (array(values**2),))
    np.testing.assert_allclose(on.to_numpy(along), summed_by_row(ROWS, values**2, 5), rtol=1e-14)

    def energy(x: Array) -> tuple[Array, tuple[()]]:
        (total,) = function(x)
        return on.xp(total).sum(total * total) / 2, ()

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        _, (slope,), _ = on.value_and_grad(energy, (x,))
        return on.xp(slope).sum(slope * slope), ()

    # E = |A x|^2 / 2 has the gradient A^T A x, and |A^T A x|^2 the gradient 2 (A^T A)^2 x.
    matrix = np.zeros((5, 6))
    matrix[ROWS, np.arange(6)] = 1.0
    square = matrix.T @ matrix
    _, (found,), _ = on.value_and_grad(loss, (array(values),))
    np.testing.assert_allclose(on.to_numpy(found), 2 * square @ square @ values, atol=1e-13)


MASKS: dict[str, list[bool]] = {
    "some": [False, True, True, False, True, False, True],
    "first and last": [True, False, False, True],
    "all": [True] * 4,
    "none": [False] * 4,
    "empty": [],
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("size", [0, 1, 3, 4, 9])
def test_nonzero_padded(on: md.Backend, name: str, size: int) -> None:
    """The first places that fit, zeros after them, and how many there would have been."""
    mask = np.array(MASKS[name], dtype=bool)
    places, count = on.nonzero_padded(on.asarray(mask, dtype="bool"), size)
    expected = np.flatnonzero(mask)
    assert "int" in on.dtype_name(places)
    assert "int" in on.dtype_name(count)
    assert tuple(count.shape) == ()
    assert int(on.to_numpy(count)) == len(expected)
    padded = np.zeros(size, dtype=int)
    padded[: len(expected)] = expected[:size]
    np.testing.assert_array_equal(on.to_numpy(places), padded)


def test_nonzero_padded_is_compiled(on: md.Backend) -> None:
    """A size that is fixed is all a compiler needs."""
    mask = on.asarray([False, True, True], dtype="bool")
    places, count = on.jit(lambda m: on.nonzero_padded(m, 4))(mask)
    np.testing.assert_array_equal(on.to_numpy(places), [1, 2, 0, 0])
    assert int(on.to_numpy(count)) == 2


def test_places_pick_what_they_found(on: md.Backend, array: Make) -> None:
    """The integers are of a type that indexes."""
    x = array([10.0, 20.0, 30.0])
    places, count = on.nonzero_padded(x > 15.0, 3)
    np.testing.assert_array_equal(on.to_numpy(x[places]), [20.0, 30.0, 10.0])
    assert int(count) == 2


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_erf(on: md.Backend, array: Make, shape: tuple[int, ...], dtype: str) -> None:
    at = np.linspace(-3.0, 6.5, math.prod(shape)).reshape(shape)
    found = on.erf(array(at, dtype=dtype))
    assert on.dtype_name(found) == dtype
    assert tuple(found.shape) == shape
    exact = np.array([math.erf(x) for x in at.ravel()]).reshape(shape)
    tolerance = 1e-15 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(on.to_numpy(found), exact, rtol=tolerance, atol=0)


def test_derivatives_of_erf(on: md.Backend, array: Make) -> None:
    """erf' = 2 exp(-x^2)/sqrt(pi) and erf'' = -2 x erf'."""
    at = np.array([-1.5, 0.0, 0.3, 2.0])
    slope = 2 / math.sqrt(math.pi) * np.exp(-(at**2))
    np.testing.assert_allclose(on.to_numpy(on.radial(on.erf, array(at))), slope, rtol=1e-14)

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        found = on.radial(on.erf, x)
        return on.xp(found).sum(found), ()

    _, (curvature,), _ = on.value_and_grad(loss, (array(at),))
    np.testing.assert_allclose(on.to_numpy(curvature), -2 * at * slope, rtol=1e-14, atol=1e-300)


def test_erf_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy needs no SciPy to be right."""
    import sys

    monkeypatch.setitem(sys.modules, "scipy.special", None)
    on = md.backend("numpy")
    for shape in ((), (0,), (2, 2)):
        for dtype in ("float64", "float32"):
            at = np.full(shape, 0.3, dtype=dtype)
            found = on.erf(at)
            assert (found.dtype, found.shape) == (np.dtype(dtype), shape)
            np.testing.assert_allclose(found, math.erf(0.3), rtol=1e-7)
