"""Derivatives by torch.autograd."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from xpmd.errors import TWICE, GradientError
from xpmd_torch.transformed import call_transformed, is_transformed

Array = Any
Arrays = tuple[Any, ...]

_forward_ad: Any = torch.autograd.forward_ad


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep to itself what PyTorch says about its own code when parts of it are first used."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        yield


def radial(function: Callable[[Array], Array], at: Array) -> Array:
    """Return the elementwise derivative; differentiable again if gradients are being followed."""
    again = torch.is_grad_enabled()
    with torch.enable_grad(), _variables() as leaves:
        # An alias, so that what reaches `at` by other ways is not counted.
        inner = at.view_as(at) if at.requires_grad and again else _leaf_like(at, leaves)
        value = function(inner)
        if not value.requires_grad:
            return torch.zeros_like(at)
        again = again and (at.requires_grad or _depends_on_others((value,), (inner,)))
        (slope,) = torch.autograd.grad(
            value.sum(), inner, create_graph=again, allow_unused=True, materialize_grads=True
        )
    return slope if again else without_graph(slope)


@contextlib.contextmanager
def _variables() -> Iterator[list[Array]]:
    """Collect the variables of one differentiation; when it is over, nobody follows them."""
    leaves: list[Array] = []
    try:
        yield leaves
    finally:
        for leaf in leaves:
            leaf.is_over = True


def _leaf_like(x: Array, leaves: list[Array]) -> Array:
    """Return a new variable with the value of a tensor and its forward tangent, if it has one."""
    leaf = x.detach().requires_grad_(True)
    leaves.append(leaf)
    tangent = unpacked(x).tangent
    return leaf if tangent is None else _forward_ad.make_dual(leaf, tangent)


def _depends_on_others(outs: Sequence[Array], own: Sequence[Array]) -> bool:
    """Return whether outputs depend on a variable that is followed, other than the own ones."""
    mine = {id(x) for x in own}
    followed = [out for out in outs if isinstance(out, torch.Tensor) and out.requires_grad]
    if any(out.grad_fn is None and id(out) not in mine for out in followed):
        return True
    # A variable with a tangent is a view of one that nobody else has.
    seen = {x.grad_fn for x in own if x.grad_fn is not None}
    nodes = [out.grad_fn for out in followed]
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            if id(node.variable) not in mine and not getattr(node.variable, "is_over", False):
                return True
            continue
        nodes.extend(parent for parent, _ in node.next_functions)
    return False


def without_graph(x: Array) -> Array:
    """Return a tensor as a constant of reverse mode; its forward tangent, if it has one, is kept."""
    tangent = unpacked(x).tangent
    if tangent is not None:
        return _forward_ad.make_dual(x.detach(), tangent.detach())
    return x.detach() if x.requires_grad else x


def unpacked(x: Array) -> Any:
    """Return primal and tangent; outside forward mode there is no level to look at."""
    if _forward_ad._current_level < 0:
        return _forward_ad.UnpackedDualTensor(x, None)
    return _forward_ad.unpack_dual(x)


def _followed(x: Array, again: bool, leaves: list[Array]) -> Array:
    if not x.is_floating_point():
        return x
    return x.view_as(x) if x.requires_grad and again else _leaf_like(x, leaves)


def vjp(
    function: Callable[..., Arrays], *xs: Array
) -> tuple[Arrays, Callable[[Sequence[Array | None]], tuple[Array | None, ...]]]:
    """Return outputs and the pull of cotangents, `None` for integer inputs."""
    again = torch.is_grad_enabled()
    with torch.enable_grad(), _variables() as leaves:
        inner = tuple(_followed(x, again, leaves) for x in xs)
        outs = function(*inner)
        again = again and (any(x.requires_grad for x in xs) or _depends_on_others(outs, inner))

    def pull(cotangents: Sequence[Array | None]) -> tuple[Array | None, ...]:
        pairs = [
            (out, cotangent)
            for out, cotangent in zip(outs, cotangents, strict=True)
            if cotangent is not None and out.requires_grad
        ]
        floats = [x for x in inner if x.is_floating_point()]
        if pairs and floats:
            found = torch.autograd.grad(
                [out for out, _ in pairs],
                floats,
                [cotangent for _, cotangent in pairs],
                create_graph=again,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        else:
            found = tuple(torch.zeros_like(x) for x in floats)
        slopes = iter(found if again else tuple(without_graph(slope) for slope in found))
        return tuple(next(slopes) if x.is_floating_point() else None for x in inner)

    if again:
        return outs, pull
    return tuple(without_graph(out) for out in outs), pull


def in_forward_mode() -> bool:
    """Return whether forward mode is at work; PyTorch has no second one inside it."""
    return bool(_forward_ad._current_level >= 0)


def is_followed(value: Any) -> bool:
    """Return whether a tensor carries a gradient or a tangent."""
    if not isinstance(value, torch.Tensor):
        return False
    return value.requires_grad or unpacked(value).tangent is not None


def is_followed_on(value: Any) -> bool:
    """Return whether results of a tensor will carry a gradient or a tangent."""
    return is_followed(value) and (torch.is_grad_enabled() or in_forward_mode())


def captures(function: Callable[..., Arrays], xs: Arrays) -> bool:
    """Return whether results of plain tensors are followed, because of something captured."""
    with torch.enable_grad():
        outs = function(*(without_graph(x.detach()) for x in xs))
    return any(is_followed(out) for out in outs)


def jvp(
    function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
) -> tuple[Arrays, tuple[Array | None, ...]]:
    """Return outputs and tangents by forward-mode differentiation, outside of any other."""
    with quietly(), _forward_ad.dual_level():
        duals = [
            x if t is None else _forward_ad.make_dual(x, t)
            for x, t in zip(xs, tangents, strict=True)
        ]
        parts = [_forward_ad.unpack_dual(out) for out in function(*duals)]
        outs = tuple(part.primal for part in parts)
        found = tuple(_tangent(part) for part in parts)
    return outs, found


def _tangent(part: Any) -> Array | None:
    """Return the tangent of an unpacked output, zeros if it does not move, `None` for integers."""
    if part.tangent is None and part.primal.is_floating_point():
        return torch.zeros_like(part.primal)
    return part.tangent


def custom_vjp(
    primal: Callable[..., Arrays],
    forward: Callable[..., tuple[Arrays, Any]],
    backward: Callable[[Any, Arrays], Sequence[Array | None]],
    *,
    selective: bool = False,
) -> Callable[..., Arrays]:
    """Return a function with its own reverse rule.

    `primal` runs where no gradient of an argument is followed; those of what it captured still are.
    """

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Array) -> Any:
            values = (x.detach() for x in xs)
            if selective:
                outs, ctx.residuals = forward(*values, wanted=tuple(ctx.needs_input_grad))
            else:
                outs, ctx.residuals = forward(*values)
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*xs)
            # Aliases: PyTorch would turn tensors that are kept elsewhere into results of this.
            return tuple(out.detach() for out in outs)

        @staticmethod
        def backward(ctx: Any, *cotangents: Array) -> Any:
            with torch.no_grad():
                found = tuple(backward(ctx.residuals, cotangents))
            if not torch.is_grad_enabled():
                return found
            return _differentiated_once(found, (*ctx.saved_tensors, *cotangents))

    def call(*xs: Array) -> Arrays:
        if any(is_transformed(x) for x in xs):
            return call_transformed(forward, backward, xs, selective=selective)
        if torch.is_grad_enabled() and any(x.requires_grad for x in xs):
            return tuple(Rule.apply(*xs))  # type: ignore[no-untyped-call]
        return tuple(primal(*xs))

    return call


def _differentiated_once(found: Sequence[Array | None], sources: Sequence[Array | None]) -> Arrays:
    """Return what a rule found, so that differentiating it again is an error and no silent zero.

    PyTorch's `once_differentiable` says nothing where the cotangents are constants: it does not see what
    else the values were computed from.
    """
    followed = [x for x in sources if x is not None and x.requires_grad]
    known = [x for x in found if x is not None]
    if not followed or not known:
        return tuple(found)
    held = iter(_DifferentiatedOnce.apply(len(known), *known, *followed))  # type: ignore[no-untyped-call]
    return tuple(None if x is None else next(held) for x in found)


class _DifferentiatedOnce(torch.autograd.Function):
    """Values that depend on the tensors given after them, in a way that nobody knows."""

    @staticmethod
    def forward(ctx: Any, n_values: int, *tensors: Array) -> Any:
        return tuple(x.detach() for x in tensors[:n_values])

    @staticmethod
    def backward(ctx: Any, *cotangents: Array) -> Any:
        raise GradientError(TWICE)


def value_and_grad(
    function: Callable[..., tuple[Array, Arrays]], xs: Arrays
) -> tuple[Array, Arrays, Arrays]:
    """Differentiate `(value, extra) = function(*xs)` in reverse.

    Where an x has been computed from something that is followed, or the function looks at such a thing,
    value and gradient are followed on. A leaf that requires its gradient and is given as an x is the
    parameter itself, and its gradient is returned as a constant.
    """
    following = torch.is_grad_enabled()
    again = following and any(x.requires_grad and not x.is_leaf for x in xs)
    with torch.enable_grad(), _variables() as leaves:
        floats = tuple(_followed(x, again, leaves) for x in xs if x.is_floating_point())
        given = iter(floats)
        # Aliases, so that a differentiation inside the function sees something computed.
        value, extra = function(
            *((each := next(given)).view_as(each) if x.is_floating_point() else x for x in xs)
        )
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        raise GradientError(
            "The loss depends on none of the parameters through a differentiable path: look for "
            "float(), .item(), .detach() or .numpy() in the loss."
        )
    again = again or (following and _depends_on_others((value, *extra), floats))
    found = torch.autograd.grad(value, floats, create_graph=again, allow_unused=True)
    if all(slope is None for slope in found):
        raise GradientError("The loss depends on none of the parameters.")
    known = iter(found)
    slopes = tuple(_slope(next(known), x) if x.is_floating_point() else None for x in xs)
    if again:
        return value, slopes, tuple(extra)
    return without_graph(value), slopes, tuple(without_graph(x) for x in extra)


def _slope(found: Array | None, x: Array) -> Array:
    return torch.zeros_like(x) if found is None else found
