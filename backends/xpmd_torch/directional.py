"""Derivatives along a direction on PyTorch, whose forward mode cannot be nested.

A whole loss is followed along v by a number e at 0: parameters are p + e v, and every tensor that depends
on them is a function of e in the graph of reverse mode. The change of a tensor is its derivative with
respect to e, found by differentiating twice. Forward mode is then free for what goes on inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch

from xpmd.errors import ONE_WAY, GradientError
from xpmd_torch.derivatives import in_forward_mode, unpacked, without_graph

Array = Any
Arrays = tuple[Any, ...]

_forward_ad: Any = torch.autograd.forward_ad


class _Direction(NamedTuple):
    """The number e that everything is a function of, and whether its results are followed on."""

    number: Array
    again: bool


_direction: ContextVar[_Direction | None] = ContextVar("direction", default=None)


def jvp(
    function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
) -> tuple[Arrays, tuple[Array | None, ...]]:
    """Return outputs and tangents; `None` stands for zero and for the tangent of integers.

    Where another differentiation is at work around this one, outputs and tangents are followed on.
    """
    like = next(x for x in xs if x.is_floating_point())
    inside = in_forward_mode()
    again = inside or any(x.requires_grad and not x.is_leaf for x in xs)
    keep = _as_it_is if again and torch.is_grad_enabled() else without_graph
    with torch.enable_grad():
        number = torch.zeros((), dtype=like.dtype, device=like.device, requires_grad=True)
        token = _direction.set(_Direction(number, again))
        try:
            moving = function(
                *(
                    x if t is None else (x if again else x.detach()) + number * t
                    for x, t in zip(xs, tangents, strict=True)
                )
            )
            # A loss may return a plain number, which does not change.
            moving = tuple(torch.as_tensor(out) for out in moving)
            changes = [_change(out, number) for out in moving]
        finally:
            _direction.reset(token)
    return tuple(keep(out) for out in moving), tuple(
        _settled(change, out, keep) for change, out in zip(changes, moving, strict=True)
    )


def _as_it_is(x: Array) -> Array:
    return x


def _settled(change: Array | None, out: Array, keep: Callable[[Array], Array]) -> Array | None:
    if change is not None:
        return keep(change)
    return torch.zeros_like(out) if out.is_floating_point() else None


def jvp_many(
    function: Callable[..., Arrays], xs: Arrays, directions: Sequence[Arrays]
) -> tuple[Arrays, list[Arrays]]:
    """Return outputs and tangents along several directions, one after the other."""
    outs: Arrays = ()
    found: list[Arrays] = []
    for tangents in directions:
        outs, moved = jvp(function, xs, tangents)
        found.append(moved)
    return outs, found


def _change(x: Array, number: Array) -> Array | None:
    """Return dx/de, in the graph; `None` if x does not depend on e."""
    if not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.requires_grad):
        return None
    weights = torch.zeros_like(x, requires_grad=True)
    (weighed,) = torch.autograd.grad(
        x, number, weights, create_graph=True, allow_unused=True, retain_graph=True
    )
    if weighed is None:
        return None
    (change,) = torch.autograd.grad(weighed, weights, create_graph=True, allow_unused=True)
    return change


def custom_jvp(
    primal: Callable[..., Arrays],
    rule: Callable[[Arrays, Sequence[Array | None]], tuple[Arrays, Sequence[Array | None]]],
) -> Callable[..., Arrays]:
    """Return a function with its own forward rule.

    Values and changes are taken apart and put together here, since a `torch.autograd.Function` would run
    the primal a second time.
    """

    def call(*xs: Array) -> Arrays:
        parts = [unpacked(x) for x in xs]
        if any(part.tangent is not None for part in parts):
            outs, moved = rule(
                tuple(part.primal for part in parts), [part.tangent for part in parts]
            )
            return tuple(
                out if each is None else _forward_ad.make_dual(out, each)
                for out, each in zip(outs, moved, strict=True)
            )
        direction = _direction.get()
        if direction is None:
            return _one_way(primal, xs)
        number, again = direction
        changes = [_change(x, number) for x in xs]
        if all(change is None for change in changes):
            return _one_way(primal, xs)
        if again:
            raise GradientError(
                "A function with a derivative of its own along directions, such as a simulation, was "
                "differentiated along a direction and then once more, which PyTorch cannot do. Take the "
                "second derivative by strategy='finite_difference', or on another backend."
            )
        with torch.no_grad():
            outs, moved = rule(
                tuple(x.detach() for x in xs),
                [None if change is None else change.detach() for change in changes],
            )
        return tuple(
            out.detach() if each is None else out.detach() + number * each.detach()
            for out, each in zip(outs, moved, strict=True)
        )

    return call


def _one_way(primal: Callable[..., Arrays], xs: Arrays) -> Arrays:
    """Return what a function gives, so that to go back through it is an error."""
    followed = [x for x in xs if x.requires_grad]
    if not followed or not torch.is_grad_enabled():
        return tuple(primal(*xs))
    outs = tuple(primal(*(x.detach() for x in xs)))
    return tuple(_OneWay.apply(len(outs), *outs, *followed))  # type: ignore[no-untyped-call]


class _OneWay(torch.autograd.Function):
    """Values that depend on the tensors given after them, in a way that is known forwards only."""

    @staticmethod
    def forward(ctx: Any, n_values: int, *tensors: Array) -> Any:
        return tuple(x.detach() for x in tensors[:n_values])

    @staticmethod
    def backward(ctx: Any, *cotangents: Array) -> Any:
        raise GradientError(ONE_WAY)
