"""Rows of the table of gradients, and what all gradients are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from xpmd_benchmarks.admission import admitted
from xpmd_benchmarks.alternating import Entrant, scaled
from xpmd_benchmarks.engines import xpmd_gradient

#: What all gradients are compared with.
REFERENCE = xpmd_gradient.variant("numpy", "float64", "reverse")


def expected_gradients(
    task: Mapping[str, Any], steps: Iterable[int], threads: int
) -> dict[int, float]:
    """Return the gradient of the reference by the number of steps.

    Args:
        task: what all programs are given, without the number of steps.
    """
    found = {}
    with ExitStack() as opened:
        engine, _, refusal = admitted((xpmd_gradient, REFERENCE, None), threads, opened)
        assert engine is not None, refusal
        own = {**task, **REFERENCE["options"], "precision": REFERENCE["precision"]}
        for n_steps in steps:
            whole = {**own, "n_steps": n_steps, "derivative": True}
            engine.ask("prepare", key="reference", task=whole)
            found[n_steps] = engine.ask("run", key="reference", times=1)["found"]["gradient"]
    return found


def gradient_row(alone: Entrant, whole: Entrant, expected: float) -> dict[str, Any]:
    """Return the row of a run and of the same with its derivative.

    Args:
        expected: the gradient of the reference.
    """
    row = dict(whole.words)
    n_steps = row["steps"]
    row |= scaled(
        ("ms a step", whole.median, 1e3 / n_steps),
        ("run ms a step", alone.median, 1e3 / n_steps),
        ("MiB", whole.memory, 2.0**-20),
        ("run MiB", alone.memory, 2.0**-20),
        ("first call s", whole.first, 1.0),
    )
    if whole.median is not None and alone.median is not None:
        row["over the run"] = whole.median / alone.median
    row["rounds"] = len(whole.wall)
    failure = alone.failure or whole.failure
    if failure is not None:
        row["remark"] = failure
    elif whole.found is not None:
        row["gradient"] = whole.found["gradient"]
        row["off by"] = abs(row["gradient"] / expected - 1.0)
    return row
