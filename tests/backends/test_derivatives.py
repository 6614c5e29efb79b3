"""Derivatives against closed forms: one body for every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md

Array = Any
Arrays = tuple[Any, ...]
Make = Callable[..., Array]

AT = np.array([0.7, 1.3, 2.9])
WEIGHTS = np.array([1.0, -2.0, 0.5])


def close(on: md.Backend, found: Array, expected: Any) -> None:
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-13, atol=1e-300)


def morse(on: md.Backend, width: Any) -> Callable[[Array], Array]:
    """Return U(s) = exp(-a s) / s."""

    def energy(s: Array) -> Array:
        return on.xp(s, width).exp(-width * s) / s

    return energy


def morse_slopes(a: float, s: Any) -> dict[str, Any]:
    """Return U', U'', U''' and dU'/da of the same, done by hand."""
    u = np.exp(-a * s) / s
    first = -(a + 1 / s) * u
    second = u / s**2 - (a + 1 / s) * first
    third = -2 * u / s**3 + 2 * first / s**2 - (a + 1 / s) * second
    # d/da of -(a + 1/s) u, where du/da = -s u.
    by_width = -u + (a * s + 1) * u
    return {"first": first, "second": second, "third": third, "by_width": by_width}


# -- stop_gradient ------------------------------------------------------------------------------


def test_stop_gradient_in_reverse_and_forward(on: md.Backend, array: Make) -> None:
    def function(x: Array) -> Arrays:
        return (on.stop_gradient(x) * x,)

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        (found,) = function(x)
        return on.xp(found).sum(found), ()

    close(on, on.value_and_grad(loss, (array(AT),))[1][0], AT)
    _, (along,) = on.jvp(function, (array(AT),), (array(WEIGHTS),))
    close(on, along, AT * WEIGHTS)
    close(on, on.stop_gradient(array(AT)), AT)


# -- radial -------------------------------------------------------------------------------------


def test_radial(on: md.Backend, array: Make) -> None:
    slope = on.radial(morse(on, 0.8), array(AT))
    close(on, slope, morse_slopes(0.8, AT)["first"])
    assert on.dtype_name(slope) == "float64"


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 1)])
def test_radial_of_any_shape(on: md.Backend, array: Make, shape: tuple[int, ...]) -> None:
    at = np.full(shape, 1.5)
    slope = on.radial(lambda s: s * s * s, array(at))
    assert tuple(slope.shape) == shape
    close(on, slope, 3 * at**2)


def test_radial_of_a_constant_is_zero(on: md.Backend, array: Make) -> None:
    slope = on.radial(lambda s: on.xp(s).ones_like(on.stop_gradient(s)), array(AT))
    np.testing.assert_array_equal(on.to_numpy(slope), np.zeros(3))


def test_radial_keeps_float32(on: md.Backend, array: Make) -> None:
    slope = on.radial(morse(on, 0.8), array(AT, dtype="float32"))
    assert on.dtype_name(slope) == "float32"
    np.testing.assert_allclose(on.to_numpy(slope), morse_slopes(0.8, AT)["first"], rtol=1e-5)


def test_second_derivative_by_radial_of_radial(on: md.Backend, array: Make) -> None:
    second = on.radial(lambda s: on.radial(morse(on, 0.8), s), array(AT))
    close(on, second, morse_slopes(0.8, AT)["second"])


def test_second_derivative_in_reverse(on: md.Backend, array: Make) -> None:
    def loss(s: Array) -> tuple[Array, tuple[()]]:
        slope = on.radial(morse(on, 0.8), s)
        return on.xp(slope).sum(slope * array(WEIGHTS)), ()

    _, (found,), _ = on.value_and_grad(loss, (array(AT),))
    close(on, found, WEIGHTS * morse_slopes(0.8, AT)["second"])


def test_second_derivative_forward(on: md.Backend, array: Make) -> None:
    (slope,), (along,) = on.jvp(
        lambda s: (on.radial(morse(on, 0.8), s),), (array(AT),), (array(WEIGHTS),)
    )
    close(on, slope, morse_slopes(0.8, AT)["first"])
    close(on, along, WEIGHTS * morse_slopes(0.8, AT)["second"])


