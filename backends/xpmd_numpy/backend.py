"""NumPy as a backend: eager, the embedded default."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.backend import Capabilities
from xpmd_autodiff.backend import DifferentiatedBackend
from xpmd_autodiff.differentiation import Differentiation
from xpmd_numpy import arrays, scatter

Array = Any


class NumpyBackend(DifferentiatedBackend):
    """NumPy 1.26 or later."""

    name: ClassVar[str] = "numpy"
    capabilities = Capabilities()
    differentiation = Differentiation(
        arrays.namespace, index_add=scatter.index_add, erf=scatter.erf
    )

    availability = staticmethod(arrays.availability)

    def plain_array(self, value: Any) -> bool:
        return arrays.is_array(value)

    def plain_to_numpy(self, array: Array) -> Any:
        return arrays.to_numpy(array)

    def asarray(self, value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
        if self.differentiation.is_wrapped(value):
            kind = value.dtype if dtype is None else getattr(arrays.namespace, dtype)
            return self.differentiation.namespace.astype(value, kind)
        return arrays.asarray(value, dtype=dtype, device=device)

    def device_of(self, array: Array) -> Any:
        return "cpu"

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        return scatter.nonzero_padded(mask, size)
