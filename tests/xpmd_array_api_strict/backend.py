"""The standard and nothing else, without data-dependent shapes and boolean indexing."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import array_api_strict as namespace
import numpy as np

from xpmd.backend import Capabilities
from xpmd_autodiff.backend import DifferentiatedBackend
from xpmd_autodiff.differentiation import Differentiation

Array = Any

namespace.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)


def _leave_operators_to_other_arrays() -> None:
    """Let `strict * other` be answered by the other array, as on all libraries.

    array-api-strict 2.6 raises where Python's protocol asks for `NotImplemented`.
    """
    array: Any = type(namespace.ones(1))
    check = array._check_type_device

    def tolerant(self: Array, other: Any) -> None:
        if not hasattr(other, "__array_namespace__") or isinstance(other, array):
            check(self, other)

    array._check_type_device = tolerant


_leave_operators_to_other_arrays()


def _strict(array: Any) -> Array:
    return namespace.asarray(np.asarray(array))


def _index_add(n_rows: int, rows: Array, values: Array) -> Array:
    total = np.zeros((n_rows, *values.shape[1:]), dtype=_plain(values).dtype)
    np.add.at(total, _plain(rows), _plain(values))
    return _strict(total)


def _erf(array: Array) -> Array:
    return _strict(np.vectorize(math.erf, otypes=[np.float64])(_plain(array)))


def _plain(array: Array) -> Any:
    return np.from_dlpack(array)


class StrictBackend(DifferentiatedBackend):
    """array-api-strict."""

    name: ClassVar[str] = "array_api_strict"
    capabilities = Capabilities(dynamic_shapes=False, in_place=False)
    differentiation = Differentiation(namespace, index_add=_index_add, erf=_erf)

    def plain_array(self, value: Any) -> bool:
        return type(value).__module__.startswith("array_api_strict")

    def plain_to_numpy(self, array: Array) -> Any:
        return _plain(array)

    def asarray(self, value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
        kind = None if dtype is None else getattr(namespace, dtype)
        if self.is_array(value):
            return value if kind is None else self.xp(value).astype(value, kind)
        if isinstance(value, range):
            value = list(value)
        return namespace.asarray(np.asarray(value, dtype=dtype))

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        found = np.flatnonzero(_plain(mask))
        padded = np.zeros(size, dtype=np.int64)
        padded[: min(size, len(found))] = found[:size]
        return _strict(padded), _strict(np.asarray(len(found), dtype=np.int32))
