"""xpmd on a gradient: of the mean squared displacement with respect to sigma, by one strategy."""

from __future__ import annotations

from typing import Any

from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.engines.xpmd_fluid import missing, versions

NAME, INSTALL = xpmd_fluid.NAME, xpmd_fluid.INSTALL

__all__ = ["INSTALL", "NAME", "missing", "prepare", "variant", "versions"]

#: Steps between the states that are kept when steps are undone in single precision.
ANCHORS_SINGLE = 50


def variant(backend: str, dtype: str, strategy: str) -> dict[str, Any]:
    """Return the way to differentiate on a backend."""
    way = xpmd_fluid.variant(backend, dtype)
    options = {**way["options"], "strategy": strategy}
    return {**way, "tasks": ["gradient"], "options": options, "strategy": strategy}


def prepare(task: dict[str, Any]) -> Any:
    return Gradient(task)


class Gradient:
    """The loss, or the loss and its derivative, of one start and a number of steps."""

    def __init__(self, task: dict[str, Any]) -> None:
        from xpmd import plugins
        from xpmd.backend import backend
        from xpmd.gradient import value_and_grad
        from xpmd.gradient_strategy import TrajectoryStrategy

        self._task, self._on = task, backend(task["backend"])
        self._on.check_dtype(task["precision"])
        self._simulator = plugins.create(
            "simulator", "VelocityVerlet", dt=task["dt"], remove_cm_motion=0
        )
        strategy = _strategy(task["strategy"], task["precision"], task.get("settings", {}))
        # The run alone is that of the strategy, too: it is cut into the same pieces.
        self._along = strategy if isinstance(strategy, TrajectoryStrategy) else None
        make = self._on.asarray
        self._start = make(task["coords"], dtype=task["precision"])
        self._velocities = make(task["velocities"], dtype=task["precision"])
        self._sigma = make(1.0, dtype=task["precision"])
        self._call = value_and_grad(self.loss, strategy) if task["derivative"] else self.loss

    def loss(self, sigma: Any) -> Any:
        from xpmd.simulate import simulate

        system = _system(self._task, self._start, self._velocities, sigma)
        steps = self._task["n_steps"]
        end = simulate(system, self._simulator, steps, gradient=self._along).coords
        xp = self._on.xp(end)
        moved = system.boundary.displacement(self._start, end)
        return xp.sum(moved * moved) / self._start.shape[0]

    def run(self, times: int) -> dict[str, float]:
        from xpmd.compiling import compiled

        found: tuple[Any, ...] = ()
        for _ in range(times):
            with compiled():
                result = self._call(self._sigma)
            found = result if self._task["derivative"] else (result,)
            found = tuple(float(self._on.to_numpy(part)) for part in found)
        return dict(zip(("value", "gradient"), found, strict=False))


def _strategy(name: str, precision: str, settings: dict[str, Any]) -> Any:
    from xpmd import plugins

    if name == "reversible" and precision == "float32":
        settings = {"anchor_every": ANCHORS_SINGLE, **settings}
    return plugins.create("gradient_strategy", name, **settings)


def _system(task: dict[str, Any], coords: Any, velocities: Any, sigma: Any) -> Any:
    from xpmd import plugins, units
    from xpmd.atoms import Atoms
    from xpmd.cutoffs import ShiftedForceCutoff
    from xpmd.orthorhombic_boundary import CubicBoundary
    from xpmd.system import System

    finder = None
    if task["skin"] is not None:
        name = xpmd_fluid.FINDERS.get(task["backend"], xpmd_fluid.FINDERS[""])
        make = plugins.get("neighbor_finder", name)
        finder = make(cutoff=task["cutoff"] + task["skin"])
    cutoff = ShiftedForceCutoff(task["cutoff"])
    return System(
        atoms=Atoms(mass=1.0, sigma=sigma, epsilon=1.0),
        coords=coords,
        velocities=velocities,
        boundary=CubicBoundary(float(task["side"])),
        interactions=[plugins.create("interaction", "LennardJones", cutoff=cutoff)],
        neighbor_finder=finder,
        units=units.reduced,
        dtype=task["precision"],
    )
