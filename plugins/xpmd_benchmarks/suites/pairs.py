"""What pairs cost: a stranger's potential beside the shipped one, forces beside their sums alone."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from xpmd.benchmark import (
    Benchmark,
    BenchmarkRatio,
    BenchmarkReport,
    BenchmarkSettings,
    BenchmarkTable,
)
from xpmd_benchmarks import machine
from xpmd_benchmarks.admission import admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, scaled
from xpmd_benchmarks.backends import DOUBLE, chosen_backends, dtypes_on, melting_backend
from xpmd_benchmarks.engines import xpmd_fluid, xpmd_forces, xpmd_stranger
from xpmd_benchmarks.fluid_states import CUTOFF, DT, FluidStates, cells_a_side
from xpmd_benchmarks.molecule_training import examples_folder
from xpmd_benchmarks.ratios import Side, ratio
from xpmd_benchmarks.states_folder import states_folder
from xpmd_benchmarks.summaries import Summary

SIZES, QUICK_SIZES = (4000,), (256,)
SKIN = 0.5
ROUNDS, SECONDS = 3, 0.25
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.02
#: The shipped potential, the same as a stranger would write it, and a stranger's.
POTENTIALS = ("Lennard-Jones", "Lennard-Jones, energy alone", "Buckingham")
#: Forces on NumPy, and what is left of them without any arithmetic on the pairs.
FORCES = ("forces", "bincounts")
COLUMNS = (
    "atoms",
    "what",
    "backend",
    "precision",
    "ms",
    "best",
    "CPU ms",
    "first call s",
    "remark",
)
NOTES = (
    "Whole runs: the fluid with its lists, skin 0.5, a step. The shipped Lennard-Jones gives its force "
    "in closed form; the example's Buckingham, which has an exponential more, its energy alone. Forces: "
    "with their list given; `bincounts` only adds up as many numbers, three to both atoms of a pair.",
)


class Pairs(Benchmark):
    """A step of the fluid with either potential; forces on NumPy and their sums alone."""

    description: ClassVar[str] = "a stranger's potential, and sums over pairs"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        sizes = sorted(settings.sizes) or (QUICK_SIZES if settings.quick else SIZES)
        for size in sizes:
            cells_a_side(size)
        folder = examples_folder() / "plugin_buckingham"
        states = FluidStates(
            states_folder(), melting_backend(sizes), settings.threads, settings.tell
        )
        entrants: list[Entrant] = []
        with ExitStack() as opened:
            for size in sizes:
                task = {
                    "arrays": str(states.file(size)),
                    "cutoff": CUTOFF,
                    "dt": DT,
                    # In the smallest boxes a list must not reach beyond half of them.
                    "skin": min(SKIN, 0.99 * (size / 0.8) ** (1 / 3) / 2 - CUTOFF),
                    "folder": str(folder),
                }
                entrants += _entered(settings, size, task, opened)
            in_turns(
                entrants,
                rounds=settings.rounds or (QUICK_ROUNDS if settings.quick else ROUNDS),
                seconds=QUICK_SECONDS if settings.quick else SECONDS,
                steps=settings.steps[0] if settings.steps else None,
                tell=settings.tell,
            )
        rows = [_row(each) for each in entrants]
        found["load at the end"] = machine.load()
        table = BenchmarkTable(self.description, COLUMNS, tuple(rows), NOTES)
        return BenchmarkReport("pairs", [table], (), [_summary(rows)], found, _ratios(rows))


def _entered(
    settings: BenchmarkSettings, size: int, task: dict[str, Any], opened: ExitStack
) -> list[Entrant]:
    here = chosen_backends(settings)
    backends = [name for name in here if settings.backends or name in DOUBLE]
    cases: list[tuple[Any, str, str, dict[str, Any]]] = [
        (xpmd_stranger, backend, dtype, {name: {"potential": name} for name in POTENTIALS})
        for backend in backends
        for dtype in dtypes_on(settings, backend)
    ]
    if "numpy" in backends:
        cases += [
            (xpmd_forces, "numpy", dtype, {name: {"what": name} for name in FORCES})
            for dtype in dtypes_on(settings, "numpy")
        ]
    found = []
    for module, backend, dtype, ways in cases:
        variant = xpmd_fluid.variant(backend, dtype)
        engine, _, refusal = admitted((module, variant, None), settings.threads, opened)
        assert engine is not None, refusal
        for what, more in ways.items():
            words = {"atoms": size, "what": what, "backend": backend, "precision": dtype}
            settings.tell(" ".join(map(str, words.values())))
            entrant = Entrant(engine, what, words)
            entrant.prepare({**task, **variant["options"], "precision": dtype, **more})
            found.append(entrant)
    return found


def _row(entrant: Entrant) -> dict[str, Any]:
    row = dict(entrant.words)
    row |= scaled(
        ("ms", entrant.median, 1e3),
        ("best", entrant.best, 1e3),
        ("CPU ms", entrant.processor_median, 1e3),
        ("first call s", entrant.first, 1.0),
    )
    row["remark"] = entrant.failure
    return row


def _summary(rows: list[dict[str, Any]]) -> BenchmarkTable:
    short = Summary("what", "atoms")
    for row in rows:
        short.put(row, f"{row['backend']} {row['precision']}, ms", row["ms"])
    return short.table("a step with potentials, and sums over pairs", NOTES)


def _ratios(rows: list[dict[str, Any]]) -> list[BenchmarkRatio]:
    programs = [{name: row[name] for name in ("atoms", "backend", "precision")} for row in rows]
    places = {f"{p['backend']} {p['precision']}, {p['atoms']} atoms": p for p in programs}
    found: list[BenchmarkRatio] = []
    shipped, alone, stranger = POTENTIALS
    for one, other in ((stranger, shipped), (alone, shipped), FORCES):
        side, over = Side(one, {"what": one}), Side(other, {"what": other})
        found += ratio(rows, "ms", side, over, places)
    return found
