"""Several losses in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Array = Any
Term = Callable[..., Array]


class WeightedSum:
    """L = sum_k w_k L_k of named terms, each a function of the same arguments.

        loss = WeightedSum(
            structure=(1.0, lambda run: rmsd(run.system, target)),
            size=(0.1, lambda run: squared_deviation(run.observations["rg"], 1.2)),
        )
        total = loss(md.simulate(system, simulator, 500, observe=...))

    Args:
        terms: by name, a weight and a function; a function alone has the weight 1. A weight may be an
            array that is differentiated.
    """

    def __init__(self, **terms: tuple[Any, Term] | Term) -> None:
        self.terms: dict[str, tuple[Any, Term]] = {}
        for name, term in terms.items():
            weight, function = term if isinstance(term, tuple) and len(term) == 2 else (1.0, term)
            if not callable(function):
                raise TypeError(f"`{name}` = {term!r} must be (weight, function), or a function.")
            self.terms[name] = (weight, function)
        if not self.terms:
            raise TypeError("A weighted sum needs one term at least: name=(weight, function).")

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """Return the sum, a scalar."""
        return self.with_terms(*args, **kwargs)[0]

    def with_terms(self, *args: Any, **kwargs: Any) -> tuple[Array, dict[str, Array]]:
        """Return the sum and its weighted terms by name, for `value_and_grad(..., has_aux=True)`."""
        parts = {
            name: weight * function(*args, **kwargs)
            for name, (weight, function) in self.terms.items()
        }
        values = list(parts.values())
        return sum(values[1:], values[0]), parts
