"""One gradient by several strategies on several backends, side by side."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from xpmd.array_search import is_float_array
from xpmd.backend import Backend, backend, backend_of
from xpmd.errors import XpmdError
from xpmd.gradient import value_and_grad
from xpmd.gradient_strategy import GradientStrategy
from xpmd.module import flatten, unflatten
from xpmd.peak_memory import peak_memory
from xpmd.text_table import text_table


@dataclass(frozen=True)
class GradientRow:
    """A gradient by one strategy on one backend.

    Attributes:
        strategy, backend: their names.
        value: of the loss; NaN if there is an error.
        gradient: every number of the gradient, in the order of the parameters.
        difference: |g - g_referee|/|g_referee|; NaN if there is an error.
        seconds: of the second of two calls, so that compiling does not count.
        memory: bytes in use at most during that call, beyond those at its start; `None` if unknown.
        error: why there is no gradient, else `None`.
    """

    strategy: str
    backend: str
    value: float = math.nan
    gradient: tuple[float, ...] = ()
    difference: float = math.nan
    seconds: float = math.nan
    memory: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class GradientTable:
    """What `check_gradient` found; prints as a table.

    Attributes:
        referee: the gradient that the others are compared with.
        rows: the others.
    """

    referee: GradientRow
    rows: tuple[GradientRow, ...] = field(default=())

    @property
    def worst(self) -> float:
        """Largest relative difference to the referee; NaN if a gradient is missing."""
        differences = [row.difference for row in self.rows]
        return (
            math.nan if any(math.isnan(d) for d in differences) else max(differences, default=0.0)
        )

    def __str__(self) -> str:
        single = len(self.referee.gradient) == 1
        header = ["strategy", "backend", "value", "gradient" if single else "|gradient|"]
        header += ["difference", "ms", "MB"]
        cells, remarks = [], []
        for row in (self.referee, *self.rows):
            if row.error is not None:
                cells.append([row.strategy, row.backend, *["-"] * 5])
                remarks.append(f"{row.strategy} on {row.backend}: {row.error}")
                continue
            size = row.gradient[0] if single else math.hypot(*row.gradient)
            difference = "referee" if row is self.referee else f"{row.difference:.1e}"
            memory = "-" if row.memory is None else f"{row.memory / 1e6:.1f}"
            numbers = [f"{row.value:.10g}", f"{size:.10g}", difference]
            cells.append([row.strategy, row.backend, *numbers, f"{1e3 * row.seconds:.1f}", memory])
        return "\n".join([text_table(header, cells), *remarks])


def check_gradient(
    loss: Callable[..., Any],
    params: Any,
    *rest: Any,
    strategies: Sequence[str | GradientStrategy] = ("reverse", "forward"),
    backends: Sequence[str] | None = None,
    referee: str | GradientStrategy = "finite_difference",
    referee_backend: str | None = None,
    show: bool = True,
) -> GradientTable:
    """Compute one gradient by each strategy on each backend, and print how they agree.

    Args:
        loss: function of `params` and `rest`; to run on several backends it makes its arrays like
            those it is given.
        params: a number, an array, or any nesting of them.
        rest: further arguments; arrays among them are converted with `params`.
        strategies: names or objects.
        backends: names; that of the arguments alone if left out.
        referee: the strategy that the others are compared with.
        referee_backend: where it runs; the first of `backends` if left out.
        show: whether to print the table.

    Returns:
        The table. A strategy that fails has its error there, and stops no other.
    """
    places: Sequence[str | None] = list(backends) if backends is not None else [None]
    first = _row(loss, params, rest, referee, referee_backend or places[0])
    rows = []
    for place in places:
        for strategy in strategies:
            row = _row(loss, params, rest, strategy, place)
            rows.append(_compared(row, first))
    table = GradientTable(first, tuple(rows))
    if show:
        print(table)
    return table


def _row(
    loss: Callable[..., Any],
    params: Any,
    rest: Sequence[Any],
    strategy: str | GradientStrategy,
    place: str | None,
) -> GradientRow:
    name = strategy if isinstance(strategy, str) else _described(strategy)
    try:
        there, more = params, list(rest)
        if place is not None:
            chosen = backend(place)
            there, more = _converted(params, chosen), [_converted(x, chosen) for x in rest]
        function = value_and_grad(loss, strategy, backend=place)
        function(there, *more)
        with peak_memory() as peak:
            began = time.perf_counter()
            value, gradient = function(there, *more)
            # Looking at the numbers waits for them.
            numbers = tuple(x for leaf in flatten(gradient)[0] for x in _numbers(leaf))
            found = _numbers(value)[0]
            seconds = time.perf_counter() - began
    except (XpmdError, ValueError, TypeError, NotImplementedError) as error:
        reason = f"{type(error).__name__}: {error}"
        return GradientRow(name, place or "-", error=reason)
    return GradientRow(name, place or _owner(value), found, numbers, math.nan, seconds, peak.bytes)


def _compared(row: GradientRow, referee: GradientRow) -> GradientRow:
    if row.error is not None or referee.error is not None:
        return row
    apart = math.hypot(*(a - b for a, b in zip(row.gradient, referee.gradient, strict=True)))
    size = math.hypot(*referee.gradient)
    difference = apart / size if size else (0.0 if apart == 0.0 else math.inf)
    return GradientRow(**{**row.__dict__, "difference": difference})


def _described(strategy: GradientStrategy) -> str:
    names = [n for n in strategy._static_names if n not in strategy.unkeyed]
    plain = type(strategy)()
    settings = [
        f"{n}={getattr(strategy, n)}" for n in names if getattr(strategy, n) != getattr(plain, n)
    ]
    return f"{type(strategy).__name__}({', '.join(settings)})"


def _owner(value: Any) -> str:
    return backend_of(value).name


def _numbers(value: Any) -> list[float]:
    if isinstance(value, (int, float)):
        return [float(value)]
    known = backend_of(value).to_numpy(value)
    return [float(x) for x in known.reshape(-1).tolist()]


def _converted(value: Any, chosen: Backend) -> Any:
    """Return a tree with its float arrays made arrays of a backend."""
    leaves, spec = flatten(value)
    return unflatten(spec, [_moved(leaf, chosen) for leaf in leaves])


def _moved(leaf: Any, chosen: Backend) -> Any:
    if not is_float_array(leaf) or chosen.is_array(leaf):
        return leaf
    owner = backend_of(leaf)
    return chosen.asarray(owner.to_numpy(leaf), dtype=owner.dtype_name(leaf))