def test_third_derivative_in_reverse(on: md.Backend, array: Make) -> None:
    def loss(s: Array) -> tuple[Array, tuple[()]]:
        second = on.radial(lambda y: on.radial(morse(on, 0.8), y), s)
        return on.xp(second).sum(second), ()

    _, (found,), _ = on.value_and_grad(loss, (array(AT),))
    close(on, found, morse_slopes(0.8, AT)["third"])


@pytest.mark.parametrize("forward", [False, True])
def test_parameters_of_the_energy_are_followed_through_radial(
    on: md.Backend, array: Make, forward: bool
) -> None:
    """The function closes over a parameter, as a force field's does."""

    def function(width: Array) -> Arrays:
        return (on.radial(morse(on, width), array(AT)),)

    expected = morse_slopes(0.8, AT)["by_width"]
    if forward:
        _, (along,) = on.jvp(function, (array(0.8),), (array(1.0),))
        close(on, along, expected)
        return

    def loss(width: Array) -> tuple[Array, tuple[()]]:
        (slope,) = function(width)
        return on.xp(slope).sum(slope * array(WEIGHTS)), ()

    _, (found,), _ = on.value_and_grad(loss, (array(0.8),))
    close(on, found, (WEIGHTS * expected).sum())


# -- vjp ----------------------------------------------------------------------------------------


def polar(on: md.Backend) -> Callable[..., Arrays]:
    """Return (r, phi) -> (r cos phi, r sin phi), whose Jacobian everybody knows."""

    def function(r: Array, phi: Array) -> Arrays:
        xp = on.xp(r, phi)
        return r * xp.cos(phi), r * xp.sin(phi)

    return function


R, PHI = np.array([1.0, 2.0]), np.array([0.3, -1.1])


def test_vjp(on: md.Backend, array: Make) -> None:
    (x, y), pull = on.vjp(polar(on), array(R), array(PHI))
    close(on, x, R * np.cos(PHI))
    close(on, y, R * np.sin(PHI))
    u, v = np.array([1.0, 0.5]), np.array([-2.0, 3.0])
    # More than once, and with None for a cotangent of zero.
    for a, b in ((u, v), (u, None), (None, v), (None, None)):
        of_r, of_phi = pull([None if c is None else array(c) for c in (a, b)])
        a, b = (np.zeros(2) if c is None else c for c in (a, b))
        close(on, of_r, a * np.cos(PHI) + b * np.sin(PHI))
        close(on, of_phi, R * (b * np.cos(PHI) - a * np.sin(PHI)))


def test_vjp_of_integers_and_of_what_does_not_matter(on: md.Backend, array: Make) -> None:
    rows = on.asarray([2, 0], dtype=on.capabilities.index_dtype)

    def function(x: Array, rows: Array, unused: Array) -> Arrays:
        return x[rows], rows + 1

    (taken, moved), pull = on.vjp(function, array(AT), rows, array([5.0]))
    close(on, taken, AT[[2, 0]])
    np.testing.assert_array_equal(on.to_numpy(moved), [3, 1])
    of_x, of_rows, of_unused = pull((array([1.0, 10.0]), None))
    close(on, of_x, [10.0, 0.0, 1.0])
    assert of_rows is None
    np.testing.assert_array_equal(on.to_numpy(of_unused), [0.0])


def test_vjp_of_the_same_array_twice(on: md.Backend, array: Make) -> None:
    """Each place has a cotangent of its own."""
    x = array(AT)
    _, pull = on.vjp(lambda a, b: (a * a * b,), x, x)
    of_a, of_b = pull((array([1.0, 1.0, 1.0]),))
    close(on, of_a, 2 * AT**2)
    close(on, of_b, AT**2)


def test_vjp_of_an_input_handed_through(on: md.Backend, array: Make) -> None:
    (same,), pull = on.vjp(lambda a: (a,), array(AT))
    close(on, same, AT)
    close(on, pull((array(WEIGHTS),))[0], WEIGHTS)


