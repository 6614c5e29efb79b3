"""Derivatives where a formula is about to fail: zeros, ties, masks, whole powers, repeated rows."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from xpmd.errors import GradientError
from xpmd_autodiff import Differentiation


@pytest.mark.parametrize(
    ("exponent", "first", "second"),
    [(0, 0.0, 0.0), (1, 1.0, 0.0), (2, 0.0, 2.0), (2.0, 0.0, 2.0), (3, 0.0, 0.0), (6, 0.0, 0.0)],
)
def test_whole_powers_at_zero(exponent, first, second, differentiation, xp):
    zero = xp.zeros(1)

    def slope(x):
        return differentiation.derivative(lambda y: y**exponent, x)

    assert float(slope(zero)[0]) == first
    assert float(differentiation.derivative(slope, zero)[0]) == second
    gradient = differentiation.vjp(lambda x: x**exponent, zero)[1](xp.ones(1))[0]
    assert float(gradient[0]) == first


@pytest.mark.parametrize("exponent", [2, 3, 6, -1, -12, 5.0])
def test_whole_powers_of_negative_numbers(exponent, differentiation, xp):
    x = xp.asarray([-1.5])
    expected = exponent * (-1.5) ** (exponent - 1)
    found = differentiation.derivative(lambda y: y**exponent, x)
    np.testing.assert_allclose(float(found[0]), expected, rtol=1e-14)


def test_array_exponents_use_the_logarithm_only_where_it_exists(differentiation, xp):
    x, y = xp.asarray([0.0, -2.0, 3.0, 0.0]), xp.asarray([2.0, 3.0, 2.0, 0.0])
    _, (to_x, to_y) = (lambda pair: (pair[0], pair[1](xp.ones(4))))(
        differentiation.vjp(lambda a, b: a**b, x, y)
    )
    np.testing.assert_allclose(np.asarray(to_x), [0.0, 12.0, 6.0, 0.0])
    np.testing.assert_allclose(np.asarray(to_y), [0.0, 0.0, 9 * np.log(3), 0.0])


def test_absolute_value_and_lengths_have_slope_zero_at_zero(differentiation, xp):
    namespace = differentiation.namespace
    zeros = xp.zeros((2, 3))
    for function in (
        lambda x: namespace.sum(namespace.abs(x)),
        lambda x: namespace.sum(namespace.linalg.vector_norm(x, axis=-1)),
        lambda x: namespace.sum(namespace.hypot(x, x)),
    ):
        value, (gradient,) = differentiation.value_and_grad(function, (zeros,))
        assert float(value) == 0
        assert np.all(np.asarray(gradient) == 0)
        tangent = differentiation.jvp(function, (zeros,), (xp.ones((2, 3)),))[1]
        assert float(tangent) == 0


def test_ties_of_two_are_split_and_ties_along_an_axis_shared(differentiation, xp):
    namespace = differentiation.namespace
    pull = differentiation.vjp(namespace.maximum, xp.ones(2), xp.asarray([1.0, 0.0]))[1]
    to_x, to_y = pull(xp.ones(2))
    assert np.asarray(to_x).tolist() == [0.5, 1.0]
    assert np.asarray(to_y).tolist() == [0.5, 0.0]
    x = xp.asarray([2.0, 1.0, 2.0, 2.0])
    gradient = differentiation.value_and_grad(namespace.max, (x,))[1][0]
    np.testing.assert_allclose(np.asarray(gradient), [1 / 3, 0, 1 / 3, 1 / 3])
    np.testing.assert_allclose(np.asarray(gradient), jax.grad(jax.numpy.max)(np.asarray(x)))


def test_a_value_on_a_bound_of_clip_is_inside(differentiation, xp):
    gradient = differentiation.derivative(
        lambda x: differentiation.namespace.clip(x, 0.0, 1.0), xp.asarray([-1.0, 0.0, 1.0, 2.0])
    )
    assert np.asarray(gradient).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_a_masked_root_is_finite_if_its_input_is_masked_too(differentiation, xp):
    namespace = differentiation.namespace
    x = xp.asarray([0.0, -1.0, 4.0])

    def masked(x):
        inside = x > 0
        root = namespace.sqrt(namespace.where(inside, x, namespace.ones_like(x)))
        return namespace.sum(namespace.where(inside, root, namespace.zeros_like(root)))

    gradient = differentiation.value_and_grad(masked, (x,))[1][0]
    assert np.asarray(gradient).tolist() == [0.0, 0.0, 0.25]
    second = differentiation.derivative(
        lambda y: differentiation.value_and_grad(masked, (y,))[1][0], x
    )
    np.testing.assert_allclose(np.asarray(second), [0, 0, -1 / 32])


def test_a_root_masked_only_afterwards_is_not_a_number_in_reverse_as_in_jax(
    numpy_differentiation,
):
    x = np.asarray([0.0, 4.0])

    def masked(xp):
        return lambda x: xp.sum(xp.where(x > 0, xp.sqrt(x), xp.zeros_like(x)))

    with np.errstate(divide="ignore", invalid="ignore"):
        namespace = numpy_differentiation.namespace
        gradient = numpy_differentiation.value_and_grad(masked(namespace), (x,))[1][0]
        along = numpy_differentiation.jvp(masked(namespace), (x,), (np.ones(2),))[1]
    np.testing.assert_array_equal(gradient, jax.grad(masked(jax.numpy))(x))
    assert np.isnan(gradient[0])
    assert along == 0.25


def test_products_with_zeros(differentiation, xp):
    namespace = differentiation.namespace
    for x in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [5.0]):
        gradient = differentiation.value_and_grad(namespace.prod, (xp.asarray(x),))[1][0]
        expected = [np.prod(x[:at] + x[at + 1 :]) for at in range(len(x))]
        np.testing.assert_allclose(np.asarray(gradient), expected)


def test_rows_added_more_than_once(differentiation, xp):
    index = xp.asarray([1, 1, 0, 1])
    values = xp.asarray([1.0, 10.0, 100.0, 1000.0])
    added, pull = differentiation.vjp(lambda v: differentiation.index_add(3, index, v), values)
    assert np.asarray(added).tolist() == [100.0, 1011.0, 0.0]
    assert np.asarray(pull(xp.asarray([5.0, 7.0, 9.0]))[0]).tolist() == [7.0, 7.0, 5.0, 7.0]
    base = xp.ones(3)
    total, pull = differentiation.vjp(lambda b: differentiation.index_add(b, index, values), base)
    assert np.asarray(total).tolist() == [101.0, 1012.0, 1.0]
    assert np.asarray(pull(xp.ones(3))[0]).tolist() == [1.0, 1.0, 1.0]


def test_rows_taken_more_than_once_or_from_the_end(differentiation, xp):
    namespace = differentiation.namespace
    index = xp.asarray([2, -1, 0])
    x = xp.reshape(xp.arange(6, dtype=xp.float64), (3, 2))
    gradient = differentiation.value_and_grad(
        lambda x: namespace.sum(namespace.take(x, index, axis=0) ** 2), (x,)
    )[1][0]
    np.testing.assert_allclose(np.asarray(gradient), [[0, 2], [0, 0], [16, 20]])


def test_float32_stays_float32(differentiation, xp):
    namespace = differentiation.namespace
    x = xp.asarray([0.5, 1.5], dtype=xp.float32)
    y = xp.asarray(2.0, dtype=xp.float64)

    def function(x):
        wide = namespace.astype(x, xp.float64) * y
        return namespace.sum(x * 2.0 + 1) + namespace.astype(namespace.sum(wide), xp.float32)

    value, (gradient,) = differentiation.value_and_grad(function, (x,))
    assert value.dtype == xp.float32
    assert gradient.dtype == xp.float32
    assert np.asarray(gradient).tolist() == [4.0, 4.0]
    tangent = differentiation.jvp(function, (x,), (xp.ones_like(x),))[1]
    assert tangent.dtype == xp.float32


def test_a_gradient_has_the_type_of_its_argument_when_types_mix(differentiation, xp):
    x = xp.asarray([0.5, 1.5], dtype=xp.float32)
    y = xp.asarray([2.0, 3.0])
    (out, along) = differentiation.jvp(lambda x: x + y, (x,), (xp.ones_like(x),))
    assert out.dtype == along.dtype == xp.float64
    pull = differentiation.vjp(lambda x, y: x * y, x, y)[1]
    to_x, to_y = pull(xp.ones(2))
    assert to_x.dtype == xp.float32
    assert to_y.dtype == xp.float64


def test_a_tangent_is_broadcast_along_with_its_value(differentiation, xp):
    namespace = differentiation.namespace
    x, wide = xp.ones((2, 1)), xp.ones((4, 1, 3))
    for function in (
        lambda x: x + wide,
        lambda x: wide - x,
        lambda x: namespace.where(wide > 0, x, wide),
        lambda x: namespace.maximum(x * 2, wide),
    ):
        out, tangent = differentiation.jvp(function, (x,), (x,))
        assert tangent.shape == out.shape == (4, 2, 3)


def test_the_index_given_to_a_backend_counts_from_the_front(xp):
    seen = []

    def index_add(count, index, values):
        seen.append(np.asarray(index))
        return xp.zeros((count, *values.shape[1:]))

    differentiation = Differentiation(xp, index_add=index_add)
    namespace = differentiation.namespace
    index = xp.asarray([-1, 0, -3])
    for function in (
        lambda x: x[index],
        lambda x: namespace.take(x, index, axis=0),
        lambda x: (
            namespace.take(x, xp.asarray([[-1]]), axis=0)
            if xp.__name__ != "array_api_strict"
            else x[index]
        ),
    ):
        out, pull = differentiation.vjp(function, xp.zeros(3))
        pull(xp.ones(out.shape))
    assert len(seen) == 3
    assert all(np.all(one >= 0) for one in seen)


def test_eigenvalues_see_the_symmetric_part_of_a_change(differentiation, xp):
    eigh = differentiation.namespace.linalg.eigh
    matrix = xp.asarray([[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 4.0]])
    change = xp.reshape(xp.arange(9, dtype=xp.float64), (3, 3))
    symmetric = 0.5 * (change + xp.matrix_transpose(change))
    for one, other in zip(
        differentiation.jvp(eigh, (matrix,), (change,))[1],
        differentiation.jvp(eigh, (matrix,), (symmetric,))[1],
        strict=True,
    ):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-14)
    gradient = np.asarray(
        differentiation.vjp(eigh, matrix)[1]((xp.asarray([1.0, 2.0, 3.0]), change))[0]
    )
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-14)
    assert np.abs(gradient).max() > 0.1


def test_a_complex_number_of_size_zero_has_slope_zero(differentiation, xp):
    namespace = differentiation.namespace
    for function in (namespace.abs, namespace.linalg.vector_norm):
        gradient = differentiation.value_and_grad(
            lambda x, function=function: namespace.sum(function(namespace.fft.fft(x))),
            (xp.zeros(4, dtype=xp.complex128),),
        )[1][0]
        assert np.all(np.asarray(gradient) == 0)


def test_a_complex_loss_is_refused(differentiation, xp):
    with pytest.raises(GradientError, match="take its real part or its size"):
        differentiation.value_and_grad(
            lambda x: differentiation.namespace.sum(differentiation.namespace.fft.rfft(x)),
            (xp.ones(4),),
        )


def test_single_precision_survives_a_spectrum(differentiation, xp):
    namespace = differentiation.namespace
    x = xp.asarray([0.5, 1.5, -1.0], dtype=xp.float32)

    def power(x):
        return namespace.sum(namespace.abs(namespace.fft.rfft(x)) ** 2)

    value, (gradient,) = differentiation.value_and_grad(power, (x,))
    assert value.dtype == gradient.dtype == xp.float32
    tangent = differentiation.jvp(power, (x,), (xp.ones_like(x),))[1]
    assert tangent.dtype == xp.float32
    # Parseval, where the frequency 0 counts once and the other twice: |X0|^2 + |X1|^2.
    plain = np.asarray(x, dtype=np.float64)
    total, squares = plain.sum(), (plain**2).sum()
    np.testing.assert_allclose(float(value), (total**2 + 3 * squares) / 2, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(gradient), total + 3 * plain, rtol=1e-6)


@pytest.mark.parametrize("name", ["eigvalsh", "svdvals"])
def test_equal_eigenvalues_and_singular_values_have_finite_slopes(name, differentiation, xp):
    function = getattr(differentiation.namespace.linalg, name)
    ones, change = xp.eye(3), xp.asarray([[1.0, 2.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 5.0]])
    tangent = np.asarray(differentiation.jvp(function, (ones,), (change,))[1])
    gradient = differentiation.vjp(function, ones)[1](xp.ones(3))[0]
    # Their sum is the trace, whatever basis was found.
    np.testing.assert_allclose(tangent.sum(), 9.0)
    np.testing.assert_allclose(np.asarray(gradient), np.eye(3), atol=1e-15)


def test_singular_values_without_their_vectors_need_no_gap(differentiation, xp):
    def second(x):
        return differentiation.namespace.linalg.svd(x, full_matrices=False)[1]

    gradient = differentiation.vjp(second, 2.0 * xp.eye(3))[1](xp.ones(3))[0]
    np.testing.assert_allclose(np.asarray(gradient), np.eye(3), atol=1e-15)
