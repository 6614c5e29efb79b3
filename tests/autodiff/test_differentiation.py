"""The transforms: what they return, how they nest and when they refuse."""

from __future__ import annotations

import gc
import weakref

import array_api_compat.numpy
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import xpmd_autodiff
from xpmd.errors import GradientError
from xpmd_autodiff import Differentiation

NUMPY = Differentiation(array_api_compat.numpy)


def pair_energy(xp, x, sigma, epsilon):
    """Return the Lennard-Jones energy of all pairs."""
    count = x.shape[0]
    first, second = (xp.asarray(rows) for rows in np.triu_indices(count, 1))
    away = xp.take(x, first, axis=0) - xp.take(x, second, axis=0)
    squared = xp.sum(away * away, axis=-1)
    sixth = (sigma**2 / squared) ** 3
    return xp.sum(4 * epsilon * (sixth**2 - sixth))


def positions():
    grid = np.stack(np.meshgrid([0.0, 1.1, 2.2], [0.0, 1.2], [0.0, 1.05]), axis=-1)
    return grid.reshape(-1, 3) + np.random.default_rng(0).normal(size=(12, 3)) * 0.05


ARGUMENTS = (positions(), np.asarray(1.0), np.asarray(0.7))


def test_the_public_names():
    assert set(xpmd_autodiff.__all__) == {"Differentiation", "grad", "jvp", "vjp"}


def test_an_energy_agrees_with_jax_to_the_second_derivative():
    namespace = NUMPY.namespace
    direction = np.random.default_rng(1).normal(size=ARGUMENTS[0].shape)

    def ours(*args):
        return pair_energy(namespace, *args)

    def theirs(*args):
        return pair_energy(jax.numpy, *args)

    value, gradients = NUMPY.value_and_grad(ours, ARGUMENTS)
    expected = jax.jit(jax.value_and_grad(theirs, argnums=(0, 1, 2)))(*ARGUMENTS)
    np.testing.assert_allclose(value, expected[0], rtol=1e-13)
    for found, wanted in zip(gradients, expected[1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)

    def their_force(x, sigma):
        return jax.grad(theirs)(x, sigma, ARGUMENTS[2])

    wanted = jax.jit(lambda x, s: jax.jvp(their_force, (x, s), (direction, np.asarray(1.0)))[1])(
        *ARGUMENTS[:2]
    )

    def forward(x):
        def along(step):
            return ours(x + step * direction, ARGUMENTS[1] + step, ARGUMENTS[2])

        return NUMPY.jvp(along, (np.asarray(0.0),), (np.asarray(1.0),))[1]

    def force(x, sigma):
        return NUMPY.value_and_grad(lambda y: ours(y, sigma, ARGUMENTS[2]), (x,))[1][0]

    # A force times a vector, then its gradient: tape over tape.
    product, pull = NUMPY.vjp(force, *ARGUMENTS[:2])
    by_tape = pull(direction)[0] + _sigma_part(force)
    by_dual = NUMPY.jvp(force, ARGUMENTS[:2], (direction, np.asarray(1.0)))[1]
    by_both = NUMPY.value_and_grad(forward, ARGUMENTS[:1])[1][0]
    assert product.shape == direction.shape
    for found in (by_tape, by_dual, by_both):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)


def _sigma_part(force):
    return NUMPY.jvp(lambda sigma: force(ARGUMENTS[0], sigma), (ARGUMENTS[1],), (np.asarray(1.0),))[
        1
    ]


def test_derivative_of_a_function_that_closes_over_differentiated_values(differentiation, xp):
    namespace = differentiation.namespace
    x = xp.asarray([0.5, 1.0, 2.0])

    def loss(scale, x):
        slope = differentiation.derivative(lambda y: namespace.sin(scale * y), x)
        return namespace.sum(slope)

    value, (to_scale, to_x) = differentiation.value_and_grad(loss, (xp.asarray(1.5), x))
    plain = np.asarray(x)
    np.testing.assert_allclose(float(value), np.sum(1.5 * np.cos(1.5 * plain)))
    expected = np.sum(np.cos(1.5 * plain) - 1.5 * plain * np.sin(1.5 * plain))
    np.testing.assert_allclose(float(to_scale), expected)
    np.testing.assert_allclose(np.asarray(to_x), -(1.5**2) * np.sin(1.5 * plain))


