"""The state of a run on disk, so that a run that fails or is stopped can go on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from xpmd.module import flatten, unflatten
from xpmd.reporter import Reporter
from xpmd.system import System

#: Version of the file's layout.
FORMAT = 1


class Checkpoint(Reporter):
    """Write coordinates, velocities, box and step to an `.npz` file every so many steps.

    The file is written beside the old one and then takes its name, so it is never half written. When a
    simulation fails the last good state is written.

    Args:
        path: the file.
        every: steps between writes.
    """

    def __init__(self, path: str | Path, every: int = 1000) -> None:
        self.path = Path(path)
        if int(every) != every or every < 1:
            raise ValueError(f"`every` = {every} must be a whole number of at least 1.")
        self.every = every

    def start(self, n_steps: int, start_step: int) -> None:
        """Find out before any work is done whether the file can be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path.parent, os.W_OK):
            raise ValueError(f"`path` = {self.path}: the folder cannot be written to.")

    def report(self, step: int, system: System) -> None:
        """Write the state."""
        backend = system.backend
        box, _ = flatten(system.boundary)
        header = {"format": FORMAT, "step": step, "dtype": system.dtype, "box": len(box)}
        temporary = self.path.with_name(self.path.name + ".part")
        with temporary.open("wb") as file:
            np.savez(
                file,
                header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
                coords=backend.to_numpy(system.coords),
                velocities=backend.to_numpy(system.velocities),
                **{f"box_{k}": backend.to_numpy(leaf) for k, leaf in enumerate(box)},
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    def finish(self, step: int, system: System) -> None:
        """Write the end."""
        self.report(step, system)

    def failed(self, step: int, system: System) -> None:
        """Write the last good state."""
        self.report(step, system)


def load_checkpoint(path: str | Path, system: System) -> tuple[System, int]:
    """Return a System with the state of a checkpoint, and the step to go on from.

    Args:
        path: the file.
        system: the System the run was started with; interactions and parameters are taken from it.

    Raises:
        ValueError: the file is of another layout, or its atoms are not those of the System.
    """
    with np.load(path, allow_pickle=False) as stored:
        header: dict[str, Any] = json.loads(bytes(stored["header"]).decode())
        if header.get("format") != FORMAT:
            raise ValueError(
                f"{path} has format {header.get('format')}; this version reads format {FORMAT}."
            )
        coords, velocities = stored["coords"], stored["velocities"]
        box = [stored[f"box_{k}"] for k in range(header["box"])]
    if coords.shape != tuple(system.coords.shape):
        raise ValueError(
            f"{path} holds coordinates of shape {coords.shape}, the System {tuple(system.coords.shape)}."
        )
    backend, spec = system.backend, flatten(system.boundary)[1]

    def placed(values: Any) -> Any:
        device = backend.device_of(system.coords)
        return backend.asarray(values, dtype=system.dtype, device=device)

    restored = system.with_fields(
        coords=placed(coords),
        velocities=placed(velocities),
        boundary=unflatten(spec, [placed(leaf) for leaf in box]),
    )
    return restored, int(header["step"])
