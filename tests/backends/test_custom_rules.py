"""Functions with a derivative of their own: one body for every backend."""

from __future__ import annotations

import gc
import weakref
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


def native_gradient(on: md.Backend, loss: Callable[[Array], Array], at: Any) -> Any:
    """Return the gradient as a user of the library itself would take it, without xpmd."""
    if on.name == "torch":
        x = on.asarray(at).clone().requires_grad_(True)
        loss(x).backward()
        return on.to_numpy(x.grad)
    if on.name == "jax":
        import jax

        return on.to_numpy(jax.grad(loss)(on.asarray(at)))
    import xpmd_autodiff

    return on.to_numpy(xpmd_autodiff.grad(loss)(on.asarray(at)))


class Product:
    """(x, n, y) -> (x y, x + n), with a rule that is wrong on purpose by a factor of 10.

    The factor tells the rule from what the library would find by itself.
    """

    def __init__(self, on: md.Backend, *, selective: bool = False) -> None:
        self.called: list[str] = []
        self.wanted: list[tuple[bool, ...]] = []
        self.given: list[Arrays] = []
        self.call = on.custom_vjp(self.primal, self.forward, self.backward, selective=selective)

    def primal(self, x: Array, n: Array, y: Array) -> Arrays:
        self.called.append("primal")
        return x * y, x + y, n + 1

    def forward(
        self, x: Array, n: Array, y: Array, wanted: tuple[bool, ...] = ()
    ) -> tuple[Arrays, Any]:
        self.called.append("forward")
        self.wanted.append(wanted)
        return (x * y, x + y, n + 1), (x, y)

    def backward(self, residuals: Any, cotangents: Arrays) -> list[Array | None]:
        self.called.append("backward")
        self.given.append(cotangents)
        x, y = residuals
        of_product = cotangents[0]
        if of_product is None:
            return [None, None, None]
        return [10.0 * of_product * y, None, 10.0 * of_product * x]


def summed(on: md.Backend, x: Array) -> Array:
    return on.xp(x).sum(x)


def test_the_primal_runs_where_nothing_is_differentiated(on: md.Backend, array: Make) -> None:
    product = Product(on)
    number = on.asarray(4, dtype="int32")
    value, total, count = product.call(array(AT), number, array(WEIGHTS))
    np.testing.assert_array_equal(on.to_numpy(value), AT * WEIGHTS)
    np.testing.assert_array_equal(on.to_numpy(total), AT + WEIGHTS)
    assert int(on.to_numpy(count)) == 5
    assert set(product.called) == {"primal"}


def test_the_rule_is_followed(on: md.Backend, array: Make) -> None:
    product = Product(on)
    number = on.asarray(4, dtype="int32")

    def loss(x: Array, y: Array) -> tuple[Array, tuple[()]]:
        return summed(on, product.call(x, number, y)[0] * array([1.0, 2.0, 3.0])), ()

    value, (of_x, of_y), _ = on.value_and_grad(loss, (array(AT), array(WEIGHTS)))
    np.testing.assert_allclose(on.to_numpy(value), (AT * WEIGHTS * [1, 2, 3]).sum(), rtol=1e-15)
    np.testing.assert_allclose(on.to_numpy(of_x), 10 * WEIGHTS * [1, 2, 3], rtol=1e-15)
    np.testing.assert_allclose(on.to_numpy(of_y), 10 * AT * [1, 2, 3], rtol=1e-15)
    assert product.called.count("forward") == 1
    assert product.called.count("backward") == 1
    # Nothing depends on the second output, and the third is of integers.
    _, of_total, of_count = product.given[0]
    assert of_count is None
    assert of_total is None or not on.to_numpy(of_total).any()


def test_none_stands_for_zero(on: md.Backend, array: Make) -> None:
    """The rule looks at the product only, so what comes through the sum is lost, as it says."""
    product = Product(on)
    number = on.asarray(4, dtype="int32")

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        _, total, _ = product.call(x, number, array(WEIGHTS))
        return summed(on, total) + 3.0 * summed(on, x), ()

    _, (slope,), _ = on.value_and_grad(loss, (array(AT),))
    np.testing.assert_array_equal(on.to_numpy(slope), [3.0, 3.0, 3.0])


