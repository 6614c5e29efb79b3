"""Finding the arrays in a tree of components, and saying where they are."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

from xpmd.errors import BackendError
from xpmd.module import Module
from xpmd.units import is_quantity


def arrays_in(value: Any) -> Iterable[Any]:
    """Yield every array in a tree of components, dicts, lists and tuples."""
    return (array for _, array in named_arrays(value))


def named_arrays(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    """Yield every array in a tree with its place, such as `interactions[0].k`."""
    if isinstance(value, Module):
        for field in value._dynamic_names:
            if field not in value._index_names:
                yield from named_arrays(getattr(value, field), f"{name}.{field}" if name else field)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from named_arrays(part, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for k, part in enumerate(value):
            yield from named_arrays(part, f"{name}[{k}]")
    elif (
        hasattr(value, "dtype") and not isinstance(value, numbers.Number) and not is_quantity(value)
    ):
        # A quantity passes for the array in it, and is converted later.
        yield name, value


def is_float_array(value: Any) -> bool:
    """Return whether a value is an array (not a scalar object) of floating numbers."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and not isinstance(value, numbers.Number) and "float" in str(dtype)


def grouped(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names by what they have in common."""
    groups: dict[str, list[str]] = {}
    for name, kind in named:
        groups.setdefault(kind, []).append(name)
    return groups


def require_one(what: str, groups: dict[str, list[str]], remedy: str) -> None:
    """Raise `BackendError` for more than one group, saying what is in which."""
    if len(groups) > 1:
        told = "; ".join(
            f"{kind} in {', '.join(f'`{name}`' for name in names[:3])}"
            + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            for kind, names in sorted(groups.items())
        )
        raise BackendError(f"Arrays of several {what} were mixed: {told}. {remedy}")
