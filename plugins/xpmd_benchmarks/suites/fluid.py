"""A Lennard-Jones fluid at constant energy: time of a step, neighbor lists included."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from xpmd.benchmark import Benchmark, BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd_benchmarks import machine
from xpmd_benchmarks.agreement import agreement_rows
from xpmd_benchmarks.backends import melting_backend
from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.figures import LineFigure, Panel
from xpmd_benchmarks.fluid_field import Field, programs_for
from xpmd_benchmarks.fluid_ratios import agreement_ratios, time_ratios
from xpmd_benchmarks.fluid_states import FluidStates, cells_a_side
from xpmd_benchmarks.skin_search import Known
from xpmd_benchmarks.states_folder import states_folder
from xpmd_benchmarks.summaries import Summary

SIZES, QUICK_SIZES = (864, 4000, 16_384), (256,)
COLUMNS = (
    "atoms",
    "program",
    "variant",
    "precision",
    "skin",
    "ms a step",
    "best",
    "ratio",
    "CPU ms a step",
    "rounds",
    "first call s",
    "peak MiB",
    "remark",
)
NOTES = (
    "Medians over the rounds, in each of which every program ran once; `best` is the quickest round.",
    "`ratio` is to the quickest median of the size.",
    "A program with a skin is given once with its usual one, then with the best of several if that "
    "is another.",
    "`first call` is setting up and the first short run, compilation included; it is in no other column.",
)
AGREEMENT_COLUMNS = (
    "atoms",
    "program",
    "variant",
    "precision",
    "energy per atom",
    "energy off by",
    "forces off by",
    "remark",
)
AGREEMENT_NOTES = (
    "Compared with xpmd on NumPy in float64; forces: the largest difference over the largest force.",
)

SUMMARY_NOTES = (
    "Density 0.8, temperature 1, cutoff 2.5, steps of 0.005, with each program's best skin; PyTorch runs "
    "compiled (`md.compiled`); `forces off by`: the largest difference to xpmd on NumPy in float64, over "
    "the largest force.",
)


class Fluid(Benchmark):
    """Density 0.8, temperature 1, melted, cutoff 2.5, time step 0.005, constant energy."""

    description: ClassVar[str] = "a Lennard-Jones fluid at constant energy, neighbor lists included"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        rows: list[dict[str, Any]] = []
        checks: list[dict[str, Any]] = []
        sizes = sorted(settings.sizes) or (QUICK_SIZES if settings.quick else SIZES)
        for size in sizes:
            cells_a_side(size)
        programs = programs_for(settings)
        folder, threads = states_folder(), settings.threads
        known: dict[tuple[str, ...], Known] = {}
        states = FluidStates(folder, melting_backend(sizes), threads, settings.tell)
        for size in sizes:
            state = states.file(size)
            with ExitStack() as opened:
                field = Field(settings, programs, state, size, opened, known)
                rows += field.measured()
                if size == sizes[0]:
                    checks += agreement_rows(field.cases(), field.task, threads, folder)
                found["versions"] |= field.versions
        found["load at the end"] = machine.load()
        tables = [
            BenchmarkTable(self.description, COLUMNS, tuple(rows), NOTES),
            BenchmarkTable(
                "agreement on the first configuration",
                AGREEMENT_COLUMNS,
                tuple(checks),
                AGREEMENT_NOTES,
            ),
        ]
        figures = [LineFigure("bench_fluid", "Time of a step by number of atoms", [_panel(rows)])]
        ratios = time_ratios(rows, threads) + agreement_ratios(checks)
        return BenchmarkReport("fluid", tables, figures, [_summary(rows, checks)], found, ratios)


def _summary(rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> BenchmarkTable:
    short = Summary("program", "variant", "precision")
    for row in rows:
        short.put(row, f"{row['atoms']} atoms, ms", row.get("ms a step"))
    smallest = min((check["atoms"] for check in checks), default=0)
    for check in checks:
        if check["atoms"] == smallest:
            short.put(check, "forces off by", check.get("forces off by"))
    return short.table("time of a step", SUMMARY_NOTES)


def _panel(rows: list[dict[str, Any]]) -> Panel:
    best: dict[str, dict[float, float]] = {}
    for row in rows:
        ours = row["program"] == xpmd_fluid.NAME
        label = f"xpmd {row['variant']} {row['precision']}" if ours else row["program"]
        value = row.get("ms a step")
        if value is not None:
            points = best.setdefault(label, {})
            points[row["atoms"]] = min(value, points.get(row["atoms"], value))
    lines = {label: list(points.items()) for label, points in best.items()}
    return Panel("atoms", "ms a step", lines)
