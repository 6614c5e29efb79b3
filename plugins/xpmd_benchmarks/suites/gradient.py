"""Value and gradient of a loss through a simulation, by each strategy on each backend."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from xpmd.benchmark import Benchmark, BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd_benchmarks import machine
from xpmd_benchmarks.backends import melting_backend
from xpmd_benchmarks.fluid_states import FluidStates, cells_a_side
from xpmd_benchmarks.gas_state import gas_file
from xpmd_benchmarks.gradient_field import ALL_PAIRS, GradientField, programs_for
from xpmd_benchmarks.states_folder import states_folder

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


class Gradient(Benchmark):
    """d<(x(T) - x(0))^2>/d sigma at constant energy, density 0.16 or 0.8, temperature 1."""

    description: ClassVar[str] = "value and gradient through a simulation"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting()
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
        return BenchmarkReport("gradient", [table], (), found)
