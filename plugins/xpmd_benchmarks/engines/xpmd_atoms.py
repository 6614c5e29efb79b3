"""xpmd on the fifty atoms of the example `lennard_jones_sigma`, forwards."""

from __future__ import annotations

from typing import Any

from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.engines.xpmd_fluid import missing, versions

NAME, INSTALL = xpmd_fluid.NAME, xpmd_fluid.INSTALL

__all__ = ["INSTALL", "NAME", "missing", "prepare", "versions"]


def prepare(task: dict[str, Any]) -> Any:
    return Atoms(task)


class Atoms:
    """50 atoms, all pairs at constant energy; or with the example's thermostat, list, and records.

    Of the case "records" temperature and coordinates are recorded every tenth step.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        from xpmd import plugins
        from xpmd.atoms import Atoms as Parameters
        from xpmd.backend import backend
        from xpmd.cutoffs import DistanceCutoff
        from xpmd.observe import Observe
        from xpmd.orthorhombic_boundary import CubicBoundary
        from xpmd.placement import place_atoms
        from xpmd.properties import temperature
        from xpmd.system import System
        from xpmd.velocities import random_velocities

        on, boundary = backend(task["backend"]), CubicBoundary(3.0)
        like = on.asarray([0.0], dtype=task["precision"])
        coords = place_atoms(50, boundary, min_dist=0.6, seed=1, max_attempts=10_000, like=like)
        finder, coupling = None, ()
        if task["case"] != "all pairs":
            make = plugins.get("neighbor_finder", "DistanceNeighborFinder")
            finder = make(cutoff=1.8, every=10)
            coupling = plugins.create("thermostat", "RescaleThermostat", temperature=1.0)
        self._observe = {}
        if task["case"] == "records":
            self._observe = {
                "temperature": Observe(temperature, every=10),
                "coords": Observe(lambda system: system.coords, every=10),
            }
        lennard_jones = plugins.create("interaction", "LennardJones", cutoff=DistanceCutoff(1.5))
        self._system = System(
            atoms=Parameters(mass=10.0, sigma=0.445, epsilon=0.2),
            coords=coords,
            velocities=random_velocities(10.0, 1.0, 50, seed=1, like=like),
            boundary=boundary,
            interactions=[lennard_jones],
            neighbor_finder=finder,
        )
        self._simulator = plugins.create("simulator", "VelocityVerlet", dt=0.02, coupling=coupling)

    def run(self, steps: int) -> None:
        from xpmd.simulate import simulate

        found = simulate(self._system, self._simulator, steps, observe=self._observe)
        self._system = found.system
        for rows in (self._system.velocities, *found.observations.values()):
            self._system.backend.synchronize(rows)
