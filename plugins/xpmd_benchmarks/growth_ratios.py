"""How much more the largest systems and the longest gradients cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.benchmark import BenchmarkRatio
from xpmd_benchmarks.ratios import Side, ratio, standing

Rows = Sequence[dict[str, Any]]

#: What the largest system is compared with, the fluid's largest; another where it was not measured.
USUAL_ATOMS = 16_384


def growth_ratios(by_atoms: Rows, by_steps: Rows) -> list[BenchmarkRatio]:
    """Return ratios of time by atoms, and memory by atoms and by steps."""
    found: list[BenchmarkRatio] = []
    sizes = sorted({row["atoms"] for row in by_atoms})
    backends = {
        f"{row['backend']} {row['precision']}": {
            "backend": row["backend"],
            "precision": row["precision"],
        }
        for row in by_atoms
    }
    if len(sizes) > 1:
        few = USUAL_ATOMS if USUAL_ATOMS in sizes[:-1] else sizes[0]
        large = Side(f"time an atom and step, {sizes[-1]} atoms", {"atoms": sizes[-1]})
        small = Side(f"{few} atoms", {"atoms": few})
        found += ratio(by_atoms, "ns an atom and step", large, small, backends)
        side = Side(f"memory of the process, {sizes[-1]} atoms", {"atoms": sizes[-1]})
        found += standing(by_atoms, "peak MiB", side, backends, unit="MiB")
    steps = sorted({row["steps"] for row in by_steps})
    ways = {
        f"{row['backend']} {row['strategy']}": {
            "backend": row["backend"],
            "strategy": row["strategy"],
        }
        for row in by_steps
    }
    if len(steps) > 1:
        long = Side(f"memory of a gradient, {steps[-1]} steps", {"steps": steps[-1]})
        found += standing(by_steps, "MiB", long, ways, unit="MiB")
    return found
