"""The standard and nothing else, without data-dependent shapes and boolean indexing."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import array_api_strict as namespace
import numpy as np

from xpmd.backend import Capabilities
from xpmd.errors import BackendError
from xpmd_autodiff.backend import DifferentiatedBackend
from xpmd_autodiff.differentiation import Differentiation

Array = Any

namespace.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)


def _leave_operators_to_other_arrays() -> None:
    """Let `strict * other` be answered by the other array, as on all libraries.

    array-api-strict 2.6 raises where Python's protocol asks for `NotImplemented`. Numbers of NumPy, which
    answer like arrays since 2.0, are refused as before.
    """
    array: Any = type(namespace.ones(1))
    check = array._check_type_device

    def tolerant(self: Array, other: Any) -> None:
        if not hasattr(other, "__array_namespace__") or isinstance(other, (array, np.generic)):
            check(self, other)

    array._check_type_device = tolerant


_leave_operators_to_other_arrays()


def _strict(array: Any, device: Any) -> Array:
    return namespace.asarray(np.asarray(array), device=device)


def _index_add(n_rows: int, rows: Array, values: Array) -> Array:
    total = np.zeros((n_rows, *values.shape[1:]), dtype=_plain(values).dtype)
    np.add.at(total, _plain(rows), _plain(values))
    return _strict(total, values.device)


def _erf(array: Array) -> Array:
    exact = np.vectorize(math.erf, otypes=[np.float64])
    # `vectorize` makes nothing of an empty array.
    values = exact(_plain(array)) if array.size else np.zeros(array.shape)
    return namespace.astype(_strict(values, array.device), array.dtype)


def _plain(array: Array) -> Any:
    try:
        return np.from_dlpack(array)
    except BufferError:
        # Before 2.1 NumPy hands out no memory that must not be written to, such as a broadcast array's.
        return np.from_dlpack(namespace.asarray(array, copy=True))


class StrictBackend(DifferentiatedBackend):
    """array-api-strict."""

    name: ClassVar[str] = "array_api_strict"
    capabilities = Capabilities(dynamic_shapes=False, in_place=False)
    differentiation = Differentiation(namespace, index_add=_index_add, erf=_erf)

    def plain_array(self, value: Any) -> bool:
        return type(value).__module__.startswith("array_api_strict")

    def plain_to_numpy(self, array: Array) -> Any:
        return _plain(array)

    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        if self.is_array(value):
            if device is not None and device != self.device_of(value):
                if self.differentiation.is_wrapped(value):
                    raise BackendError(
                        "An array that is being differentiated cannot change device."
                    )
                value = value.to_device(device)
            if dtype is None or dtype == self.dtype_name(value):
                return value
            return self.xp(value).astype(value, getattr(namespace, dtype))
        if isinstance(value, range):
            value = np.arange(value.start, value.stop, value.step)
        array = np.asarray(value, dtype=dtype)
        # A copy, for NumPy exports no memory that may not be written to.
        array = np.array(array, dtype=array.dtype.newbyteorder("="))
        return namespace.asarray(array, device=device)

    def device_of(self, array: Array) -> Any:
        return self.differentiation.primal(array).device

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        found = np.flatnonzero(_plain(mask))
        padded = np.zeros(size, dtype=np.int64)
        padded[: min(size, len(found))] = found[:size]
        count = np.asarray(len(found), dtype=np.int32)
        return _strict(padded, mask.device), _strict(count, mask.device)
