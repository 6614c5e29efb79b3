"""The functions of the standard on PyTorch, mended where a version loses gradients without a word.

`torch.asarray` cuts the gradient of a tensor in 2.4 (it keeps it in 2.13), and in every version that of
tensors in a list; `torch.linspace` follows neither end. array-api-compat 1.13 clips by `torch.asarray`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any

import torch
from array_api_compat import torch as compat

Array = Any


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Array:
    """Return a tensor; one that is given, or several in a list, keep their gradient."""
    if isinstance(obj, torch.Tensor):
        place = obj.device if device is None else device
        found = obj.to(device=place, dtype=obj.dtype if dtype is None else dtype)
        if copy is False and found is not obj:
            raise ValueError("A tensor of another type or on another device is a copy.")
        return found.clone() if copy and found is obj else found
    tensors = list(_tensors(obj))
    if not any(each.is_floating_point() for each in tensors):
        return compat.asarray(obj, dtype=dtype, device=device, copy=copy)
    if dtype is None:
        dtype = functools.reduce(torch.promote_types, (each.dtype for each in tensors))
    if device is None:
        device = tensors[0].device
    return torch.stack([asarray(part, dtype=dtype, device=device) for part in obj])


def _tensors(obj: Any) -> Iterator[Array]:
    if isinstance(obj, torch.Tensor):
        yield obj
    elif isinstance(obj, (list, tuple)):
        for part in obj:
            yield from _tensors(part)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Return the numbers within bounds, which keep their gradient."""
    bounds = (min, max)
    if not any(isinstance(each, torch.Tensor) for each in bounds):
        given = [each for each in bounds if each is not None]
        # array-api-compat 1.13 looks for numbers that are none, which no graph can.
        if given and (x.is_floating_point() or all(type(each) is int for each in given)):
            return torch.clamp(x, min, max)
        return compat.clip(x, min, max)
    low, high = (
        each if each is None else asarray(each, dtype=x.dtype, device=x.device) for each in bounds
    )
    return torch.clamp(x, low, high)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Array:
    """Return evenly spaced numbers, which follow the gradients of the ends."""
    tensors = list(_tensors((start, stop)))
    if not tensors:
        return compat.linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)
    kind = functools.reduce(torch.promote_types, (each.dtype for each in tensors))
    place = tensors[0].device if device is None else device
    part = compat.linspace(0.0, 1.0, num, dtype=kind, device=place, endpoint=endpoint)
    found = start * (1.0 - part) + stop * part
    return found if dtype is None else found.to(dtype)


def _mended() -> types.ModuleType:
    """Return array-api-compat's namespace with the functions above in place of its own."""
    found = types.ModuleType(__name__, __doc__)
    names = [name for name in vars(compat) if not name.startswith("_") or "array" in name]
    vars(found).update({name: getattr(compat, name) for name in names})
    vars(found).update(asarray=asarray, clip=clip, linspace=linspace)
    return found


namespace = _mended()
