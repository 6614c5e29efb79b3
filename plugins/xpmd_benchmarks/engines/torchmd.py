"""torchmd: all pairs in every step, those beyond the cutoff left out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

NAME = "torchmd"
INSTALL = "pip install torchmd scipy, --peer-python torchmd=PYTHON if it is elsewhere"


def missing() -> str | None:
    if importlib.util.find_spec("torchmd") is None:
        return "not installed"
    return None if importlib.util.find_spec("scipy") else "scipy, which it needs, is not installed"


def versions() -> dict[str, str]:
    return {
        "torchmd": importlib.metadata.version("torchmd"),
        "its torch": importlib.metadata.version("torch"),
    }


def variants(threads: int) -> list[dict[str, Any]]:
    return [
        {
            "tasks": ["fluid"],
            "variant": "all pairs",
            "precision": "float32",
            "options": {},
            # A step of 4000 atoms takes over a second.
            "most_atoms": 1000,
        }
    ]


def prepare(task: dict[str, Any]) -> Any:
    return Fluid(task)


class Fluid:
    """The fluid, run on from where the run before ended."""

    def __init__(self, task: dict[str, Any]) -> None:
        import numpy as np
        import torch
        from torchmd.forces import Forces
        from torchmd.integrator import TIMEFACTOR, Integrator
        from torchmd.systems import System

        torch.set_num_threads(task["threads"])
        precision = getattr(torch, task["precision"])
        n_atoms = len(task["coords"])
        system = System(n_atoms, 1, precision, "cpu")
        system.set_positions(task["coords"][:, :, None])
        system.set_velocities(torch.as_tensor(task["velocities"])[None])
        system.set_box(np.full((3, 1), float(task["side"])))
        system.set_masses(torch.ones(n_atoms))
        self._system = system
        self._forces = Forces(_parameters(n_atoms, precision), ["lj"], cutoff=task["cutoff"])
        self._energy = self._compute()
        # Its steps are given in femtoseconds and counted in units of its own.
        self._integrator = Integrator(system, self._forces, task["dt"] * TIMEFACTOR, "cpu")

    def _compute(self) -> float:
        system = self._system
        return float(self._forces.compute(system.pos, system.box, system.forces)[0])

    def run(self, steps: int) -> None:
        self._integrator.step(steps)

    def arrays(self) -> dict[str, Any]:
        energy = self._compute()
        return {"energy": energy / self._system.natoms, "forces": self._system.forces[0].numpy()}


def _parameters(n_atoms: int, precision: Any) -> Any:
    """Return parameters of equal atoms, which the package would read from files."""
    import torch
    from torchmd.parameters import Parameters

    parameters = Parameters.__new__(Parameters)
    for name in ("bond", "angle", "dihedral", "improper", "nonbonded_14"):
        setattr(parameters, f"{name}_params", None)
    parameters.natoms = n_atoms
    parameters.masses = torch.ones(n_atoms, 1)
    parameters.charges = torch.zeros(n_atoms)
    parameters.mapped_atom_types = torch.zeros(n_atoms, dtype=torch.int64)
    parameters.nonbonded_params = {
        "map": torch.zeros((n_atoms, 2), dtype=torch.int64),
        "params": torch.tensor([[1.0, 1.0]]),
    }
    parameters.precision_(precision)
    parameters.to_("cpu")
    return parameters
