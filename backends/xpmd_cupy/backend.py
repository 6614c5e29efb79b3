"""CuPy as a backend: eager on an NVIDIA GPU, differentiated by xpmd_autodiff."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.backend import Capabilities
from xpmd_autodiff.backend import DifferentiatedBackend
from xpmd_autodiff.differentiation import Differentiation
from xpmd_cupy import arrays

if arrays.import_failure is None:
    from xpmd_cupy import scatter

Array = Any


class CupyBackend(DifferentiatedBackend):
    """CuPy 13 or later; computes on CuPy's current device, one for a System."""

    name: ClassVar[str] = "cupy"
    capabilities = Capabilities(
        # Atomic additions come in another order each time.
        deterministic_index_add=False,
        # Each of the many small kernels of a pair sum then reads and writes half as much, and the
        # atomic additions this asks for are done by the hardware.
        pair_layout="half",
        # Gathers are bound by memory, and a number of an atom fits 32 bits.
        index_dtype="int32",
        devices=("cuda",),
    )

    availability = staticmethod(arrays.availability)

    def __init__(self) -> None:
        # Not in the class, which can be looked at where CuPy is missing.
        self.differentiation = Differentiation(
            arrays.raw_namespace(), index_add=scatter.index_add, erf=scatter.erf
        )

    def plain_array(self, value: Any) -> bool:
        return arrays.is_array(value)

    def plain_to_numpy(self, array: Array) -> Any:
        return arrays.to_numpy(array)

    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        if not self.differentiation.is_wrapped(value):
            return arrays.asarray(value, dtype=dtype, device=device)
        arrays.check_device(self.differentiation.primal(value), device)
        if dtype is None or dtype == self.dtype_name(value):
            return value
        return self.differentiation.namespace.astype(value, getattr(arrays.raw_namespace(), dtype))

    def device_of(self, array: Array) -> Any:
        return self.differentiation.primal(array).device

    def synchronize(self, array: Array) -> None:
        arrays.synchronize(self.differentiation.primal(array))

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        return scatter.nonzero_padded(self.differentiation.primal(mask), size)
