"""A wrapped array in use: operators, functions of NumPy, conversions, unknown functions."""

from __future__ import annotations

import copy
import operator

import array_api_compat.torch
import jax.numpy
import numpy as np
import pytest
import torch

from xpmd.errors import GradientError
from xpmd_autodiff import Differentiation


def inside(differentiation, check, x):
    """Run a check on an array while it is differentiated forward, backward and both."""

    def run(wrapped):
        check(wrapped)
        return wrapped * 1.0

    differentiation.jvp(run, (x,), (x,))
    differentiation.vjp(run, x)
    differentiation.vjp(lambda y: differentiation.derivative(run, y), x)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod]


@pytest.mark.parametrize("apply", OPERATORS)
@pytest.mark.parametrize("kind", ["array", "float", "int"])
def test_operators_take_plain_values_on_either_side(apply, kind, differentiation, xp):
    x = xp.asarray([1.3, 2.6])
    other = {"array": xp.asarray([2.0, 1.5]), "float": 1.7, "int": 2}[kind]
    step = 1e-6
    for function in (lambda a: apply(a, other), lambda a: apply(other, a)):
        out, tangent = differentiation.jvp(function, (x,), (xp.ones(2),))
        expected = (np.asarray(function(x + step)) - np.asarray(function(x - step))) / (2 * step)
        np.testing.assert_allclose(np.asarray(tangent), expected, rtol=1e-7)
        np.testing.assert_allclose(np.asarray(out), np.asarray(function(x)))
        pulled = differentiation.vjp(function, x)[1](xp.ones(2))[0]
        np.testing.assert_allclose(np.asarray(pulled), np.asarray(tangent))


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_other_libraries_leave_the_operation_to_the_wrapped_array(library):
    plain = jax.numpy if library == "jax" else array_api_compat.torch
    differentiation = Differentiation(plain)
    x = plain.asarray([1.0, 2.0], dtype=plain.float64)
    other = plain.asarray([3.0, 5.0], dtype=plain.float64)
    gradient = differentiation.value_and_grad(
        lambda y: differentiation.namespace.sum(other * y[plain.asarray([0, 0, 1])][1:] ** 2), (x,)
    )[1][0]
    assert np.asarray(gradient).tolist() == [6.0, 20.0]
    second = differentiation.derivative(
        lambda y: differentiation.derivative(lambda z: other * z**3, y), x
    )
    assert np.asarray(second).tolist() == [18.0, 60.0]


