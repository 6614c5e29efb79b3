"""How time and memory grow with the number of atoms, and those of gradients with that of steps."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.benchmark import Benchmark, BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd.benchmark_text import cell
from xpmd_benchmarks import machine
from xpmd_benchmarks.backends import chosen_backends, compiling_backends
from xpmd_benchmarks.figures import LineFigure, Panel
from xpmd_benchmarks.growth_atoms import measured_atoms
from xpmd_benchmarks.growth_ratios import growth_ratios
from xpmd_benchmarks.growth_steps import measured_steps
from xpmd_benchmarks.summaries import Summary

SIZES, SLOW_SIZES, QUICK_SIZES = (4000, 16_384, 131_072, 1_048_576), (864, 4000), (256, 500)
STEPS, SLOW_STEPS, QUICK_STEPS = (1000, 10_000, 100_000), (1000,), (10, 40)
ATOMS_COLUMNS = (
    "atoms",
    "backend",
    "precision",
    "ns an atom and step",
    "ratio",
    "CPU ns an atom and step",
    "ms a step",
    "peak MiB",
    "KiB an atom",
    "first call s",
    "remark",
)
ATOMS_NOTES = (
    "The fluid of the suite `fluid`, skin 0.5, lists included; atoms are in random order, as they are "
    "after long diffusion. `peak MiB` is all of the process, compilation and libraries included; `KiB an "
    "atom` is what it grew by from the smallest.",
)
STEPS_COLUMNS = (
    "steps",
    "backend",
    "precision",
    "strategy",
    "us a step",
    "run us a step",
    "MiB",
    "run MiB",
    "remark",
)
STEPS_NOTES = (
    "Value and gradient of the suite `gradient`, 50 atoms, all pairs; `MiB` is in use at most beyond "
    "what there was before; `reversible` keeps a state every 100 steps, and in whole numbers none. "
    "Cotangents are shortened to 1000 at each step: in so long a run of a chaotic system they would "
    "outgrow the numbers.",
)


class Growth(Benchmark):
    """Atoms from 4000 to a million; steps of a gradient from a thousand to a hundred thousand."""

    description: ClassVar[str] = "growth with atoms and with steps"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        compiling = compiling_backends()
        names = chosen_backends(settings) if settings.backends else (compiling[:1] or ["numpy"])
        slow = not set(names) & set(compiling)
        if settings.quick:
            usual: tuple[tuple[int, ...], tuple[int, ...]] = QUICK_SIZES, QUICK_STEPS
        else:
            usual = (SLOW_SIZES, SLOW_STEPS) if slow else (SIZES, STEPS)
        by_atoms = measured_atoms(settings, names, sorted(settings.sizes or usual[0]))
        by_steps = measured_steps(settings, names, sorted(settings.steps or usual[1]))
        found["load at the end"] = machine.load()
        tables = [
            BenchmarkTable("growth with atoms", ATOMS_COLUMNS, tuple(by_atoms), ATOMS_NOTES),
            BenchmarkTable(
                "growth of a gradient with steps", STEPS_COLUMNS, tuple(by_steps), STEPS_NOTES
            ),
        ]
        figure = LineFigure(
            "bench_growth", "Growth with atoms and with steps", _panels(by_atoms, by_steps)
        )
        ratios = growth_ratios(by_atoms, by_steps)
        return BenchmarkReport(
            "growth", tables, [figure], _summaries(by_atoms, by_steps), found, ratios
        )


def _summaries(
    by_atoms: list[dict[str, Any]], by_steps: list[dict[str, Any]]
) -> tuple[BenchmarkTable, BenchmarkTable]:
    of_atoms = Summary("backend", "precision")
    of_steps = Summary("backend", "precision", "strategy")
    for row in by_atoms:
        time, peak = row.get("ns an atom and step"), row.get("peak MiB")
        both = None if time is None or peak is None else f"{cell(time)} / {cell(peak)}"
        of_atoms.put(row, f"{row['atoms']} atoms", both)
    for row in by_steps:
        time, memory = row.get("us a step"), row.get("MiB")
        both = None if time is None or memory is None else f"{cell(time)} / {cell(memory)}"
        of_steps.put(row, f"{row['steps']} steps", both)
    return (
        of_atoms.table("growth with atoms: ns an atom and step / MiB of the process", ATOMS_NOTES),
        of_steps.table("growth of a gradient with steps: us a step / MiB", STEPS_NOTES),
    )


def _panels(by_atoms: list[dict[str, Any]], by_steps: list[dict[str, Any]]) -> list[Panel]:
    times: dict[str, list[tuple[float, float]]] = {}
    memory: dict[str, list[tuple[float, float]]] = {}
    for row in by_atoms:
        if row.get("ns an atom and step") is not None:
            label = f"xpmd {row['backend']} {row['precision']}"
            times.setdefault(label, []).append((row["atoms"], row["ns an atom and step"]))
    for row in by_steps:
        if row.get("MiB"):
            label = f"xpmd {row['backend']} {row['strategy']}"
            memory.setdefault(label, []).append((row["steps"], row["MiB"]))
    return [
        Panel("atoms", "ns an atom and step", times),
        Panel("steps", "MiB of a gradient, 50 atoms", memory),
    ]
