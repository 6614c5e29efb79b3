"""The state of a run on disk, so that a run that fails or is stopped can go on."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from xpmd.concrete import require_whole
from xpmd.module import flatten, unflatten
from xpmd.reporter import Reporter
from xpmd.system import System

#: Version of the file's layout.
FORMAT = 1

#: Bytes an entry of the file may have beside its numbers.
_MOST_HEADER = 10_000


class Checkpoint(Reporter):
    """Write coordinates, velocities, box and step to an `.npz` file every so many steps.

    The file is written beside the old one and then takes its name, so it is never half written. When a
    simulation fails the last good state is written.

    Args:
        path: the file; its folder is made if need be.
        every: steps between writes.

    Raises:
        ValueError: the file cannot be written; found out before the first step.
    """

    def __init__(self, path: str | Path, every: int = 1000) -> None:
        require_whole("every", every, at_least=1)
        self.path, self.every = Path(path), every
        self._temporary = self.path.with_name(self.path.name + ".part")

    def start(self, n_steps: int, start_step: int) -> None:
        """Find out before any work is done whether the file can be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise IsADirectoryError("it is a folder")
            self._temporary.touch()
            self._temporary.unlink()
        except OSError as error:
            raise ValueError(f"`path` = {str(self.path)!r} cannot be written: {error}.") from error

    def report(self, step: int, system: System) -> None:
        """Write the state."""
        backend = system.backend
        box, _ = flatten(system.boundary)
        header = {"format": FORMAT, "step": step, "dtype": system.dtype, "box": len(box)}
        with self._temporary.open("wb") as file:
            np.savez(
                file,
                header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
                coords=backend.to_numpy(system.coords),
                velocities=backend.to_numpy(system.velocities),
                **{f"box_{k}": backend.to_numpy(leaf) for k, leaf in enumerate(box)},
            )
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self.path)

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
        ValueError: the file is no checkpoint or of another layout, or its atoms or box are not those of
            the System.
    """
    box, spec = flatten(system.boundary)
    wanted = {"coords": system.coords, "velocities": system.velocities}
    wanted.update({f"box_{k}": leaf for k, leaf in enumerate(box)})
    backend, device = system.backend, system.backend.device_of(system.coords)
    step, arrays = _read(path, system, len(box))
    placed = {}
    for name, like in wanted.items():
        if arrays[name].shape != tuple(like.shape):
            raise ValueError(
                f"{path} holds `{name}` of shape {arrays[name].shape}; the System has "
                f"{tuple(like.shape)}."
            )
        placed[name] = backend.asarray(arrays[name], dtype=system.dtype, device=device)
    restored = system.replace(
        coords=placed["coords"],
        velocities=placed["velocities"],
        boundary=unflatten(spec, [placed[f"box_{k}"] for k in range(len(box))]),
    )
    return restored, step


def _read(path: str | Path, system: System, n_box: int) -> tuple[int, dict[str, Any]]:
    """Return the step and the arrays of a file that may come from anywhere."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            # What an entry will take up is known before it is read.
            largest = max((entry.file_size for entry in stored.zip.infolist()), default=0)
            if largest > _MOST_HEADER + 8 * int(np.prod(system.coords.shape)):
                raise ValueError(f"it has an entry of {largest} bytes, for {system.n_atoms} atoms")
            header = json.loads(bytes(stored["header"]).decode())
            if header["format"] != FORMAT:
                raise ValueError(
                    f"it has format {header['format']}, and this version reads format {FORMAT}"
                )
            if header["box"] != n_box:
                raise ValueError(
                    f"it has a box of {header['box']} values, and {type(system.boundary).__name__} "
                    f"has {n_box}"
                )
            require_whole("step", header["step"], at_least=0)
            names = ("coords", "velocities", *(f"box_{k}" for k in range(n_box)))
            return int(header["step"]), {name: stored[name] for name in names}
    except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: {error}.") from error
