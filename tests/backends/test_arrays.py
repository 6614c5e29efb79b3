"""Making arrays and looking at them: one body for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md

Array = Any

VALUES = [[1.0, -2.5, 3.0], [0.25, 1e-3, -7.0]]


class Peculiar(np.ndarray):
    """An array that multiplies in a way of its own, as `numpy.matrix` does."""

    def __mul__(self, other: Any) -> Any:
        return 0.0 * np.asarray(self)


def host_arrays() -> dict[str, Any]:
    """Return host arrays of the same values, laid out in every way NumPy knows."""
    plain = np.array(VALUES)
    read_only = plain.copy()
    read_only.flags.writeable = False
    wide = np.zeros((4, 6))
    wide[::2, ::2] = plain
    return {
        "plain": plain,
        "read-only": read_only,
        "strided": wide[::2, ::2],
        "transposed": np.ascontiguousarray(plain.T).T,
        "backwards": np.ascontiguousarray(plain[::-1, ::-1])[::-1, ::-1],
        "broadcast": np.broadcast_to(plain, (2, 3)),
        "big-endian": plain.astype(">f8"),
        "little-endian": plain.astype("<f8"),
        "from a buffer": np.frombuffer(plain.tobytes()).reshape(2, 3),
        "subclass": plain.view(Peculiar),
        "masked, nothing masked": np.ma.array(plain, mask=False),
    }


@pytest.mark.parametrize("layout", host_arrays())
@pytest.mark.parametrize("dtype", [None, "float64", "float32"])
def test_any_host_array_is_read(on: md.Backend, layout: str, dtype: str | None) -> None:
    made = on.asarray(host_arrays()[layout], dtype=dtype)
    assert on.is_array(made)
    assert on.dtype_name(made) == (dtype or "float64")
    expected = np.array(VALUES).astype(dtype or "float64")
    np.testing.assert_array_equal(on.to_numpy(made), expected)
    # An array of the library's own class, not one that multiplies in some other way.
    np.testing.assert_array_equal(on.to_numpy(made * made), expected * expected)


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64", "bool"])
def test_a_host_array_keeps_its_type(on: md.Backend, kind: str) -> None:
    host = np.array([0, 1, 1]).astype(kind)
    made = on.asarray(host)
    assert on.dtype_name(made) == kind
    assert on.to_numpy(made).dtype == np.dtype(kind)
    assert made.shape == (3,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.5, 2.5),
        (True, 1.0),
        (np.float64(2.5), 2.5),
        (np.float32(2.5), 2.5),
        (np.int64(3), 3.0),
        (np.array(2.5), 2.5),
        ([1, 2.5], [1.0, 2.5]),
        ((1.0, 2.0), [1.0, 2.0]),
        ([np.float64(1.0), 2.0], [1.0, 2.0]),
        ([[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
        ([], []),
        (range(2, 8, 3), [2.0, 5.0]),
    ],
)
def test_numbers_and_lists_become_arrays(on: md.Backend, value: Any, expected: Any) -> None:
    made = on.asarray(value, dtype="float64")
    assert on.is_array(made)
    assert on.dtype_name(made) == "float64"
    assert tuple(made.shape) == np.shape(expected)
    np.testing.assert_array_equal(on.to_numpy(made), np.asarray(expected, dtype=float))


@pytest.mark.parametrize("kind", ["int32", "int64", "float32"])
def test_ranges_take_the_type_asked_for(on: md.Backend, kind: str) -> None:
    made = on.asarray(range(3), dtype=kind)
    assert on.dtype_name(made) == kind
    np.testing.assert_array_equal(on.to_numpy(made), np.arange(3).astype(kind))


def test_an_own_array_stays_itself(on: md.Backend, array: Callable[..., Array]) -> None:
    made = array([1.0, 2.0])
    assert on.asarray(made) is made
    assert on.asarray(made, dtype="float64") is made
    assert on.asarray(made, device=on.device_of(made)) is made
    other = on.asarray(made, dtype="float32")
    assert on.dtype_name(other) == "float32"
    assert on.device_of(other) == on.device_of(made)


def gradient(on: md.Backend, function: Callable[[Array], Array], at: Array) -> Any:
    """Return the gradient of the summed result."""

    def summed(x: Array) -> tuple[Array, tuple[()]]:
        result = function(x)
        return on.xp(result).sum(result), ()

    return on.to_numpy(on.value_and_grad(summed, (at,))[1][0])


@pytest.mark.parametrize("dtype", [None, "float64", "float32"])
def test_gradients_pass_through(
    on: md.Backend, array: Callable[..., Array], dtype: str | None
) -> None:
    at = array([0.5, -1.5])
    found = gradient(on, lambda x: on.asarray(x * x, dtype=dtype), at)
    np.testing.assert_array_equal(found, [1.0, -3.0])


@pytest.mark.parametrize(
    ("arranged", "expected"),
    [
        (lambda x: [x[0], 2.0, x[1]], [1.0, 1.0]),
        (lambda x: (x[1], x[1] * x[0]), [2.0, 1.5]),
        (lambda x: [[x[0], 1.0], [x[0], x[1]]], [2.0, 1.0]),
        (lambda x: [x, [7, x[0] * x[0]]], [2.0, 1.0]),
        (lambda x: [np.float64(3.0), x[0]], [1.0, 0.0]),
    ],
    ids=["flat", "tuple", "nested", "mixed", "host scalar"],
)
def test_gradients_pass_through_lists(
    on: md.Backend, array: Callable[..., Array], arranged: Callable[[Array], Any], expected: Any
) -> None:
    at = array([0.5, 2.0])
    found = gradient(on, lambda x: on.asarray(arranged(x)), at)
    np.testing.assert_array_equal(found, expected)
    plain = on.asarray(arranged(at))
    # A number beside an array takes the array's type.
    assert on.dtype_name(plain) == "float64"


def test_gradients_pass_forward_through_lists(on: md.Backend, array: Callable[..., Array]) -> None:
    at = array([0.5, 2.0])
    _, (along,) = on.jvp(lambda x: (on.asarray([x[0] * x[1], 1.0]),), (at,), (array([1.0, 0.0]),))
    np.testing.assert_array_equal(on.to_numpy(along), [2.0, 0.0])


def test_masked_values_are_refused(on: md.Backend) -> None:
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
    with pytest.raises(TypeError, match=r"1 masked value\(s\).*`\.filled\(\.\.\.\)`"):
        on.asarray(masked)


def test_nonsense_is_refused(on: md.Backend) -> None:
    for value in ("a word", object(), ["a", "b"], {"k": 1.0}):
        with pytest.raises((TypeError, ValueError)):
            on.asarray(value, dtype="float64")


def test_to_numpy_cuts_the_gradient(on: md.Backend, array: Callable[..., Array]) -> None:
    at = array([3.0, 4.0])
    seen: list[Any] = []

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        if on.known(x) is not None:
            seen.append(on.known(x))
        return on.xp(x).sum(x), ()

    on.value_and_grad(loss, (at,))
    host = on.to_numpy(at)
    assert type(host) is np.ndarray
    np.testing.assert_array_equal(host, [3.0, 4.0])
    for known in seen:
        assert type(known) is np.ndarray
        np.testing.assert_array_equal(known, [3.0, 4.0])
    if not on.capabilities.jit:
        assert seen, "an eager library knows the values while it follows a gradient"


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 2)])
def test_shapes_survive_the_way_there_and_back(on: md.Backend, shape: tuple[int, ...]) -> None:
    host = np.ones(shape)
    back = on.to_numpy(on.asarray(host))
    assert back.shape == shape
    assert back.dtype == np.float64


def test_is_array(on: md.Backend, array: Callable[..., Array]) -> None:
    assert on.is_array(array([1.0]))
    for other in (1.0, 2, True, None, [1.0], "word", object()):
        assert not on.is_array(other)
    kinds: list[bool] = []

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        kinds.append(on.is_array(x))
        return on.xp(x).sum(x), ()

    on.value_and_grad(loss, (array([1.0]),))
    assert kinds == [True]


def test_values_are_unknown_only_to_a_compiler(on: md.Backend, array: Callable[..., Array]) -> None:
    at = array([1.0, 2.0])
    assert not on.is_traced(at)
    np.testing.assert_array_equal(on.known(at), [1.0, 2.0])
    seen: list[tuple[bool, bool]] = []

    def look(x: Array) -> Array:
        seen.append((on.is_traced(x), on.known(x) is None))
        return x

    on.jit(look)(at)
    assert seen == [(on.capabilities.jit, on.capabilities.jit)]


def test_devices(on: md.Backend, array: Callable[..., Array]) -> None:
    at = array([1.0])
    place = on.device_of(at)
    assert place is not None
    assert on.device_of(on.asarray([2.0], dtype="float64", device=place)) == place
    assert on.device_of(on.xp(at).exp(at)) == place
    on.synchronize(at)


def test_known_types_are_made(on: md.Backend) -> None:
    for kind in ("float32", "float64"):
        on.check_dtype(kind)
    assert on.dtype_name(on.asarray([1], dtype=on.capabilities.index_dtype)).startswith("int")


def test_a_foreign_gradient_is_never_cut_in_silence(on: md.Backend) -> None:
    """An array that another library differentiates is refused, whichever library that is."""
    if on.name in ("torch", "jax"):
        import xpmd_autodiff

        def loss(x: Array) -> Array:
            return on.asarray(x).sum()

        with pytest.raises(md.GradientError, match="converted to a plain array"):
            xpmd_autodiff.grad(loss)(np.ones(2))
    if on.name != "torch":
        torch = pytest.importorskip("torch")
        with pytest.raises((RuntimeError, TypeError), match=r"requires grad|Unsupported"):
            on.asarray(torch.ones(2, requires_grad=True))


def test_availability(on: md.Backend) -> None:
    assert type(on).availability() is None
    assert repr(on) == f"<xpmd backend {on.name}>"
