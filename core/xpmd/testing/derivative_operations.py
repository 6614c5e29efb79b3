"""A backend's derivatives against those written out by hand."""

from __future__ import annotations

from typing import Any

from xpmd.backend import Backend
from xpmd.errors import GradientError
from xpmd.testing.agreement import on_host, require_close
from xpmd.testing.check import ConformanceError

Array = Any
Arrays = tuple[Any, ...]


def _vector(on: Backend, *values: float) -> Array:
    return on.asarray(list(values), dtype="float64")


def _equal(what: str, found: Array, wanted: Any) -> None:
    if found is None:
        raise ConformanceError(f"{what} is None.")
    require_close(what, on_host(found), wanted, wanted_is="must be", relative=1e-13)


def _cubes(on: Backend) -> Any:
    """Return (sum of x^3 y, x y) as a function of x and y."""

    def function(x: Array, y: Array) -> Arrays:
        return on.xp(x, y).sum(x**3 * y), x * y

    return function


def vjp(on: Backend) -> None:
    """`vjp` pulls cotangents back, `None` standing for zero, as often as asked."""
    x, y = _vector(on, 1.0, 2.0), _vector(on, 3.0, 5.0)
    (total, product), pull = on.vjp(_cubes(on), x, y)
    _equal("the first output", total, 43.0)
    _equal("the second output", product, [3.0, 10.0])
    one = on.asarray(1.0, dtype="float64")
    for _ in range(2):
        by_x, by_y = pull((one, None))
        _equal("d(sum x^3 y)/dx", by_x, [9.0, 60.0])
        _equal("d(sum x^3 y)/dy", by_y, [1.0, 8.0])
    by_x, _ = pull((None, _vector(on, 1.0, -1.0)))
    _equal("d(x y)/dx", by_x, [3.0, -5.0])
    numbers = on.asarray([1, 0], dtype=on.capabilities.index_dtype)
    _, pull = on.vjp(lambda a, k, b: (on.xp(a).sum(a[k] * a[k]),), x, numbers, y)
    by_x, by_k, by_y = pull((one,))
    _equal("d(sum x_k^2)/dx", by_x, [2.0, 4.0])
    _equal("the derivative by an array that is not used", by_y, [0.0, 0.0])
    if by_k is not None:
        raise ConformanceError(f"the cotangent of an integer array is {by_k!r} and must be None.")


def jvp(on: Backend) -> None:
    """`jvp` carries tangents along, `None` standing for zero."""
    x, y = _vector(on, 1.0, 2.0), _vector(on, 3.0, 5.0)
    (total, _), (of_total, of_product) = on.jvp(_cubes(on), (x, y), (_vector(on, 1.0, 0.5), None))
    _equal("the output", total, 43.0)
    _equal("the tangent of sum x^3 y", of_total, 39.0)
    _equal("the tangent of x y", of_product, [3.0, 2.5])


def radial(on: Backend) -> None:
    """`radial` is the elementwise derivative, and can be differentiated again."""
    s = _vector(on, 1.0, 2.0, 4.0)
    p = on.asarray(3.0, dtype="float64")
    _equal("d(s^3)/ds", on.radial(lambda t: t**3, s), [3.0, 12.0, 48.0])
    _equal("the slope of a constant", on.radial(lambda t: 0.0 * s + p, s), [0.0, 0.0, 0.0])

    def slope(t: Array, q: Array) -> Arrays:
        found = on.radial(lambda u: q * u**3, t)
        return (on.xp(found).sum(found),)

    _, pull = on.vjp(slope, s, p)
    by_s, by_p = pull((on.asarray(1.0, dtype="float64"),))
    _equal("the second derivative of p s^3", by_s, [18.0, 36.0, 72.0])
    _equal("d/dp of the slope of p s^3", by_p, 63.0)


def nested(on: Backend) -> None:
    """Derivatives of derivatives: reverse over reverse gives a Hessian times a vector."""
    x, w = _vector(on, 1.0, 2.0), _vector(on, 1.0, -1.0)
    one = on.asarray(1.0, dtype="float64")

    def along(y: Array) -> Arrays:
        _, pull = on.vjp(lambda z: (on.xp(z).sum(z**3) * z[0],), y)
        (slope,) = pull((one,))
        return (on.xp(slope).sum(slope * w),)

    _, pull = on.vjp(along, x)
    # f = x^4 + y^3 x: H = [[12 x^2, 3 y^2], [3 y^2, 6 x y]].
    _equal("the Hessian times (1, -1)", pull((one,))[0], [0.0, 0.0])


