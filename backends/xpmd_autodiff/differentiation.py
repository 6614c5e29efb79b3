"""Differentiation of functions of plain arrays: forward, backward, and both in turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from xpmd.errors import ONE_WAY, GradientError
from xpmd_autodiff.dual import DualArray
from xpmd_autodiff.namespace import Namespace
from xpmd_autodiff.rules.rule import is_complex
from xpmd_autodiff.tape import Tape, TapeArray
from xpmd_autodiff.wrapped_array import WrappedArray, strip

Array = Any
Function = Callable[..., Any]

#: Later means deeper: a differentiation that starts inside another gets the larger number. One
#: counter for all namespaces, so that no two differentiations are ever confused.
_levels = itertools.count()


class Differentiation:
    """Derivatives of functions of the arrays of one plain namespace.

    Args:
        xp: plain namespace.
        index_add: (n, index, values) -> zeros of n rows with the values added at the index.
        erf: elementwise error function.

    Attributes:
        namespace: the same functions, for arrays that are being differentiated as well.
    """

    def __init__(
        self, xp: Any, *, index_add: Function | None = None, erf: Function | None = None
    ) -> None:
        self._plain = xp
        self.namespace: Any = Namespace(xp, index_add=index_add, erf=erf)

    def namespace_for(self, *xs: Any) -> Any:
        """Return the plain namespace, or the differentiating one if a value needs it."""
        for x in xs:
            if isinstance(x, WrappedArray):
                return self.namespace
        return self._plain

    def is_wrapped(self, x: Any) -> bool:
        """Return whether a value is being differentiated."""
        return isinstance(x, WrappedArray)

    def primal(self, x: Any) -> Array:
        """Return the plain array under all levels."""
        return strip(x)

    def stop_gradient(self, x: Any) -> Array:
        """Return the plain array under all levels, a constant from here on."""
        return strip(x)

    def index_add(self, n: Any, idx: Array, vals: Array) -> Array:
        """Return an array with rows added at an index that may repeat.

        Args:
            n: the array to add to, or the number of rows of an array of zeros.
            idx: integers, (m,).
            vals: (m, ...).
        """
        if hasattr(n, "shape"):
            return n + self.namespace.index_add(n.shape[0], idx, vals)
        return self.namespace.index_add(n, idx, vals)

    def erf(self, x: Array) -> Array:
        """Return the error function of each element."""
        return self.namespace.erf(x)

    def jvp(self, fn: Function, xs: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Return the values of a function and their derivatives along one direction.

        Args:
            fn: function of arrays that returns an array or a tuple of arrays.
            xs: its arguments.
            tangents: the direction, one of the same shape per argument; `None` stands for zero.

        Returns:
            Values and derivatives; zeros for floating results that do not depend on the
            arguments, `None` for others.
        """
        if len(xs) != len(tangents):
            raise ValueError(f"{len(xs)} arguments need as many `tangents`, not {len(tangents)}.")
        level = next(_levels)
        duals = []
        for x, tangent in zip(xs, tangents, strict=True):
            if tangent is None:
                duals.append(x)
                continue
            x = self._as_array(x)
            tangent = self._fitting(tangent, x, "tangent")
            duals.append(DualArray(self.namespace, level, x, tangent))
        outs = fn(*duals)
        if isinstance(outs, tuple):
            pairs = [self._split(out, level) for out in outs]
            return tuple(one for one, _ in pairs), tuple(along for _, along in pairs)
        return self._split(outs, level)

    def derivative(self, fn: Function, x: Array) -> Array:
        """Return the derivative of each result of an elementwise function.

        Args:
            fn: elementwise function of one array; it may use differentiated values.
            x: where, an array.
        """
        level = next(_levels)
        x = self._as_array(x)
        out = fn(DualArray(self.namespace, level, x, self.namespace.ones_like(x)))
        if isinstance(out, DualArray) and out.level == level:
            return out.tangent
        return self.namespace.zeros_like(x)

    def vjp(self, fn: Function, *xs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """Return the values of a function and how a loss of them depends on its arguments.

        Args:
            fn: function of arrays that returns an array or a tuple of arrays.
            xs: its arguments; those that are not floating get no derivative.

        Returns:
            Values, and a function from their cotangents (`None` stands for zero) to one
            cotangent per argument: zeros if no value depends on it, `None` if it is not floating.
        """
        tape, inputs, outs, slots = self._record(fn, xs)
        tape.forget_all_but(slot for slot in slots if slot is not None)
        several = isinstance(outs, tuple)

        def pull(cotangents: Any) -> tuple[Any, ...]:
            given = cotangents if several else (cotangents,)
            values = outs if several else (outs,)
            if len(given) != len(values):
                raise ValueError(f"{len(values)} values need as many cotangents, not {len(given)}.")
            found = tape.sweep(self._by_slot(values, slots, given))
            return tuple(self._input_gradient(one, found) for one in inputs)

        return outs, pull

    def value_and_grad(self, fn: Function, xs: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """Return a number computed by a function and its gradient.

        Args:
            fn: function of arrays that returns an array without axes.
            xs: its arguments; those that are not floating get `None`.

        Raises:
            GradientError: the number has axes, or depends on none of the arguments.
        """
        tape, inputs, value, slots = self._record(fn, xs)
        if isinstance(value, tuple) or getattr(value, "shape", ()) != ():
            raise GradientError(
                f"A gradient needs one number, not {_described(value)}; sum it, or use `vjp`."
            )
        if hasattr(value, "dtype") and is_complex(self.namespace, value):
            raise GradientError(
                "A gradient needs a real number, not a complex one; take its real part or its size."
            )
        found: dict[int, Any] = {}
        if slots[0] is not None:
            start = {slots[0]: self.namespace.ones_like(value)}
            found = tape.sweep(start, consume=True)
        if not any(isinstance(one, TapeArray) and one.slot in found for one in inputs):
            raise GradientError(
                "The value depends on none of the arguments it is differentiated by. A conversion "
                "to a Python number, a step function or `stop_gradient` on the way cuts the "
                "dependence."
            )
        return value, tuple(self._input_gradient(one, found) for one in inputs)

    def custom_vjp(
        self, primal: Function, fwd: Function, bwd: Function, *, selective: bool = False
    ) -> Function:
        """Return a function whose gradient is computed by another function.

        Args:
            primal: (*xs) -> outs, a tuple; called where no derivative is wanted.
            fwd: (*xs) -> (outs, residuals).
            bwd: (residuals, cotangents) -> one cotangent per x, `None` for zero. It gets zeros for
                floating outs that the loss does not use and `None` for others.
            selective: whether `fwd` takes a keyword `wanted` as well, one flag per x: whether a
                cotangent of it will be looked at.
        """

        def call(*xs: Any) -> Any:
            top = max(
                (x for x in xs if isinstance(x, WrappedArray)),
                key=lambda x: x.level,
                default=None,
            )
            if top is None:
                return primal(*xs)
            if not isinstance(top, TapeArray):
                raise GradientError(
                    "This function has a hand-written gradient, which works in reverse mode only "
                    "(`vjp`, `value_and_grad`, `grad`); forward mode (`jvp`, `derivative`) cannot "
                    "pass through it."
                )
            own = [isinstance(x, TapeArray) and x.level == top.level for x in xs]
            inner = [x.primal if mine else x for x, mine in zip(xs, own, strict=True)]
            parents = [x.slot if mine else None for x, mine in zip(xs, own, strict=True)]
            outs, residuals = fwd(*inner, wanted=tuple(own)) if selective else fwd(*inner)
            shapes = [getattr(x, "shape", ()) for x in inner]
            xp = self.namespace

            def pull(cotangents: Any) -> Sequence[Any]:
                full = [
                    xp.zeros_like(out) if ct is None and xp.is_floating(out) else ct
                    for out, ct in zip(outs, cotangents, strict=True)
                ]
                back = bwd(residuals, tuple(full))
                if len(back) != len(shapes):
                    raise GradientError(
                        f"`bwd` returned {len(back)} cotangents for {len(shapes)} arguments."
                    )
                for ct, shape, mine in zip(back, shapes, own, strict=True):
                    if mine and ct is not None and ct.shape != shape:
                        raise GradientError(
                            f"`bwd` returned a cotangent of shape {ct.shape} for an argument of "
                            f"shape {shape}."
                        )
                return tuple(back)

            return top.tape.append(tuple(outs), parents, pull)

        return call

    def custom_jvp(self, primal: Function, rule: Function) -> Function:
        """Return a function whose derivative along a direction is computed by another function.

        Args:
            primal: (*xs) -> outs, a tuple; called where no derivative is wanted.
            rule: (xs, tangents) -> (outs, tangents of outs); `None` stands for zero.
        """

        def call(*xs: Any) -> Any:
            level = max((x.level for x in xs if isinstance(x, WrappedArray)), default=None)
            if level is None:
                return primal(*xs)
            own = [isinstance(x, WrappedArray) and x.level == level for x in xs]
            if not all(isinstance(x, DualArray) for x, mine in zip(xs, own, strict=True) if mine):
                raise GradientError(ONE_WAY)
            inner = tuple(x.primal if mine else x for x, mine in zip(xs, own, strict=True))
            tangents = [x.tangent if mine else None for x, mine in zip(xs, own, strict=True)]
            outs, moved = rule(inner, tangents)
            return tuple(
                out if along is None else DualArray(self.namespace, level, out, along)
                for out, along in zip(outs, moved, strict=True)
            )

        return call

    def _record(
        self, fn: Function, xs: Sequence[Any]
    ) -> tuple[Tape, list[Any], Any, list[int | None]]:
        """Run a function on a new tape; return the tape, inputs, plain results and their slots."""
        level = next(_levels)
        tape = Tape(self.namespace, level)
        inputs = []
        for x in xs:
            x = self._as_array(x)
            inputs.append(tape.watch(x) if self.namespace.is_floating(x) else x)
        outs = fn(*inputs)
        several = isinstance(outs, tuple)
        values: list[Any] = []
        slots: list[int | None] = []
        for out in outs if several else (outs,):
            mine = isinstance(out, TapeArray) and out.level == level
            values.append(out.primal if mine else out)
            slots.append(out.slot if mine else None)
        tape.open = False
        return tape, inputs, tuple(values) if several else values[0], slots

    def _by_slot(
        self, values: Sequence[Any], slots: Sequence[int | None], cotangents: Sequence[Any]
    ) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for value, slot, cotangent in zip(values, slots, cotangents, strict=True):
            if slot is None or cotangent is None:
                continue
            cotangent = self._fitting(cotangent, value, "cotangent")
            found[slot] = found[slot] + cotangent if slot in found else cotangent
        return found

    def _input_gradient(self, x: Any, found: dict[int, Any]) -> Any:
        if not isinstance(x, TapeArray):
            return None
        gradient = found.get(x.slot)
        return self.namespace.zeros_like(x.primal) if gradient is None else gradient

    def _split(self, out: Any, level: int) -> tuple[Any, Any]:
        if isinstance(out, DualArray) and out.level == level:
            return out.primal, out.tangent
        out = self._as_array(out)
        return out, self.namespace.zeros_like(out) if self.namespace.is_floating(out) else None

    def _as_array(self, x: Any) -> Any:
        return self._plain.asarray(x) if isinstance(x, (bool, int, float)) else x

    def _fitting(self, vector: Any, value: Any, kind: str) -> Any:
        """Return a tangent or cotangent as an array; its shape must be that of the value."""
        if isinstance(vector, (int, float)) and not hasattr(vector, "shape"):
            vector = self._plain.asarray(vector, dtype=value.dtype)
        if vector.shape != value.shape:
            raise ValueError(
                f"A {kind} of shape {tuple(vector.shape)} was given for a value of shape "
                f"{tuple(value.shape)}."
            )
        # A real direction of a complex value is fine; rules count on complex numbers.
        if is_complex(self.namespace, value) and not is_complex(self.namespace, vector):
            vector = self.namespace.astype(vector, value.dtype)
        return vector


def _described(value: Any) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"an array of shape {tuple(value.shape)}"
