"""Time and memory of a gradient by the number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import admitted
from xpmd_benchmarks.alternating import Entrant, scaled
from xpmd_benchmarks.backends import chosen_dtypes
from xpmd_benchmarks.engines import xpmd_gradient
from xpmd_benchmarks.fluid_states import CUTOFF, DT
from xpmd_benchmarks.gas_state import gas_file
from xpmd_benchmarks.states_folder import states_folder

ATOMS, QUICK_ATOMS = 50, 20
#: Strategies, and settings of theirs, by what they are called in a table.
STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    "reversible, whole numbers": ("reversible", {"fixed_point": True}),
    "reversible": ("reversible", {}),
    "reverse": ("reverse", {}),
}
#: Longest cotangent of a state.
CLIP_NORM = 1000.0


def measured_steps(
    settings: BenchmarkSettings, backends: Sequence[str], steps: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each backend, type, strategy and number of steps."""
    dtypes = chosen_dtypes(settings) if settings.dtypes else ["float64"]
    state = gas_file(states_folder(), QUICK_ATOMS if settings.quick else ATOMS)
    base = {
        "name": "gradient",
        "arrays": str(state),
        "cutoff": CUTOFF,
        "dt": DT,
        "skin": None,
    }
    rows = []
    for backend, dtype, label in product(backends, dtypes, settings.strategies or STRATEGIES):
        strategy, more = STRATEGIES.get(label, (label, {}))
        variant = xpmd_gradient.variant(backend, dtype, strategy)
        with ExitStack() as opened:
            engine, _, refusal = admitted((xpmd_gradient, variant, None), settings.threads, opened)
            assert engine is not None, refusal
            for n_steps in steps:
                words = {
                    "steps": n_steps,
                    "backend": backend,
                    "precision": dtype,
                    "strategy": label,
                }
                settings.tell(" ".join(map(str, words.values())))
                found = []
                for derivative in (False, True):
                    entrant = Entrant(engine, f"{n_steps} {derivative}", words)
                    found.append(entrant)
                    task = {**base, **variant["options"], "precision": dtype}
                    task["settings"] = {"clip_norm": CLIP_NORM, **more}
                    # The first number of steps compiles what serves all of them.
                    first = int(n_steps == steps[0])
                    entrant.prepare({**task, "n_steps": n_steps, "derivative": derivative}, first)
                    entrant.weigh(1)
                    entrant.drop()
                rows.append(_row(*found))
    return rows


def _row(alone: Entrant, whole: Entrant) -> dict[str, Any]:
    row = dict(whole.words)
    row |= scaled(
        ("us a step", whole.best, 1e6 / row["steps"]),
        ("run us a step", alone.best, 1e6 / row["steps"]),
        ("MiB", whole.memory, 2.0**-20),
        ("run MiB", alone.memory, 2.0**-20),
    )
    row["remark"] = whole.failure or alone.failure
    return row