def test_vjp_is_differentiated_in_reverse(on: md.Backend, array: Make) -> None:
    """grad of sum(w . x^3)' = 3 w x^2 is 6 w x."""

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        _, pull = on.vjp(lambda y: (y * y * y,), x)
        (slope,) = pull((array(WEIGHTS),))
        return on.xp(slope).sum(slope), ()

    _, (found,), _ = on.value_and_grad(loss, (array(AT),))
    close(on, found, 6 * WEIGHTS * AT)


def test_vjp_is_differentiated_forward(on: md.Backend, array: Make) -> None:
    def slopes(x: Array) -> Arrays:
        (cubes,), pull = on.vjp(lambda y: (y * y * y,), x)
        return cubes, *pull((array(WEIGHTS),))

    (cubes, slope), (cubes_along, slope_along) = on.jvp(slopes, (array(AT),), (array(R[[0] * 3]),))
    close(on, cubes, AT**3)
    close(on, slope, 3 * WEIGHTS * AT**2)
    close(on, cubes_along, 3 * AT**2)
    close(on, slope_along, 6 * WEIGHTS * AT)


# -- jvp ----------------------------------------------------------------------------------------


def test_jvp(on: md.Backend, array: Make) -> None:
    dr, dphi = np.array([0.1, -1.0]), np.array([2.0, 0.7])
    (x, y), (dx, dy) = on.jvp(polar(on), (array(R), array(PHI)), (array(dr), array(dphi)))
    close(on, x, R * np.cos(PHI))
    close(on, y, R * np.sin(PHI))
    close(on, dx, dr * np.cos(PHI) - R * np.sin(PHI) * dphi)
    close(on, dy, dr * np.sin(PHI) + R * np.cos(PHI) * dphi)


def test_jvp_with_none_for_zero(on: md.Backend, array: Make) -> None:
    dphi = np.array([2.0, 0.7])
    _, (dx, dy) = on.jvp(polar(on), (array(R), array(PHI)), (None, array(dphi)))
    close(on, dx, -R * np.sin(PHI) * dphi)
    close(on, dy, R * np.cos(PHI) * dphi)


def test_jvp_of_integers_and_of_what_does_not_move(on: md.Backend, array: Make) -> None:
    rows = on.asarray([2, 0], dtype=on.capabilities.index_dtype)

    def function(x: Array, rows: Array) -> Arrays:
        return x[rows], rows + 1, array([1.0, 2.0])

    outs, tangents = on.jvp(function, (array(AT), rows), (array(WEIGHTS), None))
    close(on, outs[0], AT[[2, 0]])
    np.testing.assert_array_equal(on.to_numpy(outs[1]), [3, 1])
    close(on, tangents[0], WEIGHTS[[2, 0]])
    assert tangents[1] is None
    np.testing.assert_array_equal(on.to_numpy(tangents[2]), [0.0, 0.0])


def test_jvp_is_differentiated_in_reverse(on: md.Backend, array: Make) -> None:
    def loss(x: Array) -> tuple[Array, tuple[()]]:
        _, (along,) = on.jvp(lambda y: (y * y * y,), (x,), (array(WEIGHTS),))
        return on.xp(along).sum(along), ()

    _, (found,), _ = on.value_and_grad(loss, (array(AT),))
    close(on, found, 6 * WEIGHTS * AT)


def test_jvp_inside_jvp(on: md.Backend, array: Make) -> None:
    """The inner function closes over the outer variable too: f(y) = x y^3 with y = x."""
    ones = np.ones(3)

    def slope(x: Array) -> Arrays:
        (cube,), (along,) = on.jvp(lambda y: (x * y * y * y,), (x,), (array(ones),))
        return cube, along

    (cube, along), (cube_moved, along_moved) = on.jvp(slope, (array(AT),), (array(WEIGHTS),))
    close(on, cube, AT**4)
    close(on, along, 3 * AT**3)
    close(on, cube_moved, 4 * AT**3 * WEIGHTS)
    close(on, along_moved, 9 * AT**2 * WEIGHTS)


