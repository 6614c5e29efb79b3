"""Time and memory of a run by the number of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, with_ratios
from xpmd_benchmarks.backends import chosen_dtypes, melting_backend
from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.fluid_states import CUTOFF, DT, FluidStates, cells_a_side
from xpmd_benchmarks.states_folder import states_folder

SKIN = 0.5
ROUNDS, SECONDS = 2, 0.5
#: Steps of a run at least: each builds a list to begin with, and then one in eight steps or so.
LEAST, QUICK_LEAST = 40, 20
QUICK_ROUNDS, QUICK_SECONDS = 1, 0.05


def measured_atoms(
    settings: BenchmarkSettings, backends: Sequence[str], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each backend, type and number of atoms.

    Raises:
        ValueError: a number of atoms does not fill a cube.
    """
    for size in sizes:
        cells_a_side(size)
    dtypes = chosen_dtypes(settings) if settings.dtypes else ["float32"]
    states = FluidStates(states_folder(), melting_backend(sizes), settings.threads, settings.tell)
    quick, rows = settings.quick, []
    least = QUICK_LEAST if quick else LEAST
    for backend, dtype in product(backends, dtypes):
        with ExitStack() as opened:
            entrants = []
            for size in sizes:
                state = _in_no_order(states.file(size))
                settings.tell(f"{size} atoms, {backend} {dtype}")
                entrant = _entrant(settings, backend, dtype, size, str(state), opened)
                # The slowest are measured just this once.
                entrant.take(least)
                entrants.append(entrant)
            in_turns(
                entrants,
                rounds=settings.rounds or (QUICK_ROUNDS if quick else ROUNDS),
                seconds=QUICK_SECONDS if quick else SECONDS,
                steps=None,
                least=least,
                tell=settings.tell,
                everyone=0,
            )
            rows += _rows(entrants)
    return rows


def _in_no_order(state: Path) -> Path:
    """Return a file with the same atoms in random order, as they are after long diffusion."""
    import numpy as np

    path = state.with_stem(f"{state.stem}_in_no_order")
    if not path.exists():
        with np.load(state) as stored:
            found = {name: stored[name] for name in stored.files}
        order = np.random.default_rng(1).permutation(len(found["coords"]))
        for name in ("coords", "velocities"):
            found[name] = found[name][order]
        np.savez(path, **found)
    return path


def _entrant(
    settings: BenchmarkSettings, backend: str, dtype: str, size: int, state: str, opened: ExitStack
) -> Entrant:
    variant = xpmd_fluid.variant(backend, dtype)
    engine, _, refusal = admitted((xpmd_fluid, variant, None), settings.threads, opened)
    assert engine is not None, refusal
    room = 0.99 * (size / 0.8) ** (1 / 3) / 2 - CUTOFF
    task = {
        "name": "fluid",
        "arrays": state,
        "cutoff": CUTOFF,
        "dt": DT,
        "skin": min((settings.skins or (SKIN,))[0], room),
        "precision": dtype,
        **variant["options"],
    }
    entrant = Entrant(engine, "it", {"atoms": size, "backend": backend, "precision": dtype})
    entrant.prepare(task, QUICK_LEAST if settings.quick else LEAST)
    return entrant


def _rows(entrants: Sequence[Entrant]) -> list[dict[str, Any]]:
    rows = []
    least = entrants[0]
    for entrant in entrants:
        row = dict(entrant.words)
        size = row["atoms"]
        if entrant.median is not None:
            row["ns an atom and step"] = 1e9 * entrant.median / size
            row["ms a step"] = 1e3 * entrant.median
        if entrant.processor_median is not None:
            row["CPU ns an atom and step"] = 1e9 * entrant.processor_median / size
        if entrant.peak_bytes is not None:
            row["peak MiB"] = entrant.peak_bytes / 2**20
            if entrant is not least and least.peak_bytes is not None:
                more = entrant.peak_bytes - least.peak_bytes
                row["KiB an atom"] = more / 2**10 / (size - least.words["atoms"])
        row["first call s"] = entrant.first
        row["remark"] = entrant.failure
        rows.append(row)
    return with_ratios(rows, "ns an atom and step")
