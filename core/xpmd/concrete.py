"""Looking at a value without touching its gradient: used by checks, never by physics."""

from __future__ import annotations

import math
import numbers
from typing import Any


def concrete(value: Any) -> Any:
    """Return a value as Python numbers (nested lists for arrays), or `None` if it is unknown now.

    A value is unknown while a compiler traces it. Gradients are neither followed nor disturbed.
    """
    if isinstance(value, (bool, numbers.Real)):
        return float(value)
    if isinstance(value, (list, tuple)):
        parts = [concrete(part) for part in value]
        return None if any(part is None for part in parts) else parts
    value = getattr(value, "__xpmd_primal__", value)
    detach = getattr(value, "detach", None)
    if detach is not None:
        value = detach()
    to_list = getattr(value, "tolist", None)
    try:
        return to_list() if to_list is not None else float(value)
    except Exception:
        # Each library has its own error for "this is a tracer"; all mean that nothing is known.
        return None


def concrete_numbers(value: Any) -> list[float]:
    """Return every number in a value as a flat list, empty if it is unknown now."""
    known = concrete(value)
    flat: list[float] = []
    stack = [known]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        elif item is not None:
            flat.append(float(item))
    return flat


def require_positive(name: str, value: Any, *, allow_zero: bool = False) -> None:
    """Raise `ValueError` unless every number in `value` that is known now is finite and positive."""
    for number in concrete_numbers(value):
        if not math.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
            wanted = "zero or positive" if allow_zero else "positive"
            raise ValueError(f"`{name}` = {number} must be finite and {wanted}.")
