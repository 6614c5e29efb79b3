"""The entrance: where a user's numbers and arrays become one backend's arrays."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xpmd.backend import Backend, backend, backend_of
from xpmd.errors import BackendError
from xpmd.module import Module
from xpmd.units import UnitSystem, magnitude

Array = Any


@dataclass(frozen=True)
class Entrance:
    """Converts values to arrays of one backend, type and device; gradients pass through."""

    backend: Backend
    dtype: str
    device: Any
    units: UnitSystem
    cast: bool

    @classmethod
    def for_values(
        cls, values: Any, *, like: Any = None, dtype: str | None, units: UnitSystem
    ) -> Entrance:
        """Choose the backend and type that the float arrays among `values` agree on.

        Integers, booleans, lists and plain numbers follow whatever the float arrays say.
        """
        arrays = [array for array in arrays_in(values) if is_float_array(array)]
        chosen = backend_of(*arrays) if arrays else backend("numpy")
        if dtype is None:
            names = {chosen.dtype_name(array) for array in arrays} or {"float64"}
            if len(names) > 1:
                raise BackendError(
                    f"Arrays of several types were mixed: {sorted(names)}. Convert them to one, or "
                    "give System(..., dtype=...)."
                )
            (dtype_name,) = names
        else:
            dtype_name = str(dtype)
        if dtype_name not in ("float32", "float64"):
            raise BackendError(f"`dtype` = {dtype_name} must be 'float32' or 'float64'.")
        chosen.check_dtype(dtype_name)
        device = None
        owners = [array for array in (like, *arrays) if chosen.is_array(array)]
        if owners:
            # An array that is traced does not say where it lives.
            found = [chosen.device_of(array) for array in owners]
            devices = {str(place): place for place in found if place is not None}
            if len(devices) > 1:
                raise BackendError(f"Arrays on several devices were mixed: {sorted(devices)}.")
            device = next(iter(devices.values()), None)
        return cls(chosen, dtype_name, device, units, dtype is not None)

    def array(self, name: str, value: Any) -> Array:
        """Return a parameter as a float array."""
        if self.backend.is_array(value):
            found = self.backend.dtype_name(value)
            if found == self.dtype:
                return value
            return self.backend.asarray(value, dtype=self.dtype)
        if is_float_array(value):
            raise BackendError(
                f"`{name}` is an array of {backend_of(value).name}, but the System is on "
                f"{self.backend.name}. Convert it first."
            )
        try:
            if isinstance(value, list) and any(self.backend.is_array(item) for item in value):
                parts = [self.array(name, item) for item in value]
                return self.backend.xp(*parts).stack(parts)
            return self.backend.asarray(value, dtype=self.dtype, device=self.device)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`{name}` = {value!r} cannot be made an array of numbers: {error}"
            ) from error

    def integers(self, name: str, value: Any) -> Array:
        """Return indices as an integer array."""
        try:
            kind = self.backend.capabilities.index_dtype
            return self.backend.asarray(value, dtype=kind, device=self.device)
        except (TypeError, ValueError) as error:
            raise TypeError(f"`{name}` = {value!r} cannot be made an array of integers.") from error

    def component(self, component: Any) -> Any:
        """Return a component whose fields are arrays; a component already converted is kept."""
        changes = {}
        dimension_of = getattr(component, "units", {})
        for name in component._dynamic_names:
            value = getattr(component, name)
            if name in component._index_names:
                converted = value if value is None else self.integers(name, value)
            else:
                converted = self.tree(name, value, dimension_of)
            if converted is not value:
                changes[name] = converted
        return component.with_fields(**changes) if changes else component

    def tree(self, name: str, value: Any, dimension_of: dict[str, str]) -> Any:
        """Convert a field: an array, or a component, dict or tuple of them."""
        if isinstance(value, Module):
            return self.component(value)
        if value is None or callable(value):
            return value
        if isinstance(value, dict):
            return {key: self.tree(str(key), part, dimension_of) for key, part in value.items()}
        if isinstance(value, tuple):
            parts = tuple(self.tree(name, part, dimension_of) for part in value)
            same = all(new is old for new, old in zip(parts, value, strict=True))
            if same:
                return value
            # A named tuple takes its fields one by one.
            return type(value)(*parts) if hasattr(value, "_fields") else parts
        if isinstance(value, list) and not _is_vector(value, self.backend):
            return [self.tree(name, part, dimension_of) for part in value]
        if name in dimension_of:
            value = magnitude(value, dimension_of[name], self.units, name=name)
        return self.array(name, value)


def _is_vector(value: list[Any], chosen: Backend) -> bool:
    """Return whether a list holds numbers only (nested lists too), or scalar arrays."""
    for item in value:
        if isinstance(item, list):
            if not _is_vector(item, chosen):
                return False
        elif not isinstance(item, numbers.Real) and getattr(item, "shape", None) != ():
            return False
    return True


def arrays_in(value: Any) -> Iterable[Any]:
    """Yield every array in a tree of components, dicts, lists and tuples."""
    if isinstance(value, Module):
        for name in value._dynamic_names:
            if name not in value._index_names:
                yield from arrays_in(getattr(value, name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from arrays_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from arrays_in(part)
    elif hasattr(value, "dtype") and not isinstance(value, numbers.Number):
        yield value


def is_float_array(value: Any) -> bool:
    """Return whether a value is an array (not a scalar object) of floating numbers."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and not isinstance(value, numbers.Number) and "float" in str(dtype)
