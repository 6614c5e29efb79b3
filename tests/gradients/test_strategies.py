"""Every strategy on every backend gives the same gradient of the same trajectory."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_gradients import Checkpointed, FiniteDifference, Forward, Reverse, Reversible
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

EXACT = {
    "reverse": Reverse(),
    "two levels": Checkpointed(),
    "binomial": Checkpointed(slots=3),
    "within a budget": Reverse(budget=20 * 3 * 64 * 3 * 8),
    "reversible": Reversible(),
    "anchors": Reversible(anchor_every=7),
    "forward": Forward(),
}
FINDERS = {
    "all pairs": lambda: None,
    "distance": lambda: DistanceNeighborFinder(cutoff=0.86),
    "cells": lambda: CellListNeighborFinder(cutoff=0.86),
}


def loss(
    params: dict[str, Any],
    array: Any,
    n_steps: int,
    finder: str = "all pairs",
    coupling: Any = None,
) -> Any:
    """Return a number that depends on the end, on records, and on every parameter."""
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=params["sigma"], epsilon=0.9),
        coords=array(coords),
        velocities=array(velocities),
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
        neighbor_finder=FINDERS[finder](),
    )
    if coupling is None:
        simulator: Any = Langevin(
            dt=params.get("dt", PARAMS["dt"]), temperature=params["temperature"], friction=1.0
        )
    else:
        simulator = VelocityVerlet(
            dt=params.get("dt", PARAMS["dt"]), coupling=coupling(params["temperature"])
        )
    run = md.simulate(
        system,
        simulator,
        n_steps,
        observe={"kinetic": md.Observe(md.kinetic_energy, every=10)},
        seed=3,
    )
    xp = system.backend.xp(run.coords, run.observations["kinetic"])
    ends = xp.sum(xp.sin(3.0 * run.coords)) + xp.sum(run.velocities[:, 0] * run.coords[:, 1])
    return ends + 0.01 * xp.mean(run.observations["kinetic"])


PARAMS = {"sigma": 0.34, "dt": 0.002, "temperature": 120.0}


def gradient(
    array: Any, strategy: Any, n_steps: int, fixed: tuple[str, ...] = (), **options: Any
) -> np.ndarray:
    """Return value and gradient as one array."""
    params = {name: array(value) for name, value in PARAMS.items() if name not in fixed}
    value, slopes = md.value_and_grad(loss, strategy)(params, array, n_steps, **options)
    return np.array([float(value), *(float(slopes[name]) for name in sorted(params))])


@functools.cache
def referee(n_steps: int, finder: str = "all pairs") -> np.ndarray:
    """Return value and gradient by reverse mode on NumPy."""
    return gradient(np.asarray, Reverse(), n_steps, finder=finder)


@pytest.mark.parametrize("name", EXACT)
def test_exact_strategies_agree_at_100_steps(on: md.Backend, array: Any, name: str) -> None:
    found = gradient(array, EXACT[name], 100)
    np.testing.assert_allclose(found, referee(100), rtol=1e-11)


@pytest.mark.parametrize("finder", ["distance", "cells"])
@pytest.mark.parametrize("name", ["reverse", "reversible", "forward"])
def test_neighbor_lists_change_nothing(on: md.Backend, array: Any, name: str, finder: str) -> None:
    found = gradient(array, EXACT[name], 30, finder=finder)
    np.testing.assert_allclose(found, referee(30), rtol=1e-11)


def test_finite_differences_agree_at_200_steps() -> None:
    exact = referee(200)
    found = gradient(np.asarray, FiniteDifference(order=2), 200)
    np.testing.assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.parametrize(
    "coupling",
    [
        lambda t: RescaleThermostat(temperature=t),
        lambda t: BerendsenThermostat(temperature=t, tau=0.1),
        lambda t: AndersenThermostat(temperature=t, tau=0.05),
        lambda t: (BerendsenThermostat(temperature=t, tau=0.1), AndersenThermostat(t, 0.1)),
    ],
    ids=["rescale", "berendsen", "andersen", "two"],
)
def test_gradients_pass_through_thermostats(on: md.Backend, array: Any, coupling: Any) -> None:
    """Against finite differences with common noise, by each way back and forward.

    Of second order: the others take wider steps, across which pairs enter the cutoff.
    """
    # Which atoms collide in a step depends on dt in jumps, and no derivative knows of these.
    random = not isinstance(coupling(1.0), RescaleThermostat | BerendsenThermostat)
    options = {"coupling": coupling, "fixed": ("dt",) if random else ()}
    wanted = gradient(np.asarray, FiniteDifference(order=2), 20, **options)
    for name in ("reverse", "reversible", "forward"):
        found = gradient(array, EXACT[name], 20, **options)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, err_msg=name)
