"""Value and gradient of a loss through a simulation, by each strategy on each backend."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from xpmd.benchmark import Benchmark, BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd.benchmark_text import cell
from xpmd_benchmarks import machine
from xpmd_benchmarks.backends import melting_backend
from xpmd_benchmarks.figures import BarFigure
from xpmd_benchmarks.fluid_states import FluidStates, cells_a_side
from xpmd_benchmarks.gas_state import gas_file
from xpmd_benchmarks.gradient_field import ALL_PAIRS, GradientField, programs_for
from xpmd_benchmarks.gradient_ratios import gradient_ratios
from xpmd_benchmarks.states_folder import states_folder
from xpmd_benchmarks.summaries import Summary

SIZES, STEPS = (50, 864), (100, 500)
QUICK_SIZES, QUICK_STEPS = (20, 256), (10,)
COLUMNS = (
    "atoms",
    "steps",
    "program",
    "variant",
    "precision",
    "strategy",
    "ms a step",
    "ratio",
    "run ms a step",
    "over the run",
    "MiB",
    "run MiB",
    "first call s",
    "gradient",
    "off by",
    "rounds",
    "remark",
)
NOTES = (
    "Mean squared displacement after the steps, and its derivative with respect to sigma; Lennard-Jones "
    "with a shifted force, cutoff 2.5, all pairs of a gas up to 200 atoms, else the fluid with lists.",
    "`ms a step` is value and gradient, `run` the same simulation in the same pieces alone; medians. "
    "`ratio` is to the quickest of these steps.",
    "`MiB`: memory in use at most while it runs, beyond that before.",
    "`off by`: relative to xpmd on NumPy, float64, `reverse`.",
)

SUMMARY_NOTES = (
    "In brackets: over the run alone. Small systems in float64, others in float32; PyTorch runs "
    "compiled. `MiB` is in use at most while it runs, beyond that before; `off by` is relative to "
    "NumPy, float64, `reverse`, where that is closest: a fluid forgets its start, and single precision "
    "loses it in some 500 steps.",
)


class Gradient(Benchmark):
    """d<(x(T) - x(0))^2>/d sigma at constant energy, density 0.16 or 0.8, temperature 1."""

    description: ClassVar[str] = "value and gradient through a simulation"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        sizes = settings.sizes or (QUICK_SIZES if settings.quick else SIZES)
        steps = settings.steps or (QUICK_STEPS if settings.quick else STEPS)
        for size in sizes:
            if size > ALL_PAIRS:
                cells_a_side(size)
        everyone = {size: programs_for(settings, size) for size in sizes}
        rows: list[dict[str, Any]] = []
        folder = states_folder()
        states = FluidStates(folder, melting_backend(sizes), settings.threads, settings.tell)
        for size, programs in everyone.items():
            small = size <= ALL_PAIRS
            state = gas_file(folder, size) if small else states.file(size)
            with ExitStack() as opened:
                field = GradientField(settings, programs, state, size, steps, opened)
                rows += field.measured()
                found["versions"] |= field.versions
        found["load at the end"] = machine.load()
        table = BenchmarkTable(self.description, COLUMNS, tuple(rows), NOTES)
        figure = BarFigure(
            "bench_gradient", "Value and gradient over the run alone", "over the run", _bars(rows)
        )
        ratios = gradient_ratios(rows)
        return BenchmarkReport("gradient", [table], [figure], [_summary(rows)], found, ratios)


def _summary(rows: list[dict[str, Any]]) -> BenchmarkTable:
    short = Summary("program", "variant", "strategy")
    most = max((row["atoms"] for row in rows), default=0)
    for row in rows:
        each = f"{row['atoms']} x {row.get('steps')}"
        time, over = row.get("ms a step"), row.get("over the run")
        both = None if time is None or over is None else f"{cell(time)} ({over:.1f}x)"
        short.put(row, f"{each}, ms", both)
    for row in rows:
        if row["atoms"] == most:
            short.put(row, f"{most} x {row.get('steps')}, MiB", row.get("MiB"))
            short.put(row, "off by", row.get("off by"))
    return short.table("atoms x steps: time a step of value and gradient", SUMMARY_NOTES)


def _bars(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return ratios of the most atoms and fewest steps by backend, by strategy."""
    known = [row for row in rows if row.get("over the run") is not None]
    chosen = max(known, key=lambda row: (row["atoms"], -row["steps"]), default={})
    groups: dict[str, dict[str, float]] = {}
    for row in known:
        if (row["atoms"], row["steps"]) == (chosen["atoms"], chosen["steps"]):
            label = f"{row['program']} {row['variant']}"
            groups.setdefault(row["strategy"], {})[label] = row["over the run"]
    return groups
