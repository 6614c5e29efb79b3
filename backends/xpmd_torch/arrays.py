"""Making PyTorch tensors and looking at them."""

from __future__ import annotations

import importlib.util
from typing import Any

if importlib.util.find_spec("torch") is not None:
    import numpy as np
    import torch

    from xpmd_torch.namespace import namespace
    from xpmd_torch.transformed import outside, plain

Array = Any


def availability() -> str | None:
    """Return `None` if PyTorch can be used, else the reason why not."""
    if importlib.util.find_spec("torch") is None:
        return "PyTorch is not installed; pip install 'xpmd[torch]'"
    return None


def raw_namespace() -> Any:
    """Return the namespace of the standard's functions."""
    return namespace


def is_array(value: Any) -> bool:
    """Return whether a value is a tensor."""
    return isinstance(value, torch.Tensor)


def asarray(value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
    """Return a tensor; one that carries a gradient keeps it, also on its way to another device."""
    kind = None if dtype is None else getattr(torch, dtype)
    if isinstance(value, torch.Tensor):
        place = value.device if device is None else device
        return value.to(device=place, dtype=value.dtype if kind is None else kind)
    if isinstance(value, range):
        return torch.arange(value.start, value.stop, value.step, dtype=kind, device=device)
    if hasattr(value, "__array__"):
        value = _readable(np.asarray(value, dtype=dtype))
    return torch.as_tensor(value, dtype=kind, device=device)


def _readable(array: Any) -> Any:
    """Return a NumPy array whose memory PyTorch takes as it is, a copy if need be.

    It takes neither steps backwards nor another machine's byte order, and warns of memory that it may
    not write to.
    """
    if array.dtype.isnative and array.flags.writeable and min(array.strides, default=0) >= 0:
        return array
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def to_numpy(array: Array) -> Any:
    """Return a NumPy array on the host."""
    with outside():
        return plain(array).detach().cpu().numpy()


def dtype_name(array: Array) -> str:
    """Return the name of a tensor's type without the library's prefix."""
    return str(array.dtype).removeprefix("torch.")


def synchronize(array: Array) -> None:
    """Wait for the device the tensor is on."""
    if array.device.type == "cuda":
        torch.cuda.synchronize(array.device)
