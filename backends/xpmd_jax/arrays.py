"""Making JAX arrays and looking at them."""

from __future__ import annotations

import importlib.util
from typing import Any

from xpmd.errors import BackendError

if importlib.util.find_spec("jax") is not None:
    import jax
    import jax.numpy as namespace
    import numpy as np

Array = Any


def availability() -> str | None:
    """Return `None` if JAX can be used, else the reason why not."""
    if importlib.util.find_spec("jax") is None:
        return "JAX is not installed; pip install 'xpmd[jax]'"
    return None


def raw_namespace() -> Any:
    """Return the namespace of the standard's functions."""
    return namespace


def is_array(value: Any) -> bool:
    """Return whether a value is a JAX array, a traced one included."""
    return isinstance(value, jax.Array)


def is_traced(value: Any) -> bool:
    """Return whether the value is unknown now."""
    return isinstance(value, jax.core.Tracer)


def check_dtype(dtype: str) -> None:
    """Raise if JAX would turn 64-bit numbers into 32-bit ones without a word."""
    config: Any = jax.config
    if dtype == "float64" and not config.read("jax_enable_x64"):
        raise BackendError(
            "JAX keeps 64-bit numbers only if told to, and float64 was asked for. Put "
            "jax.config.update('jax_enable_x64', True) before the first array (or set JAX_ENABLE_X64=1 "
            "in the environment), or give float32 arrays or System(..., dtype='float32')."
        )


def asarray(value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
    """Return an array; one that carries a gradient keeps it."""
    if dtype is not None:
        check_dtype(dtype)
    kind = None if dtype is None else getattr(namespace, dtype)
    if isinstance(value, jax.Array):
        return value if kind is None else value.astype(kind)
    if isinstance(value, range):
        value = np.arange(value.start, value.stop, value.step)
    array = namespace.asarray(value, dtype=kind)
    return array if device is None else jax.device_put(array, device)


def device_of(array: Array) -> Any:
    """Return the device of an array; unknown while it is traced."""
    return None if isinstance(array, jax.core.Tracer) else next(iter(array.devices()))


def to_numpy(array: Array) -> Any:
    """Return a NumPy array on the host."""
    return np.asarray(array)


def dtype_name(array: Array) -> str:
    """Return the name of an array's type."""
    return str(array.dtype)


def synchronize(array: Array) -> None:
    """Wait until the array has been computed."""
    array.block_until_ready()