def test_inner_and_outer_perturbations_are_not_confused(differentiation, xp):
    one = xp.asarray([1.0])

    def outer(x):
        return x * differentiation.derivative(lambda y: x + y, one)

    assert float(differentiation.derivative(outer, one)[0]) == 1.0

    def by_tape(x):
        inner = differentiation.vjp(lambda y: x + y, one)[1](xp.ones(1))[0]
        return x * inner

    assert float(differentiation.derivative(by_tape, one)[0]) == 1.0


def test_a_derivative_of_a_derivative_of_a_derivative(differentiation, xp):
    x = xp.asarray([0.7])

    def third(x):
        return differentiation.derivative(
            lambda y: differentiation.derivative(
                lambda z: differentiation.derivative(lambda w: w**5, z), y
            ),
            x,
        )

    np.testing.assert_allclose(float(third(x)[0]), 60 * 0.7**2)


def test_results_without_a_dependence_give_zeros(differentiation, xp):
    namespace = differentiation.namespace
    x, y = xp.ones((2, 3)), xp.asarray([1.0, 2.0])
    count = xp.asarray([1, 2])

    def function(x, y):
        return namespace.sum(x, axis=1), y * 0 + 1, count, namespace.floor(x)

    outs, tangents = differentiation.jvp(function, (x, y), (x, None))
    assert [None if t is None else np.asarray(t).tolist() for t in tangents] == [
        [3.0, 3.0],
        [0.0, 0.0],
        None,
        [[0.0] * 3] * 2,
    ]
    values, pull = differentiation.vjp(function, x, y)
    assert np.asarray(values[2]).tolist() == [1, 2]
    to_x, to_y = pull((None, None, None, xp.ones((2, 3))))
    assert to_x.shape == (2, 3)
    assert np.all(np.asarray(to_x) == 0)
    assert np.asarray(to_y).tolist() == [0.0, 0.0]
    to_x, _ = pull((xp.ones(2), None, None, None))
    assert np.all(np.asarray(to_x) == 1)
    assert not any(differentiation.is_wrapped(one) for one in (*outs, *tangents, *values, to_x))
    slope = differentiation.derivative(lambda x: xp.ones((2, 3)), x)
    assert np.all(np.asarray(slope) == 0)


def test_integers_get_no_gradient(differentiation, xp):
    namespace = differentiation.namespace
    index = xp.asarray([0, 1, 1])

    def function(x, index):
        assert not differentiation.is_wrapped(index)
        return namespace.sum(namespace.take(x, index, axis=0))

    x = xp.asarray([1.0, 2.0])
    _, (to_x, to_index) = differentiation.value_and_grad(function, (x, index))
    assert np.asarray(to_x).tolist() == [1.0, 2.0]
    assert to_index is None


def test_python_numbers_are_accepted(numpy_differentiation):
    value, (gradient,) = numpy_differentiation.value_and_grad(lambda x: x**3, (2.0,))
    assert (float(value), float(gradient)) == (8.0, 12.0)
    assert numpy_differentiation.jvp(lambda x: x**3, (2.0,), (1.0,))[1] == 12.0
    assert numpy_differentiation.vjp(lambda x: x**3, np.float64(2.0))[1](2.0)[0] == 24.0


def test_a_value_that_depends_on_nothing_is_refused(differentiation, xp):
    namespace = differentiation.namespace
    for function in (
        lambda x: xp.asarray(1.0),
        lambda x: 1.0,
        lambda x: namespace.sum(namespace.round(x)),
        lambda x: namespace.sum(differentiation.stop_gradient(x)),
    ):
        with pytest.raises(GradientError, match="depends on none"):
            differentiation.value_and_grad(function, (xp.ones(2),))


