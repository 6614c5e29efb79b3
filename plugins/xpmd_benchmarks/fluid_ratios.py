"""What the times of the fluid come to beside each other, and how far programs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.benchmark import BenchmarkRatio
from xpmd_benchmarks.engines import jax_md, lammps, openmm, torch_sim, torchmd, xpmd_fluid
from xpmd_benchmarks.ratios import Side, ratio, values_of

Rows = Sequence[dict[str, Any]]


def ours(backend: str, dtype: str) -> Side:
    """Return xpmd on a backend."""
    words = {"program": xpmd_fluid.NAME, "variant": backend, "precision": dtype}
    return Side(f"{xpmd_fluid.NAME} {backend} {dtype}", words)


def peer(module: Any, threads: int, **options: str) -> Side:
    """Return the variant of another program that has certain options."""
    (found,) = [
        each
        for each in module.variants(threads)
        if "fluid" in each["tasks"] and options.items() <= each["options"].items()
    ]
    words = {"program": module.NAME, "variant": found["variant"], "precision": found["precision"]}
    return Side(" ".join(words.values()), words)


def time_ratios(rows: Rows, threads: int) -> list[BenchmarkRatio]:
    """Return ratios of medians, each program with its best skin."""
    sizes = {f"{n} atoms": {"atoms": n} for n in sorted({row["atoms"] for row in rows})}
    single, double = ours("jax", "float32"), ours("jax", "float64")
    torch, numpy = ours("torch", "float32"), ours("numpy", "float64")
    openmp = peer(lammps, threads, package="omp")
    simulated, listed = peer(torch_sim, threads), peer(torchmd, threads)
    pairs = (
        (openmp, single),
        (peer(openmm, threads, platform="CPU"), single),
        (double, openmp),
        (peer(jax_md, threads), single),
        (simulated, single),
        (torch, single),
        (simulated, torch),
        (listed, torch),
        (peer(openmm, threads, platform="Reference"), numpy),
    )
    found: list[BenchmarkRatio] = []
    for figure, over in pairs:
        found += ratio(rows, "ms a step", figure, over, sizes)
    return found


def agreement_ratios(checks: Rows) -> list[BenchmarkRatio]:
    """Return how far compiled backends are from NumPy, at the size where that is furthest."""
    found: list[BenchmarkRatio] = []
    for backend, dtype in (("jax", "float64"), ("jax", "float32"), ("torch", "float32")):
        side, values = ours(backend, dtype), dict[str, float]()
        for what in ("energy", "forces"):
            off = values_of(checks, f"{what} off by", side.words)
            values |= {what: max(off)} if off else {}
        if values:
            reference = ours("numpy", "float64").label
            found.append(BenchmarkRatio(f"difference of {side.label}", reference, values))
    return found