@pytest.mark.parametrize("place", [0, 2])
def test_one_of_several_inputs(on: md.Backend, array: Make, place: int) -> None:
    product = Product(on, selective=True)
    number = on.asarray(4, dtype="int32")
    others = [array(AT), number, array(WEIGHTS)]

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        return summed(on, product.call(*others[:place], x, *others[place + 1 :])[0]), ()

    _, (slope,), _ = on.value_and_grad(loss, (others[place],))
    np.testing.assert_allclose(on.to_numpy(slope), 10 * (WEIGHTS if place == 0 else AT), rtol=1e-15)
    # What is not wanted is known where the library says so; what is wanted must be marked.
    (wanted,) = product.wanted
    assert wanted[place]
    assert wanted == tuple(k == place for k in range(3))


def test_inside_the_gradient_of_the_library_itself(on: md.Backend, array: Make) -> None:
    product = Product(on)
    number = on.asarray(4, dtype="int32")

    def loss(x: Array) -> Array:
        xp = on.xp(x)
        value, _, _ = product.call(xp.exp(x), number, array(WEIGHTS))
        return summed(on, value * value)

    # d/dx sum (e^x w)^2 = 2 (e^x w) (10 w) e^x with the rule's factor.
    expected = 20 * np.exp(2 * AT) * WEIGHTS**2
    np.testing.assert_allclose(native_gradient(on, loss, AT), expected, rtol=1e-14)
    assert product.called == ["forward", "backward"]


def test_inside_vjp(on: md.Backend, array: Make) -> None:
    product = Product(on)
    number = on.asarray(4, dtype="int32")
    (value,), pull = on.vjp(lambda x: (product.call(x, number, array(WEIGHTS))[0],), array(AT))
    np.testing.assert_array_equal(on.to_numpy(value), AT * WEIGHTS)
    for scale in (1.0, 2.0):
        (slope,) = pull((array([scale] * 3),))
        np.testing.assert_allclose(on.to_numpy(slope), 10 * scale * WEIGHTS, rtol=1e-15)


def test_compiled(on: md.Backend, array: Make) -> None:
    product = Product(on)
    number = on.asarray(4, dtype="int32")

    def gradient(x: Array) -> Array:
        def loss(y: Array) -> tuple[Array, tuple[()]]:
            return summed(on, product.call(y, number, array(WEIGHTS))[0]), ()

        return on.value_and_grad(loss, (x,))[1][0]

    found = on.jit(gradient)(array(AT))
    np.testing.assert_allclose(on.to_numpy(found), 10 * WEIGHTS, rtol=1e-15)


def test_an_output_that_is_an_input(on: md.Backend, array: Make) -> None:
    call = on.custom_vjp(lambda x: (x,), lambda x: ((x,), None), lambda _, ct: [10.0 * ct[0]])

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        return summed(on, call(x)[0]), ()

    _, (slope,), _ = on.value_and_grad(loss, (array(AT),))
    np.testing.assert_array_equal(on.to_numpy(slope), [10.0, 10.0, 10.0])


def test_a_second_derivative_is_right_or_refused(on: md.Backend, array: Make) -> None:
    """Never a silent zero: the rule's 10 w x^2 has the derivative 20 w x."""
    call = on.custom_vjp(
        lambda x: (x * x * x,),
        lambda x: ((x * x * x,), x),
        lambda x, ct: [10.0 * ct[0] * x * x],
    )

    def outer(x: Array) -> tuple[Array, tuple[()]]:
        def inner(y: Array) -> tuple[Array, tuple[()]]:
            return summed(on, call(y)[0] * array(WEIGHTS)), ()

        _, (slope,), _ = on.value_and_grad(inner, (x,))
        return summed(on, slope), ()

    if on.name == "torch":
        with pytest.raises(md.GradientError, match="differentiated twice in reverse"):
            on.value_and_grad(outer, (array(AT),))
        return
    _, (second,), _ = on.value_and_grad(outer, (array(AT),))
    np.testing.assert_allclose(on.to_numpy(second), 20 * WEIGHTS * AT, rtol=1e-14)


