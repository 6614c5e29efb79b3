"""Making PyTorch tensors and looking at them."""

from __future__ import annotations

import importlib.util
from typing import Any

if importlib.util.find_spec("torch") is not None:
    import torch
    from array_api_compat import torch as namespace

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
    """Return a tensor; one that carries a gradient keeps it."""
    kind = None if dtype is None else getattr(torch, dtype)
    if isinstance(value, torch.Tensor):
        return value if kind is None else value.to(kind)
    if isinstance(value, range):
        return torch.arange(value.start, value.stop, value.step, dtype=kind, device=device)
    if hasattr(value, "__array__") and not getattr(value, "flags", value).writeable:
        value = value.copy()  # from_numpy warns about memory that it may not write to
    return torch.as_tensor(value, dtype=kind, device=device)


def to_numpy(array: Array) -> Any:
    """Return a NumPy array on the host."""
    return array.detach().cpu().numpy()


def dtype_name(array: Array) -> str:
    """Return the name of a tensor's type without the library's prefix."""
    return str(array.dtype).removeprefix("torch.")


def synchronize(array: Array) -> None:
    """Wait for the device the tensor is on."""
    if array.device.type == "cuda":
        torch.cuda.synchronize(array.device)