def test_jvp_inside_jvp_by_closure_alone(on: md.Backend, array: Make) -> None:
    """What is differentiated inside stands still outside: f(y) = x y^3 at a fixed y."""

    def slope(x: Array) -> Arrays:
        return on.jvp(lambda y: (x * y * y * y,), (array(AT),), (array(WEIGHTS),))[1]

    _, (moved,) = on.jvp(slope, (array(2.0),), (array(1.0),))
    close(on, moved, 3 * AT**2 * WEIGHTS)


def test_several_directions(on: md.Backend, array: Make) -> None:
    directions = [np.array([1.0, 0.0]), np.array([0.5, -2.0])]
    outs, found = on.jvp_many(
        polar(on), (array(R), array(PHI)), [(array(d), array(-d)) for d in directions]
    )
    close(on, outs[0], R * np.cos(PHI))
    assert len(found) == len(directions)
    for d, (dx, dy) in zip(directions, found, strict=True):
        close(on, dx, d * np.cos(PHI) + R * np.sin(PHI) * d)
        close(on, dy, d * np.sin(PHI) - R * np.cos(PHI) * d)


def test_several_directions_of_integers_and_of_what_does_not_move(
    on: md.Backend, array: Make
) -> None:
    rows = on.asarray([2, 0], dtype=on.capabilities.index_dtype)

    def function(x: Array, rows: Array) -> Arrays:
        return x[rows], rows + 1, array([1.0, 2.0])

    directions = [(array(WEIGHTS), None), (array(AT), None)]
    _, found = on.jvp_many(function, (array(AT), rows), directions)
    for along, (taken, moved, still) in zip((WEIGHTS, AT), found, strict=True):
        close(on, taken, along[[2, 0]])
        assert moved is None
        np.testing.assert_array_equal(on.to_numpy(still), [0.0, 0.0])


@pytest.mark.parametrize("reverse", [True, False])
def test_several_directions_are_differentiated_again(
    on: md.Backend, array: Make, reverse: bool
) -> None:
    def changes(x: Array) -> Arrays:
        _, found = on.jvp_many(lambda y: (y * y * y,), (x,), [(array(WEIGHTS),), (array(AT),)])
        return found[0][0], found[1][0]

    second = 6 * AT * (WEIGHTS + AT)
    if not reverse:
        _, (first, other) = on.jvp(changes, (array(AT),), (array([1.0, 1.0, 1.0]),))
        close(on, first + other, second)
        return

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        first, other = changes(x)
        return on.xp(first).sum(first + other), ()

    _, (found,), _ = on.value_and_grad(loss, (array(AT),))
    close(on, found, second)


def test_what_is_followed(on: md.Backend, array: Make) -> None:
    assert not on.is_followed(array(AT))
    assert not on.is_followed(1.0)
    seen: list[bool] = []

    def look(x: Array) -> tuple[Array, tuple[()]]:
        seen.extend((on.is_followed(x * 2.0), on.is_followed(on.stop_gradient(x))))
        return on.xp(x).sum(x), ()

    on.value_and_grad(look, (array(AT),))
    on.jvp(lambda x: (look(x)[0],), (array(AT),), (array(WEIGHTS),))
    assert seen == [True, False, True, False]


# -- value_and_grad -----------------------------------------------------------------------------


def test_value_and_grad(on: md.Backend, array: Make) -> None:
    rows = on.asarray([2, 0], dtype=on.capabilities.index_dtype)

    def loss(x: Array, rows: Array, y: Array, unused: Array) -> tuple[Array, Arrays]:
        value = on.xp(x, y).sum(x[rows] * y)
        return value, (x * 2.0, rows)

    given = (array(AT), rows, array([3.0, 4.0]), array([1.0]))
    value, (of_x, of_rows, of_y, of_unused), (doubled, kept) = on.value_and_grad(loss, given)
    close(on, value, 3 * AT[2] + 4 * AT[0])
    assert tuple(value.shape) == ()
    close(on, of_x, [4.0, 0.0, 3.0])
    assert of_rows is None
    close(on, of_y, AT[[2, 0]])
    np.testing.assert_array_equal(on.to_numpy(of_unused), [0.0])
    close(on, doubled, 2 * AT)
    np.testing.assert_array_equal(on.to_numpy(kept), [2, 0])


