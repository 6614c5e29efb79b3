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


def process_variables() -> dict[str, str]:
    """Return the variable that stands for the flag of 64-bit numbers, where it is set."""
    config: Any = jax.config
    return {"JAX_ENABLE_X64": "1"} if config.read("jax_enable_x64") else {}


def check_dtype(dtype: str) -> None:
    """Raise if JAX would turn 64-bit numbers into 32-bit ones without a word."""
    config: Any = jax.config
    if dtype.endswith("64") and not config.read("jax_enable_x64"):
        raise BackendError(
            f"JAX keeps 64-bit numbers only if told to, and {dtype} was asked for. Put "
            "jax.config.update('jax_enable_x64', True) before the first array (or set JAX_ENABLE_X64=1 "
            "in the environment), or give float32 arrays or System(..., dtype='float32')."
        )


def asarray(value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
    """Return an array of a type of its own; one that carries a gradient keeps it.

    A weak type, that of an array made from a Python number, gives way to other types it meets and makes
    a compiled function compile again when a strong one follows.
    """
    if dtype is not None:
        check_dtype(dtype)
    kind = None if dtype is None else getattr(namespace, dtype)
    if isinstance(value, jax.Array):
        array = value
    elif isinstance(value, range):
        array = namespace.arange(value.start, value.stop, value.step, dtype=kind)
    else:
        array = namespace.asarray(_readable(value, dtype), dtype=kind)
    if array.weak_type or (kind is not None and array.dtype != kind):
        array = array.astype(array.dtype if kind is None else kind)
    if device is None or is_traced(array) or array.devices() == {device}:
        return array
    return jax.device_put(array, device)


def _readable(value: Any, dtype: str | None) -> Any:
    """Return what JAX reads without loss: host arrays in the byte order and range it can hold."""
    if not hasattr(value, "__array__"):
        return value
    array = np.asarray(value, dtype=dtype)
    if dtype is None and array.dtype.kind == "f":
        check_dtype(array.dtype.name)
    if array.dtype.kind in "iu" and array.size and not _fits(array):
        check_dtype(array.dtype.name)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _fits(array: Any) -> bool:
    """Return whether integers keep their values in the type that JAX would give them."""
    limits = np.iinfo(jax.dtypes.canonicalize_dtype(array.dtype.newbyteorder("=")))
    return bool(limits.min <= array.min() and array.max() <= limits.max)


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
