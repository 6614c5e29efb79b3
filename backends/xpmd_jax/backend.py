"""JAX as a backend: compiled, with its own differentiation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from xpmd.backend import Arrays, Backend, Capabilities
from xpmd_jax import arrays

if arrays.availability() is None:
    from xpmd_jax import barriers, control, derivatives, scatter, settling

Array = Any


class JaxBackend(Backend):
    """JAX 0.4.35 or later. Numbers of 64 bits need `jax_enable_x64`, which xpmd never sets."""

    name: ClassVar[str] = "jax"
    capabilities = Capabilities(
        jit=True,
        native_ad=True,
        dynamic_shapes=False,
        in_place=False,
        pair_layout="full",
        index_dtype="int32",
        devices=("cpu", "gpu", "tpu"),
    )

    availability = staticmethod(arrays.availability)

    def process_variables(self) -> dict[str, str]:
        return arrays.process_variables()

    def xp(self, *xs: Array) -> Any:
        return arrays.raw_namespace()

    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        return arrays.asarray(value, dtype=dtype, device=device)

    def is_array(self, value: Any) -> bool:
        return arrays.is_array(value)

    def is_traced(self, array: Array) -> bool:
        return arrays.is_traced(array)

    def check_dtype(self, dtype: str) -> None:
        arrays.check_dtype(dtype)

    def device_of(self, array: Array) -> Any:
        return arrays.device_of(array)

    def to_numpy(self, array: Array) -> Any:
        return arrays.to_numpy(array)

    def dtype_name(self, array: Array) -> str:
        return arrays.dtype_name(array)

    def synchronize(self, array: Array) -> None:
        arrays.synchronize(array)

    def jit(self, function: Callable[..., Any], *, exact: bool = False) -> Callable[..., Any]:
        return control.jit(function, exact=exact)

    def keep_compiled(self, folder: str | os.PathLike[str] | None = None) -> Path | None:
        return control.keep_compiled(folder)

    def repeat(
        self, body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
    ) -> Arrays:
        return control.repeat(body, carry, times, at_most)

    def repeat_keeping(
        self,
        body: Callable[[Array, Arrays], Arrays],
        carry: Arrays,
        times: Any,
        at_most: int,
        pick: Callable[[Arrays], Arrays],
    ) -> tuple[Arrays, Any]:
        return control.repeat_keeping(body, carry, times, at_most, pick)

    def row(self, rows: Any, k: Any) -> Arrays:
        return control.row(rows, k)

    def stacked_rows(self, rows: Any, places: Sequence[int]) -> Arrays:
        return control.stacked_rows(rows, places)

    def scan(
        self, body: Callable[[Arrays, Any], tuple[Arrays, Arrays]], carry: Arrays, xs: Sequence[Any]
    ) -> tuple[Arrays, Arrays]:
        return control.scan(body, carry, xs)

    def while_loop(
        self, condition: Callable[[Arrays], Any], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        return control.while_loop(condition, body, carry)

    def cond(
        self,
        predicate: Any,
        yes: Callable[..., Arrays],
        no: Callable[..., Arrays],
        *operands: Array,
    ) -> Arrays:
        return control.cond(predicate, yes, no, *operands)

    def map(self, function: Callable[..., Arrays], *stacked: Array) -> Arrays:
        return control.map_leading(function, *stacked)

    def settled(self, *arrays: Array) -> Arrays:
        return settling.settled(*arrays)

    def host_call(
        self, function: Callable[..., Sequence[Any]], like: Sequence[tuple[Any, str]], *xs: Array
    ) -> Arrays:
        return control.host_call(function, like, *xs)

    def stop_gradient(self, array: Array) -> Array:
        return derivatives.stop_gradient(array)

    def radial(self, function: Callable[[Array], Array], at: Array) -> Array:
        return derivatives.radial(function, at)

    def vjp(self, function: Callable[..., Arrays], *xs: Array) -> Any:
        return derivatives.vjp(function, *xs)

    def jvp(
        self, function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
    ) -> Any:
        return derivatives.jvp(function, xs, tangents)

    def jvp_many(
        self, function: Callable[..., Arrays], xs: Arrays, directions: Sequence[Arrays]
    ) -> tuple[Arrays, list[Arrays]]:
        return derivatives.jvp_many(function, xs, directions)

    def without_derivative(self, array: Array, reason: str) -> Array:
        return barriers.without_derivative(array, reason)

    def is_followed(self, value: Any) -> bool:
        return arrays.is_traced(value)

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
        return derivatives.custom_jvp(primal, rule, one_way=one_way)

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
