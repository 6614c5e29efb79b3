"""Trainings of the examples, from the start of a process, with empty caches and with full ones."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.engines import xpmd_example
from xpmd_benchmarks.remote import Engine, EngineError

QUICK_EPOCHS, QUICK_STEPS = 3, 10
#: A training that would take longer is left at its third epoch unless it is asked for, seconds.
LONGEST = 13.0


def examples_folder() -> Path:
    """Return where the examples are.

    Raises:
        ValueError: they are not here; says where from to run.
    """
    for folder in (Path(__file__).parents[2] / "examples", Path.cwd() / "examples"):
        if (folder / "lennard_jones_sigma.py").is_file():
            return folder
    raise ValueError(
        "The examples are not part of what is installed: run from a copy of the source, which has the "
        "folder `examples`."
    )


def trained(settings: BenchmarkSettings, backends: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each example, backend and start."""
    folder, rows = examples_folder(), []
    strategies = settings.strategies or ("",)
    for example, backend, strategy in product(xpmd_example.EXAMPLES, backends, strategies):
        epochs, n_steps = xpmd_example.EXAMPLES[example]
        if settings.quick:
            epochs, n_steps = QUICK_EPOCHS, QUICK_STEPS
        task = {
            "folder": str(folder),
            "example": example,
            "backend": backend,
            "strategy": strategy,
            "n_steps": n_steps,
        }
        # Nothing that other processes compiled may help, and of this one only what it keeps on disk.
        with tempfile.TemporaryDirectory(prefix="xpmd_bench_") as caches:
            for start in ("first", "again"):
                words = {
                    "example": example,
                    "backend": backend,
                    "strategy": strategy or "as it is",
                    "epochs": epochs,
                    "steps": n_steps,
                    "start": start,
                }
                settings.tell(f"{example} {backend} {strategy} {start}")
                all_of_it = start == "first"
                some = _taken(task, epochs if all_of_it else 1, settings, Path(caches))
                rows.append({**words, **some})
    return rows


def _taken(
    task: dict[str, Any], epochs: int, settings: BenchmarkSettings, caches: Path
) -> dict[str, Any]:
    """Return seconds from the start of a process to the end of the first epoch, and of all."""
    environment = {
        "XDG_CACHE_HOME": str(caches),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
        "TRITON_CACHE_DIR": str(caches / "triton"),
    }
    row: dict[str, Any] = {}
    began = time.perf_counter()
    file, threads = Path(xpmd_example.__file__), settings.threads
    try:
        with Engine(file, threads, environment=environment) as engine:
            engine.ask("prepare", key="it", task=task)
            answer = engine.ask("run", key="it", times=1)
            row["first epoch s"] = time.perf_counter() - began
            row["its CPU s"] = answer["processor_so_far"]
            if epochs == 1:
                return row
            # The second may compile what the first did not.
            each, answer = (engine.ask("run", key="it", times=1) for _ in range(2))
            if min(each["wall"], answer["wall"]) * epochs > LONGEST and not settings.backends:
                row["remark"] = (
                    f"left at the third epoch on {task['backend']}, where all of them would take over "
                    f"{LONGEST:g} s; --backend {task['backend']} takes them"
                )
                return row
            if epochs > 3:
                answer = engine.ask("run", key="it", times=epochs - 3)
            row["training s"] = time.perf_counter() - began
            row["CPU s"] = answer["processor_so_far"]
            row["loss at the end"] = answer["found"]["loss"]
    except EngineError as error:
        row["remark"] = str(error)
    return row
