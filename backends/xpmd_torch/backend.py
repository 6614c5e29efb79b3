"""PyTorch as a backend: eager, with its own differentiation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from xpmd.backend import Arrays, Backend, Capabilities
from xpmd.errors import GradientError
from xpmd_torch import arrays

if arrays.availability() is None:
    from xpmd_torch import derivatives, directional, scatter

Array = Any


class TorchBackend(Backend):
    """PyTorch 2.4 or later."""

    name: ClassVar[str] = "torch"
    capabilities = Capabilities(
        native_ad=True, in_place=False, pair_layout="half", devices=("cpu", "cuda", "mps")
    )

    availability = staticmethod(arrays.availability)

    def compiled(self) -> Backend:
        from xpmd_torch.compiled_backend import compiled_backend, has_compiler

        if not has_compiler():
            warnings.warn(
                "PyTorch runs eagerly: it compiles by way of C++, and neither g++ nor clang++ is here. "
                "Install one of them, or say in CXX where one is.",
                stacklevel=3,
            )
            return self
        return compiled_backend()

    def xp(self, *xs: Array) -> Any:
        return arrays.raw_namespace()

    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        return arrays.asarray(value, dtype=dtype, device=device)

    def is_array(self, value: Any) -> bool:
        return arrays.is_array(value)

    def to_numpy(self, array: Array) -> Any:
        return arrays.to_numpy(array)

    def dtype_name(self, array: Array) -> str:
        return arrays.dtype_name(array)

    def synchronize(self, array: Array) -> None:
        arrays.synchronize(array)

    def stop_gradient(self, array: Array) -> Array:
        return array.detach()

    def radial(self, function: Callable[[Array], Array], at: Array) -> Array:
        return derivatives.radial(function, at)

    def vjp(self, function: Callable[..., Arrays], *xs: Array) -> Any:
        return derivatives.vjp(function, *xs)

    def jvp(
        self, function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
    ) -> Any:
        if derivatives.in_forward_mode():
            return directional.jvp(function, xs, tangents)
        return derivatives.jvp(function, xs, tangents)

    def jvp_many(
        self, function: Callable[..., Arrays], xs: Arrays, directions: Sequence[Arrays]
    ) -> tuple[Arrays, list[Arrays]]:
        return directional.jvp_many(function, xs, directions)

    def without_derivative(self, array: Array, reason: str) -> Array:
        if derivatives.is_followed_on(array):
            raise GradientError(reason)
        return array

    def is_followed(self, value: Any) -> bool:
        return derivatives.is_followed(value)

    def captures(self, function: Callable[..., Arrays], *xs: Array) -> bool:
        return derivatives.captures(function, xs)

    def custom_vjp(
        self,
        primal: Callable[..., Arrays],
        forward: Callable[..., tuple[Arrays, Any]],
        backward: Callable[[Any, Arrays], Sequence[Array | None]],
        *,
        selective: bool = False,
    ) -> Callable[..., Arrays]:
        return derivatives.custom_vjp(primal, forward, backward, selective=selective)

    def custom_jvp(
        self,
        primal: Callable[..., Arrays],
        rule: Callable[[Arrays, Sequence[Array | None]], tuple[Arrays, Sequence[Array | None]]],
        *,
        one_way: bool = False,
    ) -> Callable[..., Arrays]:
        return directional.custom_jvp(primal, rule, one_way=one_way)

    def value_and_grad(
        self, function: Callable[..., tuple[Array, Arrays]], xs: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        return derivatives.value_and_grad(function, xs)

    def index_add(self, n_rows: int, rows: Array, values: Array) -> Array:
        return scatter.index_add(n_rows, rows, values)

    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        return scatter.nonzero_padded(mask, size)

    def erf(self, array: Array) -> Array:
        return scatter.erf(array)
