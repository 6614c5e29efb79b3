"""A stand-in for CuPy that computes with NumPy, for machines without a GPU.

It has the names, the strictness and the habits of CuPy 13 that this project meets, and no others: what
CuPy lacks is missing here. A process that wants it puts the folder above on its path.

- Arrays do not become NumPy arrays unless asked by `get`, and do not mix with them.
- Results are arrays, also those without axes.
- Repeated indices are written in no particular order, and added in another order than NumPy's.
- Fresh memory holds garbage. Each array is on a device; those on another than the current are refused.

Unlike CuPy it raises for indices out of bounds, where CuPy wraps them round in silence.
"""

import numpy as _numpy

from cupy import _functions, cuda
from cupy import fft as fft
from cupy import linalg as linalg
from cupy._array import asnumpy as asnumpy
from cupy._array import ndarray
from cupy._functions import ufunc as ufunc

__version__ = "13.6.0"

globals().update(_functions.TYPES)
globals().update(_functions.PUBLIC)

e, pi, inf, nan, newaxis = _numpy.e, _numpy.pi, _numpy.inf, _numpy.nan, None


def is_available():
    """Return whether there is a device."""
    try:
        return cuda.runtime.getDeviceCount() > 0
    except cuda.runtime.CUDARuntimeError:
        return False


def get_array_module(*arrays):
    """Return this module if one of the arrays is of it, else NumPy."""
    import cupy

    return cupy if any(isinstance(array, ndarray) for array in arrays) else _numpy
