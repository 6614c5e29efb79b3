"""The CUDA runtime: which devices there are. `CUPY_STAND_IN_DEVICES` says how many, or what is wrong."""

import os


class CUDARuntimeError(RuntimeError):
    """What the runtime complains about."""


_current = 0


def getDeviceCount():
    """Return the number of devices."""
    number = os.environ.get("CUPY_STAND_IN_DEVICES", "2")
    if number == "no driver":
        raise CUDARuntimeError(
            "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
        )
    return int(number)


def getDevice():
    """Return the number of the device that computes now."""
    if getDeviceCount() == 0:
        raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
    return _current


def setDevice(device):
    """Let another device compute from here on."""
    global _current
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
    _current = device
