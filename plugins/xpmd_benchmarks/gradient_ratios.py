"""What gradients cost beside the run alone and beside other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.benchmark import BenchmarkRatio
from xpmd_benchmarks.engines import jax_md, xpmd_gradient
from xpmd_benchmarks.ratios import Side, ratio, standing

Rows = Sequence[dict[str, Any]]


def gradient_ratios(rows: Rows) -> list[BenchmarkRatio]:
    """Return ratios at the most atoms: to the run alone at the fewest steps, to others at all."""
    done = [row for row in rows if row.get("ms a step") is not None]
    if not done:
        return []
    differences = _differences(done)
    most = max(row["atoms"] for row in done)
    done = [row for row in done if row["atoms"] == most]
    steps = sorted({row["steps"] for row in done})
    strategies = list(dict.fromkeys(row["strategy"] for row in done if _is_ours(row)))
    found = _over_the_run(done, steps[0], strategies)
    theirs = Side(f"{jax_md.NAME} jax.grad", {"program": jax_md.NAME})
    jax = {"program": xpmd_gradient.NAME, "variant": "jax"}
    for n_steps in steps:
        here = [row for row in done if row["steps"] == n_steps]
        for column, what in (("ms a step", "time"), ("MiB", "memory")):
            named = Side(f"{what} of {theirs.label}, {most} atoms", theirs.words)
            for strategy in strategies:
                ours = Side(f"xpmd {jax['variant']}", {**jax, "strategy": strategy})
                found += ratio(here, column, named, ours, {f"{strategy}, {n_steps} steps": {}})
    return _gathered(found) + differences


def _is_ours(row: dict[str, Any]) -> bool:
    return bool(row["program"] == xpmd_gradient.NAME)


def _over_the_run(rows: Rows, n_steps: int, strategies: Sequence[str]) -> list[BenchmarkRatio]:
    found: list[BenchmarkRatio] = []
    ours = [row for row in rows if _is_ours(row) and row["steps"] == n_steps]
    for variant in dict.fromkeys(row["variant"] for row in ours):
        label = f"value and gradient, xpmd {variant}, {ours[0]['atoms']} atoms x {n_steps} steps"
        side = Side(label, {"variant": variant})
        each = {name: {"strategy": name} for name in strategies}
        found += standing(ours, "over the run", side, each, over="the run alone")
    return found


def _gathered(ratios: Sequence[BenchmarkRatio]) -> list[BenchmarkRatio]:
    """Return ratios between the same sides as one."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for each in ratios:
        found.setdefault((each.figure, each.over), {}).update(each.values)
    return [BenchmarkRatio(*sides, values) for sides, values in found.items()]


def _differences(rows: Rows) -> list[BenchmarkRatio]:
    """Return how far gradients of compiled backends are from those of NumPy, the worst strategy's."""
    fewest = min(row["steps"] for row in rows)
    ours = [row for row in rows if _is_ours(row) and row["steps"] == fewest]
    kinds = sorted({(row["atoms"], row["precision"]) for row in ours})
    places = {f"{n} atoms {dtype}": {"atoms": n, "precision": dtype} for n, dtype in kinds}
    found: list[BenchmarkRatio] = []
    for variant in ("jax", "torch"):
        side = Side(f"difference of gradients, xpmd {variant}", {"variant": variant})
        found += standing(ours, "off by", side, places, over="xpmd numpy float64", choose=max)
    return found