def test_comparisons_and_attributes_show_the_value(differentiation, xp):
    x = xp.asarray([[1.0, -2.0, 3.0]])

    def check(wrapped):
        assert not differentiation.is_wrapped(wrapped > 0)
        assert np.asarray(wrapped > 0).tolist() == [[True, False, True]]
        assert np.asarray(wrapped >= 0).tolist() == [[True, False, True]]
        assert np.asarray(wrapped == wrapped).all()
        assert not np.asarray(wrapped != wrapped).any()
        assert np.asarray(wrapped // 2.0).tolist() == [[0.0, -1.0, 1.0]]
        assert np.asarray(6.0 // wrapped).tolist() == [[6.0, -3.0, 2.0]]
        assert (wrapped.shape, wrapped.ndim, wrapped.size) == ((1, 3), 2, 3)
        assert wrapped.dtype == xp.float64
        assert wrapped.device == array_api_compat.device(x)
        assert wrapped.__array_namespace__() is differentiation.namespace
        assert len(wrapped) == 1
        assert array_api_compat.array_namespace(wrapped) is differentiation.namespace
        assert "differentiated" in repr(wrapped)
        assert str(wrapped) == str(x)
        number = differentiation.namespace.sum(wrapped)
        assert f"{number:.3f} {number}" == f"2.000 {xp.sum(x)}"
        assert bool(number > 1)
        assert bool(number)
        assert copy.deepcopy(wrapped) is copy.copy(wrapped) is wrapped
        assert np.asarray(wrapped.__xpmd_primal__).tolist() == [[1.0, -2.0, 3.0]]

    inside(differentiation, check, x)


def test_methods_and_iteration(differentiation, xp):
    x = xp.asarray([1.0, 2.0, 3.0, 4.0])

    def loss(x):
        parts = x.reshape(2, 2).T.mT.reshape((4,)).astype(xp.float64)
        total = sum(row for row in parts) + (+abs(-x)).sum() + x.mean()
        return total + (x @ x)

    gradient = differentiation.value_and_grad(loss, (x,))[1][0]
    np.testing.assert_allclose(np.asarray(gradient), 2.25 + 2 * np.asarray([1.0, 2, 3, 4]))


@pytest.mark.parametrize(
    "convert",
    [
        float,
        int,
        complex,
        operator.index,
        np.asarray,
        np.array,
        lambda x: x.item(),
        lambda x: x.tolist(),
        lambda x: np.zeros(3)[x],
        lambda x: np.array([x, 1.0]),
        lambda x: np.ones(2).__iadd__(x),
        lambda x: x.__setitem__(0, 1.0),
    ],
)
def test_conversions_that_lose_the_derivative_are_refused(convert, differentiation, xp):
    def check(wrapped):
        with pytest.raises(GradientError):
            convert(wrapped)

    inside(differentiation, check, xp.asarray(1.0))


def test_functions_without_a_rule_are_refused(differentiation, xp):
    namespace = differentiation.namespace
    x = xp.ones((2, 2))

    def check(wrapped):
        for name in ("copysign", "cumulative_prod", "unique_values", "linalg.qr", "linalg.pinv"):
            if name == "unique_values" and xp.__name__ == "array_api_strict":
                continue
            function = operator.attrgetter(name)(namespace)
            with pytest.raises(GradientError, match=f"`{name}` has no rule"):
                function(*([wrapped] * (2 if name == "copysign" else 1)))
        with pytest.raises(GradientError, match="`linspace`"):
            namespace.linspace(0.0, wrapped, 3)
        with pytest.raises(GradientError, match="pass it by position"):
            namespace.add(x, y=wrapped)
        with pytest.raises(GradientError, match="ord"):
            namespace.linalg.vector_norm(wrapped, ord=3)
        spectrum = namespace.fft.rfft(wrapped)
        with pytest.raises(GradientError, match=r"take real\(x\) or imag\(x\)"):
            namespace.astype(spectrum, xp.float64)
        with pytest.raises(GradientError, match="svd of complex matrices has no rule"):
            namespace.linalg.svd(spectrum, full_matrices=False)
        with pytest.raises(GradientError, match="`var` and `std` of complex numbers"):
            namespace.var(spectrum)
        with pytest.raises(GradientError, match="Use full_matrices=False"):
            namespace.linalg.svd(wrapped[:1, :])

    inside(differentiation, check, x)


def test_what_the_namespace_passes_through(differentiation, xp):
    namespace = differentiation.namespace
    assert namespace.__name__ != xp.__name__
    assert namespace.__array_api_version__ == xp.__array_api_version__
    assert namespace.pi == xp.pi
    assert namespace.float64 is xp.float64
    assert namespace.finfo(xp.float32).bits == 32
    assert not differentiation.is_wrapped(namespace.zeros(3))
    assert namespace.isdtype(xp.float32, "real floating")
    assert "sqrt" in dir(namespace)
    assert not hasattr(namespace, "no_such_function")
    assert not hasattr(namespace.linalg, "no_such_function")
    np.testing.assert_allclose(np.asarray(namespace.sqrt(xp.asarray([4.0]))), [2.0])

    def check(wrapped):
        assert namespace.asarray(wrapped) is wrapped
        assert namespace.astype(wrapped, xp.float64) is wrapped
        assert namespace.astype(wrapped, xp.int64).dtype == xp.int64
        assert not differentiation.is_wrapped(namespace.astype(wrapped, xp.int64))
        assert not differentiation.is_wrapped(namespace.full_like(wrapped, 2.0))

    inside(differentiation, check, xp.asarray([1.5]))


M = np.asarray([[2.0, 0.3, -0.4], [0.5, 3.0, 0.2], [-0.1, 0.6, 1.5]])
NUMPY_FUNCTIONS = {
    "sqrt": lambda x: np.sqrt(x + 3),
    "power": lambda x: np.power(x, 2),
    "arctan2": lambda x: np.arctan2(x, 2.0),
    "array on the left": lambda x: M * x - M / (x + 9) + M ** x.shape[0] * x,
    "number on the left": lambda x: (
        np.float64(2.0) * x + np.float64(1.0) - np.float64(3.0) / (x + 9)
    ),
    "sum": lambda x: np.sum(x, axis=1),
    "sum of all": lambda x: np.sum(x**2),
    "prod": lambda x: np.prod(x, axis=0, keepdims=True),
    "mean": lambda x: np.mean(x, axis=0),
    "max": lambda x: np.max(x, axis=0) + np.amin(x),
    "std": lambda x: np.std(x, ddof=1) + np.var(x),
    "norm": lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1, ord=2),
    "where": lambda x: np.where(x > 0, x**2, 0.0),
    "concatenate": lambda x: np.concatenate([x, x**2], axis=1),
    "stack": lambda x: np.stack([x, x**2], axis=-1),
    "dot": lambda x: np.dot(x, M) + x @ M + M @ x + np.matmul(x, x),
    "inverse": lambda x: np.linalg.inv(x) + np.linalg.det(x) + np.linalg.solve(x, M),
    "cross": lambda x: np.cross(x, M),
    "outer": lambda x: np.outer(x, x),
    "transpose": lambda x: np.transpose(x) + np.reshape(np.ravel(x), (3, 3)),
    "cumsum": lambda x: np.cumsum(x) + np.ravel(np.cumsum(x, axis=1)),
    "clip": lambda x: np.clip(x, 0.0, 1.0) + np.clip(x, a_min=0.1, a_max=None),
    "sort": lambda x: np.sort(x, axis=0),
    "tile": lambda x: np.tile(x, 2) + np.tile(x, (1, 2)) + np.repeat(x, 2, axis=1),
    "trace": lambda x: np.trace(x) + np.diagonal(x, 0),
    "expand": lambda x: np.squeeze(np.expand_dims(x, 0)) + np.broadcast_to(x, (2, 3, 3)),
    "tensordot": lambda x: np.tensordot(x, M, 1),
    "roll": lambda x: np.roll(x, 1, axis=0) + np.flip(x, 0) + np.moveaxis(x, 0, 1),
    "reduce": lambda x: np.add.reduce(x) + np.maximum.reduce(x, axis=1),
    "take": lambda x: np.take(x, [0, 2, 0], axis=1),
    "singular values": lambda x: np.linalg.svd(x)[1] + np.linalg.svd(x, compute_uv=False),
    "spectrum": lambda x: (
        np.abs(np.fft.rfft(x, 4, 0)) + np.real(np.fft.fft(x, axis=1, norm="ortho"))
    ),
    "filtered": lambda x: np.fft.irfftn(np.fft.rfftn(x, axes=(0, 1)) ** 2, s=(3, 3), axes=(0, 1)),
    "shifted": lambda x: np.imag(np.conjugate(np.fft.fftshift(np.fft.fft(x), axes=1))),
}


@pytest.mark.parametrize("name", NUMPY_FUNCTIONS)
def test_functions_of_numpy(name, numpy_differentiation):
    function = NUMPY_FUNCTIONS[name]
    along = np.random.default_rng(0).normal(size=M.shape)
    step = 1e-6
    out, tangent = numpy_differentiation.jvp(function, (M,), (along,))
    np.testing.assert_allclose(out, function(M), rtol=1e-13)
    expected = (function(M + step * along) - function(M - step * along)) / (2 * step)
    np.testing.assert_allclose(tangent, expected, rtol=1e-6, atol=1e-7)
    weight = np.random.default_rng(1).normal(size=np.shape(out))
    pulled = numpy_differentiation.vjp(function, M)[1](weight)[0]
    np.testing.assert_allclose(np.sum(pulled * along), np.sum(weight * tangent), rtol=1e-10)


def test_functions_of_numpy_that_look_at_values(numpy_differentiation):
    def check(wrapped):
        assert np.shape(wrapped) == (3, 3)
        assert np.allclose(wrapped, M)
        assert np.argmax(wrapped) == 4
        assert np.isfinite(wrapped).all()
        assert np.less(wrapped, 100).all()
        assert not np.isnan(wrapped).any()

    inside(numpy_differentiation, check, M)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.spacing(x),
        lambda x: np.percentile(x, 3),
        lambda x: np.linalg.svd(x, hermitian=True),
        lambda x: np.fft.fft2(x),
        lambda x: np.multiply.outer(x, x),
        lambda x: np.sqrt(M, out=x),
        lambda x: np.multiply(M, x, out=M),
        lambda x: np.linalg.norm(x, 2),
        lambda x: np.trace(np.reshape(x, (1, 3, 3))),
        lambda x: np.einsum("ij->i", x),
    ],
)
def test_functions_of_numpy_without_a_rule_are_refused(function, numpy_differentiation):
    def check(wrapped):
        with pytest.raises(GradientError):
            function(wrapped)

    inside(numpy_differentiation, check, M)


def test_a_foreign_array_is_not_taken_for_a_number(numpy_differentiation):
    def check(wrapped):
        with pytest.raises((TypeError, GradientError)):
            torch.sin(wrapped)
        with pytest.raises((TypeError, GradientError)):
            torch.as_tensor(wrapped)

    inside(numpy_differentiation, check, M)
