"""NumPy as a backend: eager, the embedded default."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.backend import Capabilities
from xpmd_autodiff.backend import DifferentiatedBackend
from xpmd_autodiff.differentiation import Differentiation
from xpmd_numpy import arrays, scatter

Array = Any


class NumpyBackend(DifferentiatedBackend):
    """NumPy 2 or later."""

    name: ClassVar[str] = "numpy"
    capabilities = Capabilities()
    differentiation = Differentiation(
        arrays.namespace, index_add=scatter.index_add, erf=scatter.erf
    )

    availability = staticmethod(arrays.availability)

    def check_dtype(self, dtype: str) -> None:
        arrays.check_dtype(dtype)

    def plain_array(self, value: Any) -> bool:
        return arrays.is_array(value)

    def plain_to_numpy(self, array: Array) -> Any:
        return arrays.to_numpy(array)

    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        if not self.differentiation.is_wrapped(value):
            return arrays.asarray(value, dtype=dtype, device=device)
        if dtype is None or dtype == self.dtype_name(value):
            return value
        return self.differentiation.namespace.astype(value, getattr(arrays.namespace, dtype))

    def must_be_stacked(self, value: Any) -> bool:
        return self.differentiation.is_wrapped(value)

    def device_of(self, array: Array) -> Any:
        return "cpu"

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        return scatter.nonzero_padded(mask, size)
