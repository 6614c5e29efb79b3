"""The entrance: where a user's numbers and arrays become one backend's arrays."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from xpmd.array_search import grouped, is_float_array, named_arrays, require_one
from xpmd.backend import Backend, backend, backend_of
from xpmd.errors import BackendError
from xpmd.module import Module
from xpmd.units import UnitSystem, is_quantity, magnitude

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

        Integers, booleans, lists and plain numbers follow whatever the float arrays say; without any,
        arrays of integers say the backend, and the type is float64.

        Args:
            values: a dict of what is to be converted, by the names that errors use.
            like: an array whose device counts, whatever its type.

        Raises:
            BackendError: several backends, types or devices, or a type other than float32 or float64.
        """
        found = list(named_arrays(values))
        named = [(name, array) for name, array in found if is_float_array(array)]
        arrays = [array for _, array in named]
        owners = arrays or [array for _, array in found]
        kinds = grouped((name, backend_of(array).name) for name, array in named)
        require_one("backends", kinds, "Convert them to one library first.")
        chosen = backend_of(*owners) if owners else backend("numpy")
        if dtype is None:
            types = grouped((name, chosen.dtype_name(array)) for name, array in named)
            require_one("types", types, "Convert them to one, or give System(..., dtype=...).")
            dtype_name = next(iter(types), "float64")
        else:
            dtype_name = str(dtype)
        if dtype_name not in ("float32", "float64"):
            raise BackendError(f"`dtype` = {dtype_name} must be 'float32' or 'float64'.")
        chosen.check_dtype(dtype_name)
        unnamed = chosen.is_array(like) and not is_float_array(like)
        placed = [("coords", like), *named] if unnamed else named
        # An array that is traced does not say where it lives.
        places = [(name, chosen.device_of(array)) for name, array in placed]
        devices = {str(place): place for _, place in places if place is not None}
        where = grouped((name, str(place)) for name, place in places if place is not None)
        require_one("devices", where, "Move them to one first.")
        device = next(iter(devices.values()), None)
        return cls(chosen, dtype_name, device, units, dtype is not None)

    def array(self, name: str, value: Any) -> Array:
        """Return a parameter as a float array."""
        if self.backend.is_array(value):
            found = self.backend.dtype_name(value)
            if found.startswith("complex"):
                raise TypeError(f"`{name}` is an array of {found}; it must be real.")
            # Also where the type is right: a subclass may compute in ways of its own.
            return self.backend.asarray(value, dtype=self.dtype)
        if is_quantity(value):
            raise TypeError(
                f"`{name}` = {value} has a unit, but its class does not say of which dimension it is "
                "(in the class variable `units`). Give a plain number."
            )
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
        except BackendError:
            raise
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`{name}` = {value!r} cannot be made an array of numbers: {error}"
            ) from error

    def integers(self, name: str, value: Any) -> Array:
        """Return indices as an integer array; numbers with a fraction are refused."""
        kind = self.backend.capabilities.index_dtype
        try:
            array = value
            if not self.backend.is_array(value):
                array = self.backend.asarray(value, device=self.device)
            found = self.backend.dtype_name(array)
            if found == kind:
                return array
            whole = self.backend.asarray(array, dtype=kind, device=self.device)
        except (TypeError, ValueError) as error:
            raise TypeError(f"`{name}` = {value!r} cannot be made an array of integers.") from error
        if "int" not in found:
            before, after = self.backend.known(array), self.backend.known(whole)
            if before is None or (before != after).any():
                raise TypeError(f"`{name}` = {value!r} must hold whole numbers: they name atoms.")
        return whole

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
        if isinstance(value, type) and issubclass(value, Module):
            raise TypeError(f"`{name}`: pass an instance, {value.__name__}(...), not the class.")
        if value is None or callable(value):
            return value
        if name in dimension_of and not isinstance(value, dict):
            value = magnitude(value, dimension_of[name], self.units, name=name)
        if isinstance(value, dict):
            changed = {key: self.tree(str(key), part, dimension_of) for key, part in value.items()}
            return value if all(changed[key] is value[key] for key in value) else changed
        if isinstance(value, tuple) or (
            isinstance(value, list) and not _is_vector(value, self.backend)
        ):
            parts = [self.tree(name, part, dimension_of) for part in value]
            if all(new is old for new, old in zip(parts, value, strict=True)):
                return value
            # A named tuple takes its fields one by one.
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
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
