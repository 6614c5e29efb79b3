"""Making CuPy arrays and looking at them."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

from xpmd.errors import BackendError

Array = Any

#: Why CuPy could not be imported; `None` if it was.
import_failure: str | None = None

if importlib.util.find_spec("cupy") is None:
    import_failure = (
        "CuPy is not installed; pip install 'xpmd[cupy12]' for a driver of CUDA 12, or "
        "'xpmd[cupy13]' for one of CUDA 13 (`nvidia-smi` shows the version)"
    )
else:
    try:
        import cupy
        from array_api_compat import cupy as namespace
    except Exception as error:
        # A missing CUDA library shows as several kinds of exception, depending on which it is.
        import_failure = (
            f"CuPy is installed but cannot be imported ({type(error).__name__}: {error}); "
            "'xpmd[cupy12]' needs CUDA 12 and 'xpmd[cupy13]' CUDA 13 (`nvidia-smi` shows the version)"
        )


def availability() -> str | None:
    """Return `None` if an array can be made on a GPU, else the reason why not."""
    if import_failure is not None:
        return import_failure
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        return f"CuPy cannot ask the CUDA driver for devices: {error}"
    if count == 0:
        return "CuPy sees no CUDA device; look at `nvidia-smi` and at CUDA_VISIBLE_DEVICES"
    try:
        _try_the_device()
    except Exception as error:
        return f"CuPy sees {count} CUDA device(s) but cannot make an array: {error}"
    return None


@functools.cache
def _try_the_device() -> None:
    """Make an array by a kernel, for which CuPy needs a compiler as well; success is remembered."""
    cupy.arange(1, dtype=cupy.float64)


def raw_namespace() -> Any:
    """Return the namespace of the standard's functions."""
    return namespace


def is_array(value: Any) -> bool:
    """Return whether a value is a CuPy array."""
    return isinstance(value, cupy.ndarray)


def asarray(value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
    """Return an array on the current device, on which CuPy computes; none changes its device.

    Args:
        device: a number or a `cupy.cuda.Device`; what is made elsewhere is refused, not copied.
    """
    kind = None if dtype is None else getattr(namespace, dtype)
    if isinstance(value, cupy.ndarray):
        check_device(value, device)
        return value if kind is None or value.dtype == kind else value.astype(kind)
    _check_current(device)
    if isinstance(value, range):
        return cupy.arange(value.start, value.stop, value.step, dtype=kind)
    return cupy.asarray(value, dtype=kind)


def check_device(array: Array, device: Any) -> None:
    """Raise `BackendError` if an array is not on the device asked for, or not on the current one."""
    current = cupy.cuda.runtime.getDevice()
    if device is None and array.device.id != current:
        raise BackendError(
            f"An array is on device {array.device.id}, and CuPy computes on device {current} now. Put "
            f"the whole computation in `with cupy.cuda.Device({array.device.id}):`."
        )
    if device is not None and int(device) != array.device.id:
        raise BackendError(
            f"An array is on device {array.device.id}, and device {int(device)} was asked for. Copy "
            f"it first: `with cupy.cuda.Device({int(device)}): array = cupy.asarray(array)`."
        )


def _check_current(device: Any) -> None:
    current = cupy.cuda.runtime.getDevice()
    if device is not None and int(device) != current:
        raise BackendError(
            f"An array was to be made on device {int(device)}, and CuPy computes on device {current} "
            f"now. Put the whole computation in `with cupy.cuda.Device({int(device)}):`."
        )


def to_numpy(array: Array) -> Any:
    """Return a NumPy array on the host."""
    return cupy.asnumpy(array)


def synchronize(array: Array) -> None:
    """Wait for the device the array is on."""
    array.device.synchronize()
