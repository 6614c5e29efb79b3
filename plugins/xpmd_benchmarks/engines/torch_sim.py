"""torch-sim: many systems in a batch, here one; pairs are searched anew in every step."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

NAME = "torch-sim"
INSTALL = "pip install torch-sim-atomistic, --peer-python torch-sim=PYTHON if it is elsewhere"


def missing() -> str | None:
    return None if importlib.util.find_spec("torch_sim") else "not installed"


def versions() -> dict[str, str]:
    return {
        "torch-sim": importlib.metadata.version("torch-sim-atomistic"),
        "its torch": importlib.metadata.version("torch"),
    }


def variants(threads: int) -> list[dict[str, Any]]:
    return [
        {
            "tasks": ["fluid"],
            "variant": "vesin lists",
            "precision": "float32",
            "options": {},
        }
    ]


def prepare(task: dict[str, Any]) -> Any:
    return Fluid(task)


class Fluid:
    """The fluid, run on from where the run before ended.

    Release 0.3.0, the last for Python 3.11, counts each pair twice in the forces, as the table of
    agreement shows; it costs the same.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        import torch
        import torch_sim
        from torch_sim.integrators.nve import nve
        from torch_sim.models.lennard_jones import LennardJonesModel

        torch.set_num_threads(task["threads"])
        precision = getattr(torch, task["precision"])
        coords = torch.as_tensor(task["coords"], dtype=precision)
        n_atoms = len(coords)
        state = torch_sim.SimState(
            positions=coords,
            masses=torch.ones(n_atoms, dtype=precision),
            cell=(torch.eye(3, dtype=precision) * float(task["side"]))[None],
            pbc=True,
            atomic_numbers=torch.full((n_atoms,), 18),
            system_idx=torch.zeros(n_atoms, dtype=torch.int64),
        )
        self._model = LennardJonesModel(dtype=precision, cutoff=task["cutoff"])
        begin, self._step = nve(
            self._model,
            dt=torch.tensor(task["dt"], dtype=precision),
            kT=torch.tensor(1.0, dtype=precision),
            seed=1,
        )
        self._state = begin(state)
        self._state.momenta = torch.as_tensor(task["velocities"], dtype=precision)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._state = self._step(self._state)

    def arrays(self) -> dict[str, Any]:
        n_atoms = len(self._state.positions)
        return {
            "energy": float(self._state.energy[0]) / n_atoms,
            "forces": self._state.forces.numpy(),
        }