def test_a_value_with_axes_is_refused(differentiation, xp):
    with pytest.raises(GradientError, match=r"shape \(2,\)"):
        differentiation.value_and_grad(lambda x: x * 2, (xp.ones(2),))
    with pytest.raises(GradientError, match="tuple of 2"):
        differentiation.value_and_grad(lambda x: (x, x), (xp.ones(2),))


def test_shapes_of_directions_are_checked(differentiation, xp):
    with pytest.raises(ValueError, match=r"tangent of shape \(3,\)"):
        differentiation.jvp(lambda x: x, (xp.ones(2),), (xp.ones(3),))
    with pytest.raises(ValueError, match=r"cotangent of shape \(1,\)"):
        differentiation.vjp(lambda x: x * 1, xp.ones(2))[1](xp.ones(1))
    with pytest.raises(ValueError, match="2 values need"):
        differentiation.vjp(lambda x: (x, x), xp.ones(2))[1]((xp.ones(2),))
    with pytest.raises(ValueError, match="1 arguments need"):
        differentiation.jvp(lambda x: x, (xp.ones(2),), ())


def test_an_array_that_escaped_is_refused(numpy_differentiation):
    escaped = []
    numpy_differentiation.value_and_grad(lambda x: escaped.append(x) or x * x, (np.asarray(1.0),))
    with pytest.raises(GradientError, match="has ended"):
        _ = escaped[0] * 2


def test_one_argument_returned_twice_gets_both_cotangents(differentiation, xp):
    pull = differentiation.vjp(lambda x: (x, x, x * 2), xp.ones(2))[1]
    gradient = pull((xp.ones(2), xp.asarray([3.0, 4.0]), xp.ones(2)))[0]
    assert np.asarray(gradient).tolist() == [6.0, 7.0]


def test_the_tape_forgets_what_is_not_needed(numpy_differentiation):
    dropped = []

    def function(x):
        side = np.sin(x) * np.cos(x)
        dropped.append(weakref.ref(side.primal))
        return x * 3.0

    gc.collect()
    gc.disable()
    try:
        _, pull = numpy_differentiation.vjp(function, np.ones(3))
        assert dropped[0]() is None
        assert pull(np.ones(3))[0].tolist() == [3.0, 3.0, 3.0]
    finally:
        gc.enable()


def test_stop_gradient_strips_all_levels(differentiation, xp):
    seen = []

    def inner(x):
        seen.append(differentiation.stop_gradient(x))
        seen.append(differentiation.primal(x))
        return x * x

    def outer(x):
        return differentiation.namespace.sum(differentiation.derivative(inner, x))

    differentiation.value_and_grad(outer, (xp.ones(2),))
    assert all(type(one) is type(xp.ones(2)) for one in seen)


def test_the_namespace_for_arguments(differentiation, xp):
    assert differentiation.namespace_for(xp.ones(2), 1.0) is xp
    seen = []
    differentiation.derivative(
        lambda x: seen.append(differentiation.namespace_for(1.0, x)) or x, xp.ones(2)
    )
    assert seen == [differentiation.namespace]


def cube(calls, differentiation):
    def primal(x, scale, count):
        calls.append("primal")
        return x**3 * scale, count

    def fwd(x, scale, count):
        calls.append("fwd")
        return (x**3 * scale, count), (x, scale)

    def bwd(residuals, cotangents):
        calls.append("bwd")
        x, scale = residuals
        assert cotangents[1] is None
        return 3 * x * x * scale * cotangents[0], None, None

    return differentiation.custom_vjp(primal, fwd, bwd)


def test_a_hand_written_gradient(differentiation, xp):
    namespace = differentiation.namespace
    calls = []
    function = cube(calls, differentiation)
    x, scale, count = xp.asarray([1.0, 2.0]), xp.asarray(2.0), xp.asarray([5])
    outs = function(x, scale, count)
    assert isinstance(outs, tuple)
    assert calls == ["primal"]

    def loss(x, scale):
        out, counted = function(x, scale, count)
        assert not differentiation.is_wrapped(counted)
        return namespace.sum(out) * scale

    _, (to_x, to_scale) = differentiation.value_and_grad(loss, (x, scale))
    assert calls == ["primal", "fwd", "bwd"]
    assert np.asarray(to_x).tolist() == [12.0, 48.0]
    # The hand-written part gives none for `scale`, what is left is the factor outside.
    assert float(to_scale) == 18.0

    def slope(x):
        return namespace.sum(differentiation.value_and_grad(lambda y: loss(y, scale), (x,))[1][0])

    second = differentiation.value_and_grad(slope, (x,))[1][0]
    assert np.asarray(second).tolist() == [24.0, 48.0]


