"""Every shipped component as a row: an instance, and what its checks have to know.

A new component is a new row. `md.plugins.list` decides whether one is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import xpmd as md
import xpmd.testing
import xpmd_gradients as gradients
import xpmd_interactions as interactions
import xpmd_neighbors as neighbors
import xpmd_simulators as simulators
import xpmd_thermostats as thermostats
from xpmd_array_api_strict import components as strict_components

#: Checks that take long: a temperature needs thousands of steps, a module an interpreter of its own.
SLOW = ("temperature", "import_time")
#: Kinds whose runs take long on the strict backend, on which every operation is checked.
LONG_RUNS = ("simulator", "thermostat", "gradient_strategy")
#: On JAX, which takes long to compile, the default run makes these checks of these rows only.
JAX_ROWS, JAX_CHECKS = ("LennardJones-shifted-force",), ("agreement", "compilation")


@dataclass(frozen=True)
class Row:
    """A component, under the name it has in the registry.

    Attributes:
        kind, name: as registered.
        component: an instance; the name of a backend.
        settings: what the checks take.
        label: what tells it from other rows of the name.
        slow: whether it is left to the slow tests.
    """

    kind: str
    name: str
    component: Any
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    slow: bool = False

    @property
    def title(self) -> str:
        """The name, and what is special about the row."""
        return f"{self.name}-{self.label}" if self.label else self.name


RARE_GAS = md.Atoms(mass=40.0, sigma=0.34, epsilon=0.998)
IONS = md.Atoms(charge=[1.0, -1.0, 0.5, -0.5, 0.8, -0.8, 1.2, -1.2])
CUTOFFS = {
    "sharp": md.DistanceCutoff(0.9),
    "shifted-potential": md.ShiftedPotentialCutoff(0.9),
    "shifted-force": md.ShiftedForceCutoff(0.9),
    "spline": md.CubicSplineCutoff(0.7, 0.9),
    "polynomial": md.PolynomialCutoff(0.7, 0.9),
}
OPEN_PLANE = md.RectangularBoundary(math.inf, math.inf)
EXTERNAL = "it acts on atoms from outside, by where they are"

INTERACTIONS = [
    *(
        Row(
            "interaction",
            "LennardJones",
            interactions.LennardJones(cutoff=cutoff),
            {"atoms": RARE_GAS},
            label,
            slow=label not in ("sharp", "shifted-force"),
        )
        for label, cutoff in CUTOFFS.items()
    ),
    Row("interaction", "LennardJones", interactions.LennardJones(), {"atoms": RARE_GAS}, "bare"),
    Row("interaction", "Coulomb", interactions.Coulomb(), {"atoms": IONS}),
    Row(
        "interaction",
        "HarmonicBond",
        interactions.HarmonicBond(atoms=[[0, 1], [1, 2], [3, 2]], k=[300.0, 200.0, 500.0], r0=0.21),
    ),
    Row(
        "interaction",
        "HarmonicAngle",
        interactions.HarmonicAngle(atoms=[[0, 1, 2], [3, 2, 1]], k=80.0, theta0=[1.9, 2.1]),
    ),
    Row(
        "interaction",
        "PeriodicTorsion",
        interactions.PeriodicTorsion(
            atoms=[[0, 1, 2, 3], [1, 2, 3, 4]],
            periodicity=[[1.0, 2.0], [3.0, 1.0]],
            phase=[[0.3, 3.0], [0.1, 0.7]],
            k=[[4.0, 1.5], [2.0, 3.0]],
        ),
    ),
    Row(
        "interaction",
        "MullerBrown",
        interactions.MullerBrown(),
        {
            "coords": np.array([[-0.5, 1.4], [0.6, 0.1], [-0.1, 0.4], [-0.9, 0.7], [0.2, -0.2]]),
            "boundary": OPEN_PLANE,
            "length": 0.1,
            "exempt": dict.fromkeys(("third_law", "translation", "rotation"), EXTERNAL),
        },
    ),
]

SIMULATORS = [
    Row("simulator", "VelocityVerlet", simulators.VelocityVerlet(dt=0.004), {"order": 2}),
    Row(
        "simulator",
        "VelocityVerlet",
        simulators.VelocityVerlet(
            dt=0.004, coupling=thermostats.BerendsenThermostat(temperature=300.0, tau=0.05)
        ),
        {"order": 1},
        "coupled",
    ),
    Row("simulator", "Langevin", simulators.Langevin(dt=0.01, temperature=300.0, friction=10.0)),
    Row("simulator", "OBABO", simulators.OBABO(dt=0.01, temperature=300.0, friction=10.0)),
]

THERMOSTATS = [
    Row("thermostat", "RescaleThermostat", thermostats.RescaleThermostat(temperature=300.0)),
    Row(
        "thermostat",
        "BerendsenThermostat",
        thermostats.BerendsenThermostat(temperature=300.0, tau=0.05),
    ),
    Row(
        "thermostat",
        "AndersenThermostat",
        thermostats.AndersenThermostat(temperature=300.0, tau=0.05),
    ),
]

FINDERS = [
    Row("neighbor_finder", "AllPairs", neighbors.AllPairs()),
    *(
        Row(
            "neighbor_finder",
            "DistanceNeighborFinder",
            neighbors.DistanceNeighborFinder(cutoff=1.0, method=method),
            label=method or "best",
        )
        for method in (None, "numpy")
    ),
    Row("neighbor_finder", "CellListNeighborFinder", neighbors.CellListNeighborFinder(cutoff=1.0)),
]

AVERAGES = {"gradients": "it differentiates averages over an ensemble, not one run"}
STRATEGIES = [
    Row("gradient_strategy", "reverse", gradients.Reverse()),
    Row("gradient_strategy", "checkpointed", gradients.Checkpointed()),
    Row("gradient_strategy", "reversible", gradients.Reversible()),
    Row("gradient_strategy", "forward", gradients.Forward()),
    Row(
        "gradient_strategy",
        "adjoint",
        gradients.Adjoint(),
        {"exempt": {"gradients": "the derivative is that of the exact solution, which has no dt"}},
    ),
    Row("gradient_strategy", "reweighting", gradients.Reweighting(), {"exempt": AVERAGES}),
    Row("gradient_strategy", "score", gradients.Score(), {"exempt": AVERAGES}),
    Row("gradient_strategy", "finite_difference", gradients.FiniteDifference()),
]

BACKENDS = [
    Row("backend", name, name) for name in ("numpy", "torch", "jax", "cupy", "array_api_strict")
]

ROWS = [*INTERACTIONS, *SIMULATORS, *THERMOSTATS, *FINDERS, *STRATEGIES, *BACKENDS]


def cases(rows: list[Row], make: Any = xpmd.testing.checks) -> list[Any]:
    """Return the checks of some rows as parameters of a test; those that must fail are marked."""
    parameters = []
    with md.plugins.use(strict_components):
        for row in rows:
            for check in make(row.component, **row.settings):
                if not _compiles(check.name):
                    continue
                marks = _marks(row, check.name)
                if check.exemption is not None:
                    marks.append(pytest.mark.xfail(strict=True, reason=check.exemption))
                # `run` is the check itself, whatever it is exempt from.
                name = f"{row.title}-{check.name}"
                parameters.append(pytest.param(check.run, id=name, marks=marks))
    return parameters


def _compiles(name: str) -> bool:
    """Return whether a check of compiled code is on a backend that has some."""
    word, _, backend = name.partition("-")
    return word != "compilation" or backend in ("jax",)


def _marks(row: Row, name: str) -> list[Any]:
    word, _, backend = name.partition("-")
    on = row.name if row.kind == "backend" else backend
    if on == "cupy" and word != "availability":
        return [pytest.mark.gpu]
    if on == "jax":
        of_backend = row.kind == "backend" and word != "namespace"
        quick = of_backend or (row.title in JAX_ROWS and word in JAX_CHECKS)
    elif on == "array_api_strict" and row.kind in LONG_RUNS:
        quick = False
    else:
        quick = word not in SLOW and not row.slow
    return [] if quick else [pytest.mark.slow]
