"""xpmd itself, on the fluid."""

from __future__ import annotations

from typing import Any

NAME = "xpmd"
INSTALL = "pip install xpmd"
#: The first stands for what a user would write without thinking; the package has no default.
SKINS = (0.3, 0.5)
#: Neighbor finders by backend; the other backends take the last.
FINDERS = {"numpy": "DistanceNeighborFinder", "": "CellListNeighborFinder"}


def missing() -> str | None:
    return None


def versions() -> dict[str, str]:
    from xpmd import __version__

    return {"xpmd": __version__}


def variants(threads: int) -> list[dict[str, Any]]:
    from xpmd import plugins

    return [
        variant(entry.name, dtype)
        for entry in plugins.list("backend")
        for dtype in ("float32", "float64")
    ]


def variant(backend: str, dtype: str) -> dict[str, Any]:
    """Return the way to run on a backend."""
    return {
        "tasks": ["fluid"],
        "variant": backend,
        "precision": dtype,
        "options": {"backend": backend},
        "skins": SKINS,
        # JAX makes arrays of 64 bits only where this was said before it was imported.
        "environment": {"JAX_ENABLE_X64": "1"} if dtype == "float64" else {},
    }


def prepare(task: dict[str, Any]) -> Any:
    return Fluid(task)


def fluid_system(task: dict[str, Any]) -> Any:
    """Return the System of a task."""
    from xpmd import plugins, units
    from xpmd.atoms import Atoms
    from xpmd.backend import backend
    from xpmd.cutoffs import DistanceCutoff
    from xpmd.orthorhombic_boundary import CubicBoundary
    from xpmd.system import System

    on, dtype = backend(task["backend"]), task["precision"]
    on.check_dtype(dtype)
    name = task.get("finder") or FINDERS.get(on.name, FINDERS[""])
    finder = plugins.get("neighbor_finder", name)
    cutoff = DistanceCutoff(task["cutoff"])
    return System(
        atoms=Atoms(mass=1.0, sigma=1.0, epsilon=1.0),
        coords=on.asarray(task["coords"], dtype=dtype),
        velocities=on.asarray(task["velocities"], dtype=dtype),
        boundary=CubicBoundary(float(task["side"])),
        interactions=[plugins.create("interaction", "LennardJones", cutoff=cutoff)],
        neighbor_finder=finder(cutoff=task["cutoff"] + task["skin"]),
        units=units.reduced,
        dtype=dtype,
    )


class Fluid:
    """The fluid, run on from where the run before ended."""

    def __init__(self, task: dict[str, Any]) -> None:
        from xpmd import plugins

        self._system = fluid_system(task)
        # Other programs leave the motion of the center of mass alone, which stays as it was.
        self._simulator = plugins.create(
            "simulator", "VelocityVerlet", dt=task["dt"], remove_cm_motion=0
        )

    def run(self, steps: int) -> None:
        from xpmd.compiling import compiled
        from xpmd.simulate import simulate

        with compiled():
            self._system = simulate(self._system, self._simulator, steps).system
        self._system.backend.synchronize(self._system.velocities)

    def arrays(self) -> dict[str, Any]:
        """Return energy and forces, and where the atoms are and how they move."""
        from xpmd.properties import forces, potential_energy

        on = self._system.backend
        parts = {
            "energy": potential_energy(self._system) / self._system.n_atoms,
            "forces": forces(self._system),
            "coords": self._system.coords,
            "velocities": self._system.velocities,
        }
        return {name: on.to_numpy(part) for name, part in parts.items()}
