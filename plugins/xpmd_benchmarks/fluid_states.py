"""Melted Lennard-Jones fluids: density 0.8, temperature 1, in reduced units."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xpmd_benchmarks.remote import Engine

DENSITY, TEMPERATURE, CUTOFF, DT = 0.8, 1.0, 2.5, 0.005
#: Fluids up to this size are melted on NumPy, before others have compiled anything.
SMALL = 5000
#: Fluids up to this size are melted; larger ones are put together from eight of half the width.
MELTED_WHOLE = 5000
_ENGINE = Path(__file__).with_name("engines") / "xpmd_melt.py"


def cells_a_side(n_atoms: int) -> int:
    """Return how many face-centered cubic cells a side hold the atoms.

    Raises:
        ValueError: no cube of such cells does, or the box is too small for the cutoff.
    """
    cells = round(math.cbrt(n_atoms / 4))
    if 4 * cells**3 != n_atoms or cells < 3:
        near = sorted({max(3, cells + k) for k in (-1, 0, 1)})
        raise ValueError(
            f"`sizes`: {n_atoms} atoms do not fill a cube of face-centered cubic cells, at least 3 a "
            f"side. Possible are 4 k^3, such as {', '.join(str(4 * k**3) for k in near)}."
        )
    return cells


class FluidStates:
    """Makes fluids, each once.

    Args:
        folder: where to put them, or where they are.
        backend: the backend to melt large fluids with.
        threads: threads it gets.
        tell: takes a line on what is going on.
    """

    def __init__(
        self, folder: Path, backend: str, threads: int, tell: Callable[[str], None]
    ) -> None:
        self._folder, self._backend = folder, backend
        self._threads, self._tell = threads, tell

    def file(self, n_atoms: int) -> Path:
        """Return a file with `coords`, `velocities` `(n, 3)` and `side`."""
        import numpy as np

        path = self._folder / f"fluid_{n_atoms}.npz"
        if path.exists():
            return path
        cells = cells_a_side(n_atoms)
        side = (n_atoms / DENSITY) ** (1 / 3)
        half = n_atoms // 8
        if n_atoms > MELTED_WHOLE and cells % 2 == 0:
            with np.load(self.file(half)) as smaller:
                coords = _eightfold(smaller["coords"], side / 2)
            np.savez(path, coords=coords, velocities=thermal_velocities(n_atoms), side=side)
            return path
        self._tell(f"melting {n_atoms} atoms")
        crystal = self._folder / "crystal.npz"
        np.savez(
            crystal, coords=_crystal(cells, side), velocities=thermal_velocities(n_atoms), side=side
        )
        task = {
            "arrays": str(crystal),
            "backend": "numpy" if n_atoms <= SMALL else self._backend,
            "precision": "float32",
            "cutoff": CUTOFF,
            "skin": min(0.5, 0.99 * side / 2 - CUTOFF),
            "dt": DT,
        }
        with Engine(_ENGINE, self._threads) as engine:
            engine.ask("prepare", key="melt", task=task)
            for temperature in (2.0 * TEMPERATURE, TEMPERATURE):
                engine.ask("run", key="melt", times=temperature)
            engine.ask("save", key="melt", path=str(path))
        with np.load(path) as melted:
            found = {name: np.asarray(melted[name], np.float64) for name in melted.files}
        np.savez(path, coords=found["coords"], velocities=found["velocities"], side=side)
        return path


def crystalline_order(coords: Any, cells: int, side: float) -> float:
    """Return the part of the atoms that still stands on the crystal's planes: 1 to about n^-1/2."""
    import numpy as np

    waves = 2 * math.pi * cells / side * np.asarray([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]])
    return float(np.abs(np.exp(1j * coords @ waves.T).mean(axis=0)).max())


def _crystal(cells: int, side: float) -> Any:
    import numpy as np

    corners = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1)
    basis = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
    return ((corners.reshape(-1, 1, 3) + basis).reshape(-1, 3) + 0.25) * side / cells


def thermal_velocities(n_atoms: int) -> Any:
    """Return velocities of the temperature; the center of mass is at rest."""
    import numpy as np

    from xpmd.units import reduced
    from xpmd.velocities import random_velocities

    drawn = random_velocities(1.0, TEMPERATURE, n_atoms, seed=1, units=reduced)
    drawn = np.asarray(drawn) - np.mean(drawn, axis=0)
    found = float(np.sum(drawn**2)) / (3 * n_atoms - 3)
    return drawn * math.sqrt(TEMPERATURE / found)


def _eightfold(coords: Any, side: float) -> Any:
    """Return eight copies of a periodic box in a box of twice its width."""
    import numpy as np

    corners = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    return (coords + side * corners).reshape(-1, 3)