@pytest.mark.parametrize("name", ["nothing", "constant", "stopped", "integer"])
def test_a_loss_that_depends_on_no_parameter_is_an_error(
    on: md.Backend, array: Make, name: str
) -> None:
    held = array(3.0)
    losses: dict[str, Callable[[Array], Any]] = {
        "nothing": lambda x: held,
        "constant": lambda x: held * held,
        "stopped": lambda x: on.stop_gradient(x) * held,
        "integer": lambda x: on.asarray(on.stop_gradient(x) > 0, dtype="float64") * held,
    }
    with pytest.raises(md.GradientError, match="depends on none"):
        on.value_and_grad(lambda x: (losses[name](x), ()), (array(2.0),))


def test_a_gradient_by_integers_alone_is_an_error(on: md.Backend) -> None:
    with pytest.raises(md.GradientError, match="depends on none"):
        on.value_and_grad(lambda n: (on.xp(n).sum(n), ()), (on.asarray([1, 2], dtype="int32"),))


def test_gradient_of_a_gradient(on: md.Backend, array: Make) -> None:
    """Outer loss: sum(w f') + g'(aux), with f = x^4 and the aux x^2 of the inner loss."""

    def inner(x: Array) -> tuple[Array, Arrays]:
        return on.xp(x).sum(x**4), (x * x,)

    def outer(x: Array) -> tuple[Array, tuple[()]]:
        value, (slope,), (square,) = on.value_and_grad(inner, (x,))
        xp = on.xp(value, slope, square)
        return value + xp.sum(slope * array(WEIGHTS)) + xp.sum(square), ()

    value, (found,), _ = on.value_and_grad(outer, (array(AT),))
    close(on, value, (AT**4).sum() + (4 * WEIGHTS * AT**3).sum() + (AT**2).sum())
    close(on, found, 4 * AT**3 + 12 * WEIGHTS * AT**2 + 2 * AT)


def test_gradient_along_a_direction(on: md.Backend, array: Make) -> None:
    """Forward over reverse: a Hessian times a vector, with value and aux moving along."""

    def inner(x: Array) -> tuple[Array, Arrays]:
        return on.xp(x).sum(x**4), (x * x,)

    def all_of_it(x: Array) -> Arrays:
        value, (slope,), (square,) = on.value_and_grad(inner, (x,))
        return value, slope, square

    _, (value, slope, square) = on.jvp(all_of_it, (array(AT),), (array(WEIGHTS),))
    close(on, value, (4 * AT**3 * WEIGHTS).sum())
    close(on, slope, 12 * AT**2 * WEIGHTS)
    close(on, square, 2 * AT * WEIGHTS)


def test_gradients_keep_float32(on: md.Backend, array: Make) -> None:
    value, (slope,), _ = on.value_and_grad(
        lambda x: (on.xp(x).sum(x**3), ()), (array(AT, dtype="float32"),)
    )
    assert (on.dtype_name(value), on.dtype_name(slope)) == ("float32", "float32")
    np.testing.assert_allclose(on.to_numpy(slope), 3 * AT**2, rtol=1e-6)


def test_gradients_survive_compilation(on: md.Backend, array: Make) -> None:
    def gradient(x: Array) -> Array:
        return on.value_and_grad(lambda y: (on.xp(y).sum(y**4), ()), (x,))[1][0]

    close(on, on.jit(gradient)(array(AT)), 4 * AT**3)


def test_a_compiled_loss_that_depends_on_no_parameter_is_an_error(
    on: md.Backend, array: Make
) -> None:
    """Here everything is traced, also what the parameters have no part in."""

    def gradient(x: Array, other: Array) -> Array:
        return on.value_and_grad(lambda y: (on.xp(other).sum(other * 2.0), ()), (x,))[1][0]

    with pytest.raises(md.GradientError, match="depends on none"):
        on.jit(gradient)(array(AT), array(AT))
