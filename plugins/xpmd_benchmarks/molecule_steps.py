"""Time of a step of fifty atoms, forwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, scaled
from xpmd_benchmarks.backends import chosen_dtypes
from xpmd_benchmarks.engines import xpmd_atoms, xpmd_fluid

CASES = ("all pairs", "thermostat and list", "records")
#: Steps of a run, as in the example.
STEPS, QUICK_STEPS = 500, 20
ROUNDS, SECONDS = 4, 0.2


def stepped(settings: BenchmarkSettings, backends: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each case, backend and type."""
    quick = settings.quick
    least = settings.steps[0] if settings.steps else (QUICK_STEPS if quick else STEPS)
    dtypes = chosen_dtypes(settings) if settings.dtypes else ["float64"]
    entrants = []
    with ExitStack() as opened:
        for backend, dtype in product(backends, dtypes):
            variant = xpmd_fluid.variant(backend, dtype)
            engine, _, refusal = admitted((xpmd_atoms, variant, None), settings.threads, opened)
            assert engine is not None, refusal
            for case in CASES:
                words = {"case": case, "backend": backend, "precision": dtype}
                settings.tell(" ".join(words.values()))
                entrant = Entrant(engine, case, words)
                entrant.prepare({**variant["options"], "precision": dtype, "case": case}, least)
                entrants.append(entrant)
        in_turns(
            entrants,
            rounds=settings.rounds or (1 if quick else ROUNDS),
            seconds=0.01 if quick else SECONDS,
            steps=None,
            tell=settings.tell,
            least=least,
        )
    return [_row(each) for each in entrants]


def _row(entrant: Entrant) -> dict[str, Any]:
    row: dict[str, Any] = dict(entrant.words)
    row |= scaled(
        ("us a step", entrant.median, 1e6),
        ("best", entrant.best, 1e6),
        ("CPU us a step", entrant.processor_median, 1e6),
        ("first call s", entrant.first, 1.0),
    )
    row["remark"] = entrant.failure
    return row
