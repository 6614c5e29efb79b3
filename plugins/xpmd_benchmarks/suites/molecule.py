"""Small systems, where what is around a step counts: the examples, and fifty atoms."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.benchmark import (
    Benchmark,
    BenchmarkRatio,
    BenchmarkReport,
    BenchmarkSettings,
    BenchmarkTable,
)
from xpmd.benchmark_text import cell
from xpmd_benchmarks import machine
from xpmd_benchmarks.backends import chosen_backends
from xpmd_benchmarks.molecule_steps import stepped
from xpmd_benchmarks.molecule_training import examples_folder, trained
from xpmd_benchmarks.ratios import Side, standing
from xpmd_benchmarks.summaries import Summary

TRAINING_COLUMNS = (
    "example",
    "backend",
    "strategy",
    "epochs",
    "steps",
    "start",
    "first epoch s",
    "its CPU s",
    "training s",
    "CPU s",
    "loss at the end",
    "remark",
)
TRAINING_NOTES = (
    "From the start of the process to the end of the first epoch, and of the last; imports and "
    "compilation included. `first`: with empty caches; `again`: with what that start left in them, to "
    "the end of the first epoch.",
)
STEP_COLUMNS = (
    "case",
    "backend",
    "precision",
    "us a step",
    "best",
    "CPU us a step",
    "first call s",
    "remark",
)
STEP_NOTES = (
    "50 atoms of `lennard_jones_sigma` in runs of 500 steps: at constant energy with all pairs; with its "
    "thermostat and list; and with records of temperature and coordinates every ten steps as well.",
)


class Molecule(Benchmark):
    """Cold start, second start and whole training of the examples; a step of 50 atoms."""

    description: ClassVar[str] = "small systems: the examples, and a step of 50 atoms"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        examples_folder()
        backends = chosen_backends(settings)
        steps, trainings = stepped(settings, backends), trained(settings, backends)
        found["load at the end"] = machine.load()
        tables = [
            BenchmarkTable("a step of 50 atoms", STEP_COLUMNS, tuple(steps), STEP_NOTES),
            BenchmarkTable(
                "trainings of the examples", TRAINING_COLUMNS, tuple(trainings), TRAINING_NOTES
            ),
        ]
        ratios = _ratios(steps, trainings)
        return BenchmarkReport("molecule", tables, (), [_summary(trainings)], found, ratios)


def _ratios(steps: list[dict[str, Any]], trainings: list[dict[str, Any]]) -> list[BenchmarkRatio]:
    """Return a step of 50 atoms, and the first example's training from a cold and a second start."""
    found: list[BenchmarkRatio] = []
    backends = {row["backend"]: {"backend": row["backend"]} for row in steps}
    for case in dict.fromkeys(row["case"] for row in steps):
        side = Side(f"a step of 50 atoms, {case}", {"case": case})
        found += standing(steps, "us a step", side, backends, unit="us")
    first = {"example": "lennard_jones_sigma"}
    for start, column, what in (
        ("first", "training s", "whole training, first start"),
        ("again", "first epoch s", "first epoch, second start"),
    ):
        side = Side(f"{first['example']}, {what}", {**first, "start": start})
        found += standing(trainings, column, side, backends, unit="s")
    return found


def _summary(trainings: list[dict[str, Any]]) -> BenchmarkTable:
    short = Summary("example")
    for first, again in zip(trainings[::2], trainings[1::2], strict=True):
        times = first.get("first epoch s"), first.get("training s"), again.get("first epoch s")
        known = None if times[0] is None else " / ".join(cell(time) or "-" for time in times)
        short.put(first, f"{first['backend']}, s", known)
    return short.table("trainings: first epoch / all of it / first epoch again", TRAINING_NOTES)
