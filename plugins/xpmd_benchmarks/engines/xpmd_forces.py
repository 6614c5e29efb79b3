"""xpmd on NumPy: forces with their list given, or no more than the sums over its pairs."""

from __future__ import annotations

from typing import Any

from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.engines.xpmd_fluid import missing, versions

__all__ = ["missing", "prepare", "versions"]

#: Pairs that are summed at a time; their numbers fit a core's cache.
BLOCK = 32_768


def prepare(task: dict[str, Any]) -> Any:
    return Sums(task) if task["what"] == "bincounts" else Forces(task)


class Forces:
    """Forces of all atoms, again and again."""

    def __init__(self, task: dict[str, Any]) -> None:
        from xpmd.neighbor_upkeep import neighbors_of

        self._system = xpmd_fluid.fluid_system(task)
        self._neighbors, self._xp = neighbors_of(self._system)

    def run(self, times: int) -> None:
        from xpmd.force_field import total_forces

        system = self._system
        for _ in range(times):
            total_forces(system, system.coords, self._neighbors, xp=self._xp)


class Sums(Forces):
    """Three components of a force of each pair, added to both atoms by `bincount`."""

    def __init__(self, task: dict[str, Any]) -> None:
        import numpy as np

        super().__init__(task)
        neighbors, n_atoms = self._neighbors, self._system.n_atoms
        if neighbors.layout != "half":
            raise ValueError(f"the list's layout is {neighbors.layout!r}, not 'half'")
        first, second = (np.asarray(part, np.intp) for part in (neighbors.first, neighbors.second))
        self._blocks = [
            (first[start : start + BLOCK], second[start : start + BLOCK])
            for start in range(0, first.shape[0], BLOCK)
        ]
        self._weights = np.ones(BLOCK)
        self._n_atoms = n_atoms

    def run(self, times: int) -> None:
        import numpy as np

        for _ in range(times):
            totals = np.zeros((3, self._n_atoms))
            for first, second in self._blocks:
                weights = self._weights[: first.shape[0]]
                for total in totals:
                    total += np.bincount(first, weights, self._n_atoms)
                    total -= np.bincount(second, weights, self._n_atoms)
