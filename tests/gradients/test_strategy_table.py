"""The table of docs/gradients.md, strategy by component, made from what happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpmd as md
from slow_on_jax import slow_on_jax
from xpmd_interactions import LennardJones
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

DOCUMENT = Path(__file__).parents[2] / "docs" / "gradients.md"
COMPONENTS = {
    "VelocityVerlet": VelocityVerlet(0.002),
    "Langevin": Langevin(0.002, 100.0, 1.0),
    "OBABO": OBABO(0.002, 100.0, 1.0),
    "VelocityVerlet, RescaleThermostat": VelocityVerlet(0.002, RescaleThermostat(100.0)),
    "VelocityVerlet, BerendsenThermostat": VelocityVerlet(0.002, BerendsenThermostat(100.0, 0.1)),
    "VelocityVerlet, AndersenThermostat": VelocityVerlet(0.002, AndersenThermostat(100.0, 0.01)),
}
START = np.array([[0.1, 0.1, 0.1], [0.45, 0.1, 0.1], [0.1, 0.5, 0.2]])


def loss(sigma: Any, array: Any, simulator: Any) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=1.0),
        coords=array(START),
        velocities=array(0.1 * START),
        boundary=md.CubicBoundary(2.0),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.9))],
    )
    observe = {"e": md.Observe(md.potential_energy, every=2)}
    return md.simulate(system, simulator, 4, observe=observe).average("e")


def cell(strategy: str, simulator: Any, array: Any) -> str:
    """Return what a strategy is worth with a simulator."""
    try:
        found = float(md.grad(loss, strategy)(array(0.34), array, simulator))
    except md.GradientError:
        return "-"
    wanted = float(md.grad(loss, "finite_difference")(0.34, np.asarray, simulator))
    if found == pytest.approx(wanted, rel=1e-6):
        return "exact"
    if md.plugins.get("gradient_strategy", strategy).__mro__[1] is md.EnsembleStrategy:
        return "averages"
    assert strategy == "adjoint"
    return "to order dt"


def table(array: Any) -> str:
    strategies = [
        "reverse", "checkpointed", "reversible", "forward", "finite_difference", "adjoint",
        "reweighting", "score",
    ]  # fmt: skip
    known = {entry.name for entry in md.plugins.list("gradient_strategy")}
    assert known == set(strategies), "a strategy is missing from the table"
    lines = ["| | " + " | ".join(f"`{name}`" for name in strategies) + " |"]
    lines.append("|---|" + "---|" * len(strategies))
    for name, simulator in COMPONENTS.items():
        cells = [cell(strategy, simulator, array) for strategy in strategies]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def written() -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.split("<!-- strategies -->")[1].split("<!-- /strategies -->")[0].strip()


@slow_on_jax
def test_the_table_says_what_happens(on: md.Backend, array: Any) -> None:
    assert written() == table(array)