def test_forward_mode_never_loses_a_derivative(on: md.Backend, array: Make) -> None:
    """A rule for reverse mode has nothing to say forward: the primal's own derivative, or an error."""
    product = Product(on)
    number = on.asarray(4, dtype="int32")

    def function(x: Array) -> Arrays:
        return (product.call(x, number, array(WEIGHTS))[0],)

    try:
        _, (along,) = on.jvp(function, (array(AT),), (array([1.0, 1.0, 1.0]),))
    except (TypeError, md.GradientError) as error:
        assert "reverse mode only" in str(error) or "forward-mode" in str(error)  # noqa: PT017
        return
    np.testing.assert_allclose(on.to_numpy(along), WEIGHTS, rtol=1e-15)


def test_results_are_not_kept_alive(on: md.Backend, array: Make) -> None:
    """A rule that remembers its own results must not remember them for ever."""

    class Kept:
        """What a rule stores besides arrays."""

    references: list[weakref.ref[Kept]] = []

    def forward(x: Array) -> tuple[Arrays, Any]:
        squares, kept = x * x, Kept()
        references.append(weakref.ref(kept))
        return (squares,), (squares, x) if on.capabilities.jit else (squares, x, kept)

    call = on.custom_vjp(lambda x: (x * x,), forward, lambda held, ct: [2.0 * ct[0] * held[1]])

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        return summed(on, call(x)[0]), ()

    _, (slope,), _ = on.value_and_grad(loss, (array(AT),))
    np.testing.assert_allclose(on.to_numpy(slope), 2 * AT, rtol=1e-15)
    del slope
    gc.collect()
    assert [reference() for reference in references] == [None]


# -- custom_jvp ---------------------------------------------------------------------------------


def cubes(on: md.Backend) -> Callable[..., Arrays]:
    """Return (x, n) -> (x^3, n + 1) with a forward rule that is 10 times too large."""

    def rule(xs: Arrays, tangents: Any) -> tuple[Arrays, list[Array | None]]:
        x, n = xs
        along, of_n = tangents
        assert of_n is None
        moved = None if along is None else 30.0 * x * x * along
        return (x * x * x, n + 1), [moved, None]

    return on.custom_jvp(lambda x, n: (x * x * x, n + 1), rule)


def test_a_forward_rule_is_followed(on: md.Backend, array: Make) -> None:
    call, number = cubes(on), on.asarray(4, dtype="int32")
    value, count = call(array(AT), number)
    np.testing.assert_allclose(on.to_numpy(value), AT**3, rtol=1e-15)
    assert int(on.to_numpy(count)) == 5

    (value,), (along,) = on.jvp(
        lambda x: (call(2.0 * x, number)[0],), (array(AT),), (array(WEIGHTS),)
    )
    np.testing.assert_allclose(on.to_numpy(value), 8 * AT**3, rtol=1e-15)
    np.testing.assert_allclose(on.to_numpy(along), 30 * 4 * AT**2 * 2 * WEIGHTS, rtol=1e-14)


def test_a_forward_rule_is_not_gone_back_through(on: md.Backend, array: Make) -> None:
    """The primal has a derivative of its own, which is another one."""
    call, number = cubes(on), on.asarray(4, dtype="int32")

    def loss(x: Array) -> tuple[Array, tuple[()]]:
        return on.xp(x).sum(call(2.0 * x, number)[0]), ()

    with pytest.raises(md.GradientError, match="along directions only"):
        on.value_and_grad(loss, (array(AT),))
    with pytest.raises(md.GradientError, match="along directions only"):
        on.vjp(lambda x: call(x, number), array(AT))[1]((array(WEIGHTS), None))
