"""Tensors inside `torch.func`: what they hold, and rules of ours there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._functorch import pyfunctorch

from xpmd.errors import TWICE, BackendError, GradientError

Array = Any
Arrays = tuple[Any, ...]

# PyTorch has no public way to look at a tensor through `torch.func.grad`.
_functorch: Any = torch._C._functorch
_interpreters: Any = pyfunctorch


def is_transformed(x: Any) -> bool:
    """Return whether a tensor belongs to a transformation of `torch.func` that is at work."""
    return isinstance(x, torch.Tensor) and bool(_functorch.is_functorch_wrapped_tensor(x))


def plain(x: Array) -> Array:
    """Return the tensor with the numbers, outside of all transformations."""
    while is_transformed(x):
        if _functorch.is_batchedtensor(x):
            raise BackendError(
                "The numbers of a tensor inside torch.func.vmap are not known, and xpmd has to look at "
                "them on PyTorch: call it in a loop, or run replicas by md.run_many."
            )
        x = _functorch.get_unwrapped(x)
    return x


def outside() -> AbstractContextManager[Any]:
    """Return a context without transformations, in which operations on plain tensors give plain ones."""
    if _functorch.peek_interpreter_stack() is None:
        return nullcontext()
    context: AbstractContextManager[Any] = _interpreters.temporarily_clear_interpreter_stack()
    return context


def call_transformed(
    forward: Callable[..., tuple[Arrays, Any]],
    backward: Callable[[Any, Arrays], Sequence[Array | None]],
    xs: Arrays,
    *,
    selective: bool,
) -> Arrays:
    """Return what a function with its own reverse rule gives inside `torch.func.grad` or `vjp`.

    Raises:
        GradientError: transformations are nested, which would differentiate the rule once more.
    """
    if any(is_transformed(_functorch.get_unwrapped(x)) for x in xs if is_transformed(x)):
        raise GradientError(TWICE)
    wanted = tuple(x.requires_grad for x in xs)
    kept: list[Any] = []

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(*inputs: Array) -> Any:
            values = (x.detach() for x in inputs)
            more = {"wanted": wanted} if selective else {}
            outs, residuals = forward(*values, **more)
            kept.append(residuals)
            return tuple(out.detach() for out in outs)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx: Any, *cotangents: Array) -> Any:
            with outside(), torch.no_grad():
                known = tuple(None if each is None else plain(each).detach() for each in cotangents)
                return tuple(backward(kept[-1], known))

    return tuple(Rule.apply(*xs))  # type: ignore[no-untyped-call]