def value_and_grad(on: Backend) -> None:
    """`value_and_grad` returns value, gradient and extras; nothing to differentiate raises."""
    x, y = _vector(on, 1.0, 2.0), _vector(on, 3.0, 5.0)

    def function(a: Array, b: Array) -> tuple[Array, Arrays]:
        return on.xp(a).sum(a**3), (a * 2.0,)

    value, (by_x, by_y), (extra,) = on.value_and_grad(function, (x, y))
    _equal("the value", value, 9.0)
    _equal("the gradient", by_x, [3.0, 12.0])
    _equal("the gradient by what is not used", by_y, [0.0, 0.0])
    _equal("the extra array", extra, [2.0, 4.0])
    try:
        on.value_and_grad(lambda a: (on.asarray(2.0, dtype="float64"), ()), (x,))
    except GradientError:
        return
    raise ConformanceError("a value that depends on no input has a gradient; it must raise.")


def stop_gradient(on: Backend) -> None:
    """`stop_gradient` makes a constant, and leaves the number."""
    x = _vector(on, 1.0, 2.0)

    def function(a: Array) -> tuple[Array, Arrays]:
        return on.xp(a).sum(a * on.stop_gradient(a * a)), ()

    value, (slope,), _ = on.value_and_grad(function, (x,))
    _equal("the value", value, 9.0)
    _equal("the gradient of x const", slope, [1.0, 4.0])


def custom_vjp(on: Backend) -> None:
    """`custom_vjp` uses its own rule where something is differentiated, and `primal` elsewhere."""
    used: list[str] = []

    def primal(x: Array, k: Array) -> Arrays:
        used.append("primal")
        return (x * x,)

    def forward(x: Array, k: Array) -> tuple[Arrays, Any]:
        used.append("forward")
        return (x * x,), (x,)

    def backward(kept: Any, cotangents: Arrays) -> list[Array | None]:
        # Not the derivative, so that it shows whose rule is used.
        return [100.0 * kept[0] * cotangents[0], None]

    call = on.custom_vjp(primal, forward, backward)
    x, k = _vector(on, 1.0, 2.0), on.asarray([1], dtype="int32")
    _equal("the outputs", call(x, k)[0], [1.0, 4.0])
    if "forward" in used:
        raise ConformanceError(
            "nothing is differentiated, and the rule is used: states would be kept."
        )
    _, (slope,), _ = on.value_and_grad(lambda a: (on.xp(a).sum(call(a, k)[0]), ()), (x,))
    _equal("the rule's own gradient", slope, [100.0, 200.0])


def custom_jvp(on: Backend) -> None:
    """`custom_jvp` uses its own rule for tangents."""

    def rule(xs: Arrays, tangents: Any) -> tuple[Arrays, list[Array | None]]:
        (x,), (tangent,) = xs, tangents
        return (x * x,), [None if tangent is None else 100.0 * x * tangent]

    call = on.custom_jvp(lambda x: (x * x,), rule)
    x = _vector(on, 1.0, 2.0)
    _equal("the outputs", call(x)[0], [1.0, 4.0])
    _, (tangent,) = on.jvp(call, (x,), (_vector(on, 1.0, 0.5),))
    _equal("the rule's own tangent", tangent, [100.0, 100.0])
    try:
        on.value_and_grad(lambda a: (on.xp(a).sum(call(a)[0]), ()), (x,))
    except GradientError:
        return
    raise ConformanceError(
        f"`custom_jvp` of {on.name} is differentiated in reverse, and its rule says nothing of that; it "
        "must raise a GradientError."
    )


def without_derivative(on: Backend) -> None:
    """`without_derivative` returns what it is given, and has no derivative in either mode."""
    x, reason = _vector(on, 1.0, 2.0), "here the world ends"

    def function(a: Array) -> Arrays:
        return (on.without_derivative(a, reason) * 2.0,)

    _equal("the array", function(x)[0], [2.0, 4.0])
    for differentiate in (
        lambda: on.vjp(function, x)[1]((x,)),
        lambda: on.jvp(function, (x,), (x,)),
    ):
        try:
            differentiate()
        except GradientError as error:
            if reason in str(error):
                continue
        raise ConformanceError(
            f"`without_derivative` of {on.name} is differentiated; it must raise."
        )


def kept(on: Backend) -> None:
    """`asarray` never detaches: not an array, nor one in a list."""
    x = _vector(on, 1.0, 2.0)

    def function(a: Array) -> tuple[Array, Arrays]:
        again = on.asarray(on.asarray(a), dtype="float64")
        mixed = on.asarray([again[0], 3.0, again[1] * 2.0], dtype="float64")
        return on.xp(mixed).sum(mixed), ()

    _, (slope,), _ = on.value_and_grad(function, (x,))
    _equal("the gradient through asarray", slope, [1.0, 2.0])
