"""The one table of rules, and what needs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd_autodiff.rules import (
    complex_numbers,
    creation,
    elementwise,
    fourier,
    indexing,
    linear_algebra,
    powers,
    reductions,
    selection,
    shapes,
    vectors,
)
from xpmd_autodiff.rules.rule import Rule

#: Functions with a derivative of their own; a dot separates a sub-namespace.
RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **complex_numbers.RULES,
    **powers.RULES,
    **selection.RULES,
    **reductions.RULES,
    **shapes.RULES,
    **indexing.RULES,
    **linear_algebra.RULES,
    **fourier.RULES,
}

#: Functions written with others: (xp, *args, **kwargs) -> result.
COMPOSITES: dict[str, Callable[..., Any]] = {
    **creation.COMPOSITES,
    **reductions.COMPOSITES,
    **shapes.COMPOSITES,
    **indexing.COMPOSITES,
    **vectors.COMPOSITES,
    **complex_numbers.COMPOSITES,
    **fourier.COMPOSITES,
}

#: Functions whose result does not change under a small change of the input, or is no number.
#: They get the plain arrays, and what they return is not differentiated any further.
CONSTANTS: frozenset[str] = frozenset(
    [
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
        *("logical_and", "logical_or", "logical_not", "logical_xor"),
        *("isfinite", "isinf", "isnan", "signbit", "isin", "any", "all", "count_nonzero"),
        *("floor", "ceil", "round", "trunc", "floor_divide"),
        *("argmax", "argmin", "argsort", "searchsorted", "nonzero"),
        *("zeros_like", "ones_like", "empty_like"),
        *("result_type", "can_cast", "finfo", "iinfo", "isdtype"),
    ]
)
