"""`value_and_grad` and `grad`: the derivative of a loss, by any strategy, on any backend."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import optree

from xpmd.array_search import arrays_in, is_float_array
from xpmd.backend import Backend
from xpmd.backend import backend as backend_named
from xpmd.entry import Entrance
from xpmd.errors import GradientError
from xpmd.gradient_strategy import (
    GradientStrategy,
    LossStrategy,
    active_strategy,
    resolve_strategy,
)
from xpmd.module import NAMESPACE, Module, flatten, unflatten
from xpmd.system import BackendFound, probing
from xpmd.units import molar

Array = Any


def value_and_grad(
    loss: Callable[..., Any],
    strategy: str | GradientStrategy = "reverse",
    *,
    has_aux: bool = False,
    backend: str | Backend | None = None,
    jit: bool = False,
) -> Callable[..., Any]:
    """Return a function that gives the value of a loss and its gradient.

    Args:
        loss: function of `params` and anything else that returns a scalar; `(scalar, anything)` with
            `has_aux`, which is how values are printed on backends that trace.
        strategy: a name, or an object such as `FiniteDifference(step=1e-4)`.
        has_aux: whether the loss returns something beside the scalar.
        backend: where to compute. If left out, it is that of the float arrays among the arguments; if
            there are none, the loss is called once up to its first System, which says it (what the
            loss prints before that System appears twice; nothing is simulated).
        jit: compile the whole loss, on backends that can.

    Returns:
        A function of `(params, *rest)`, and of what else the loss takes by keyword, returning
        `(value, gradient)`, or `((value, aux), gradient)`. `params` is a number, an array, or any
        nesting of dicts, lists, tuples and components of them; the gradient has the same structure.

    Raises:
        GradientError: the loss depends on none of the parameters through a differentiable path.
    """
    compiled: dict[Any, Any] = {}

    @functools.wraps(loss)
    def evaluated(params: Any, *rest: Any, **options: Any) -> Any:
        chosen = resolve_strategy(strategy)
        called = functools.partial(loss, **options) if options else loss
        entrance = _entrance(called, params, rest, backend)
        on = entrance.backend
        leaves, spec = flatten(_with_fixed_indices(params, entrance))
        fixed = [leaf for leaf in leaves if isinstance(leaf, _Fixed)]
        arrays = tuple(
            entrance.array(f"params[{k}]", _as_float(leaf))
            for k, leaf in enumerate(leaves)
            if not isinstance(leaf, _Fixed)
        )
        if not arrays:
            raise GradientError("`params` holds no numbers to differentiate with respect to.")
        kept: dict[str, Any] = {}

        def restored(values: Iterable[Any], constants: Iterable[Any]) -> Any:
            values, constants = iter(values), iter(constants)
            pick = (next(constants if isinstance(leaf, _Fixed) else values) for leaf in leaves)
            return unflatten(spec, list(pick))

        def flat_loss(arguments: Any, *values: Array) -> tuple[Array, tuple[Array, ...]]:
            constants, others, named = arguments
            result = loss(restored(values, constants), *others, **named)
            value, aux = _split(result, has_aux)
            extra, kept["spec"] = flatten(aux)
            kept["static"] = [None if on.is_array(x) else x for x in extra]
            return _scalar(value), tuple(x for x in extra if on.is_array(x))

        arguments = ([leaf.value for leaf in fixed], rest, options)
        token = active_strategy.set(chosen)
        try:
            if isinstance(chosen, LossStrategy):
                found = chosen.value_and_grad(on, functools.partial(flat_loss, arguments), arrays)
            elif jit and on.capabilities.jit:
                dynamic, rebuild, key = _split_arguments(arguments)
                key = (on.name, spec, key)
                if key not in compiled:

                    def whole(dynamic: list[Any], *xs: Array) -> Any:
                        return on.value_and_grad(functools.partial(flat_loss, rebuild(dynamic)), xs)

                    compiled[key] = on.jit(whole), kept
                function, kept = compiled[key]
                found = function(dynamic, *arrays)
            else:
                found = on.value_and_grad(functools.partial(flat_loss, arguments), arrays)
        finally:
            active_strategy.reset(token)
        value, gradients, extra = found
        nothing = [on.xp(leaf.value).zeros_like(leaf.value) for leaf in fixed]
        gradient = restored(gradients, nothing)
        if not has_aux:
            return value, gradient
        rest_of_aux = iter(extra)
        leaves_of_aux = [next(rest_of_aux) if x is None else x for x in kept["static"]]
        return (value, unflatten(kept["spec"], leaves_of_aux)), gradient

    return evaluated


def grad(
    loss: Callable[..., Any], strategy: str | GradientStrategy = "reverse", **options: Any
) -> Callable[..., Any]:
    """Return a function that gives the gradient of a loss; options as for `value_and_grad`."""
    both = value_and_grad(loss, strategy, **options)

    @functools.wraps(loss)
    def gradient(params: Any, *rest: Any, **named: Any) -> Any:
        found, slope = both(params, *rest, **named)
        return (slope, found[1]) if options.get("has_aux") else slope

    return gradient


def _entrance(
    loss: Callable[..., Any], params: Any, rest: Iterable[Any], backend: str | Backend | None
) -> Entrance:
    if backend is not None:
        chosen = backend_named(backend) if isinstance(backend, str) else backend
        floats = [x for x in arrays_in((params, list(rest))) if is_float_array(x)]
        own = [chosen.dtype_name(x) for x in floats if chosen.is_array(x)]
        return Entrance(chosen, own[0] if own else "float64", None, molar, True)
    if any(is_float_array(x) for x in arrays_in((params, list(rest)))):
        return Entrance.for_values({"params": params, "rest": list(rest)}, dtype=None, units=molar)
    token = probing.set(True)
    try:
        loss(params, *rest)
    except BackendFound as found:
        system = found.system
        device = system.backend.device_of(system.coords)
        return Entrance(system.backend, system.dtype, device, molar, False)
    finally:
        probing.reset(token)
    return Entrance(backend_named("numpy"), "float64", None, molar, False)


@dataclass(frozen=True)
class _Fixed:
    """What names atoms in a component among the parameters: no parameter itself."""

    value: Any


def _with_fixed_indices(tree: Any, entrance: Entrance) -> Any:
    """Return parameters in which the indices of components are marked."""

    def visited(node: Any) -> Any:
        if not isinstance(node, Module):
            return node
        changes: dict[str, Any] = {}
        for name in node._dynamic_names:
            value = getattr(node, name)
            if name not in node._index_names:
                changes[name] = _with_fixed_indices(value, entrance)
            elif value is not None:
                changes[name] = _Fixed(entrance.integers(name, value))
        return node.with_fields(**changes)

    is_leaf: Any = lambda node: isinstance(node, Module)  # noqa: E731
    return optree.tree_map(visited, tree, is_leaf=is_leaf, namespace=NAMESPACE)


def _split_arguments(arguments: Any) -> tuple[list[Any], Callable[[list[Any]], Any], Any]:
    """Return the arrays among arguments, how to put arrays in their place, and a key for the rest.

    Compiled code is specialised on everything that is no array.
    """
    leaves, spec = flatten(arguments)
    is_array = [hasattr(leaf, "dtype") for leaf in leaves]
    others = [leaf for leaf, flag in zip(leaves, is_array, strict=True) if not flag]
    for each in others:
        if not isinstance(each, Hashable):
            raise TypeError(
                f"With `jit` the loss was given {each!r}; beside `params` it may take arrays, and what "
                "can be hashed, such as numbers and strings."
            )

    def rebuilt(arrays: list[Any]) -> Any:
        new, old = iter(arrays), iter(others)
        return unflatten(spec, [next(new if flag else old) for flag in is_array])

    arrays = [leaf for leaf, flag in zip(leaves, is_array, strict=True) if flag]
    return arrays, rebuilt, (spec, tuple((type(each), each) for each in others))


def _as_float(leaf: Any) -> Any:
    if isinstance(leaf, (str, bytes)) or callable(leaf):
        raise TypeError(f"`params` holds {leaf!r}; every leaf must be a number or an array.")
    return leaf


def _split(result: Any, has_aux: bool) -> tuple[Any, Any]:
    if has_aux:
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError("With `has_aux` the loss must return (value, anything).")
        return result
    if isinstance(result, (tuple, list, dict)):
        raise TypeError(
            f"The loss returned a {type(result).__name__}; it must return a scalar, or use `has_aux`."
        )
    return result, ()


def _scalar(value: Any) -> Any:
    shape = tuple(getattr(value, "shape", ()))
    if any(size != 1 for size in shape):
        raise TypeError(f"The loss returned an array of shape {shape}; it must return a scalar.")
    return value if not shape else value[(0,) * len(shape)]