def test_forward_mode_through_a_hand_written_gradient_is_refused(differentiation, xp):
    function = cube([], differentiation)
    with pytest.raises(GradientError, match="reverse mode only"):
        differentiation.derivative(lambda x: function(x, 1.0, 1)[0], xp.ones(2))


def test_a_hand_written_gradient_of_the_wrong_shape_is_refused(differentiation, xp):
    function = differentiation.custom_vjp(
        lambda x: (x,), lambda x: ((x * 1,), None), lambda residuals, cotangents: (xp.ones(3),)
    )
    with pytest.raises(GradientError, match=r"shape \(3,\)"):
        differentiation.vjp(lambda x: function(x)[0], xp.ones(2))[1](xp.ones(2))


@settings(max_examples=25, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.integers(0, 99))
def test_gradients_have_the_shapes_of_their_arguments(shapes, seed):
    numbers = np.random.default_rng(seed)
    x, y = (numbers.uniform(0.5, 1.5, shape) for shape in shapes.input_shapes)
    along = tuple(numbers.normal(size=one.shape) for one in (x, y))
    namespace = NUMPY.namespace

    def function(x, y):
        return namespace.atan2(x, y) * x - namespace.maximum(x / y, 0.2) ** y + (y - x)

    out, tangent = NUMPY.jvp(function, (x, y), along)
    weight = numbers.normal(size=out.shape)
    cotangents = NUMPY.vjp(function, x, y)[1](weight)
    assert tangent.shape == out.shape == shapes.result_shape
    assert [one.shape for one in cotangents] == [x.shape, y.shape]
    step = 1e-6
    moved = [function(x + sign * step * along[0], y + sign * step * along[1]) for sign in (1, -1)]
    np.testing.assert_allclose(tangent, (moved[0] - moved[1]) / (2 * step), rtol=1e-6, atol=1e-7)
    product = sum(np.sum(a * b) for a, b in zip(cotangents, along, strict=True))
    np.testing.assert_allclose(product, np.sum(weight * tangent), rtol=1e-9, atol=1e-11)


def test_the_functions_that_need_no_set_up(xp):
    x = xp.asarray([1.0, 2.0, 3.0])

    def loss(x, scale):
        space = x.__array_namespace__()
        return space.sum(space.sin(x) * scale)

    gradient = xpmd_autodiff.grad(loss)(x, 2.0)
    np.testing.assert_allclose(np.asarray(gradient), 2 * np.cos([1.0, 2.0, 3.0]))
    hessian_row = xpmd_autodiff.grad(lambda y: xpmd_autodiff.grad(loss)(y, 2.0)[0])(x)
    np.testing.assert_allclose(np.asarray(hessian_row), [-2 * np.sin(1.0), 0, 0])
    by_scale = xpmd_autodiff.grad(lambda x, s: xpmd_autodiff.grad(loss)(x, s)[1], 1)(
        x, xp.asarray(2.0)
    )
    np.testing.assert_allclose(float(by_scale), np.cos(2.0))
    assert float(xpmd_autodiff.jvp(lambda y: loss(y, 1.0), (x,), (x,))[1]) == pytest.approx(
        np.sum(np.cos([1.0, 2, 3]) * [1.0, 2, 3])
    )
    value, pull = xpmd_autodiff.vjp(lambda y: y * y, x)
    assert np.asarray(pull(xp.ones(3))[0]).tolist() == [2.0, 4.0, 6.0]
    assert np.asarray(value).tolist() == [1.0, 4.0, 9.0]
