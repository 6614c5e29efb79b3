"""OpenMM on its platforms CPU and Reference."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

NAME = "OpenMM"
INSTALL = "pip install 'xpmd[openmm]'"


def missing() -> str | None:
    return None if importlib.util.find_spec("openmm") else "not installed"


def versions() -> dict[str, str]:
    return {"OpenMM": importlib.metadata.version("openmm")}


def variants(threads: int) -> list[dict[str, Any]]:
    return [
        {
            "tasks": ["fluid"],
            "variant": f"platform CPU, {threads} threads",
            "precision": "mixed",
            "options": {"platform": "CPU"},
        },
        {
            "tasks": ["fluid"],
            "variant": "platform Reference, 1 thread",
            "precision": "float64",
            "options": {"platform": "Reference"},
            "most_atoms": 4000,
        },
    ]


def prepare(task: dict[str, Any]) -> Any:
    return Fluid(task)


class Fluid:
    """The fluid with nm, kJ/mol and u for sigma, epsilon and m: tau is then 1 ps."""

    def __init__(self, task: dict[str, Any]) -> None:
        import openmm

        coords, side = task["coords"], float(task["side"])
        system, force = openmm.System(), openmm.NonbondedForce()
        force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
        force.setCutoffDistance(task["cutoff"])
        force.setUseDispersionCorrection(False)
        for _ in coords:
            system.addParticle(1.0)
            force.addParticle(0.0, 1.0, 1.0)
        box = [openmm.Vec3(*(side * (row == column) for column in range(3))) for row in range(3)]
        system.setDefaultPeriodicBoxVectors(*box)
        system.addForce(force)
        platform = openmm.Platform.getPlatformByName(task["platform"])
        threads = {"Threads": str(task["threads"])} if task["platform"] == "CPU" else {}
        self._integrator = openmm.VerletIntegrator(task["dt"])
        self._context = openmm.Context(system, self._integrator, platform, threads)
        self._context.setPositions(coords)
        self._context.setVelocities(task["velocities"])

    def run(self, steps: int) -> None:
        self._integrator.step(steps)
        # The CPU platform computes in its own time; its velocities are known once it is done.
        self._context.getState(getVelocities=True)

    def arrays(self) -> dict[str, Any]:
        from openmm import unit

        state = self._context.getState(getEnergy=True, getForces=True)
        energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        forces = state.getForces(asNumpy=True)
        return {
            "energy": energy / self._context.getSystem().getNumParticles(),
            "forces": forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer),
        }
