"""Whether programs compute the same energy and forces."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.remote import Engine, EngineError

#: What others are compared with: plain loops in double precision, compiled by nobody.
REFERENCE = xpmd_fluid.variant("numpy", "float64")


def agreement_rows(
    cases: Iterable[tuple[dict[str, Any], Engine, dict[str, Any]]],
    task: dict[str, Any],
    threads: int,
    folder: Path,
) -> list[dict[str, Any]]:
    """Return a row for each case: its energy per atom, and how far its forces are off.

    Args:
        cases: the words for a row, the program, and its task.
        task: that of the reference, but for the options of its variant.
        folder: where to put forces.
    """
    import numpy as np

    own = {**task, **REFERENCE["options"], "precision": REFERENCE["precision"], "skin": 0.3}
    with Engine(Path(xpmd_fluid.__file__), threads, environment=REFERENCE["environment"]) as engine:
        expected = _computed(engine, own, folder / "expected.npz")
    largest = np.abs(expected["forces"]).max()
    rows = []
    for words, engine, each in cases:
        row: dict[str, Any] = dict(words)
        try:
            found = _computed(engine, each, folder / "found.npz")
        except EngineError as error:
            rows.append({**row, "remark": str(error)})
            continue
        row["energy per atom"] = float(found["energy"])
        row["energy off by"] = abs(float(found["energy"] / expected["energy"]) - 1.0)
        difference = np.abs(found["forces"] - expected["forces"])
        row["forces off by"] = float(difference.max() / largest)
        rows.append(row)
    return rows


def _computed(engine: Engine, task: dict[str, Any], path: Path) -> dict[str, Any]:
    import numpy as np

    engine.ask("prepare", key="agreement", task=task)
    engine.ask("save", key="agreement", path=str(path))
    engine.ask("drop", key="agreement")
    with np.load(path) as stored:
        return {name: np.asarray(stored[name], np.float64) for name in stored.files}
