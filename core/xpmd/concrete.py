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
        if to_list is not None:
            return to_list()
        if getattr(value, "shape", ()):
            # The standard knows no `tolist`.
            return concrete([value[k, ...] for k in range(value.shape[0])])
        return float(value)
    except Exception:
        # Each library has its own error for "this is a tracer"; all mean that nothing is known.
        return None


def plain_number(value: Any) -> Any:
    """Return a number as one of Python's, and anything else, arrays of one number too, as it is.

    Numbers of NumPy have a type of their own, which would become that of the arrays they meet.
    """
    known = type(value) in (bool, int, float) or not isinstance(value, numbers.Real)
    return value if known else float(value)


def followed(value: Any) -> bool:
    """Return whether a derivative is being taken with respect to a value, as far as one can see."""
    return bool(getattr(value, "requires_grad", False)) or hasattr(value, "__xpmd_primal__")


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


def require_numbers(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is a number, an array, or a nested list of them."""
    if isinstance(value, (list, tuple)):
        for part in value:
            require_numbers(name, part)
    elif not isinstance(value, numbers.Real) and not hasattr(value, "shape"):
        raise TypeError(f"`{name}` = {value!r} must be a number or an array of numbers.")


def require_scalar(name: str, value: Any) -> None:
    """Raise `TypeError` unless `value` is one number, or an array of no dimensions."""
    require_numbers(name, value)
    shape = tuple(getattr(value, "shape", ()))
    if isinstance(value, (list, tuple)) or shape:
        what = f"an array of shape {shape}" if shape else f"{value!r}"
        raise TypeError(f"`{name}` is {what}; it must be one number.")


def require_positive(name: str, value: Any, *, allow_zero: bool = False) -> None:
    """Raise unless every number in `value` that is known now is finite and positive.

    Raises:
        TypeError: it holds something that is no number.
        ValueError: a number is negative, zero, or not finite.
    """
    require_numbers(name, value)
    for number in concrete_numbers(value):
        if not math.isfinite(number) or number < 0 or (number == 0 and not allow_zero):
            wanted = "zero or positive" if allow_zero else "positive"
            raise ValueError(f"`{name}` = {number} must be finite and {wanted}.")


def require_positive_fields(component: Any) -> None:
    """Check the fields that a component names in `positive_fields`; one that may be `None` may."""
    for name, allow_zero in component.positive_fields.items():
        value = getattr(component, name)
        if value is None and getattr(type(component), name, ...) is None:
            continue
        require_positive(name, value, allow_zero=allow_zero)


def require_whole(name: str, value: Any, *, at_least: int) -> None:
    """Raise `ValueError` unless `value` is one whole number that is not too small."""
    number = concrete(value)
    known = isinstance(number, numbers.Real) and math.isfinite(number)
    if not known or int(number) != number or number < at_least:
        wanted = "zero or positive" if at_least == 0 else f"at least {at_least}"
        raise ValueError(f"`{name}` = {value!r} must be a whole number, {wanted}.")
