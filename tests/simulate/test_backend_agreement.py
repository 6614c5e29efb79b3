"""One run, many array libraries and neighbor finders: the same trajectory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, TEMPERATURE, TIME, liquid
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

N_STEPS = 200
LIST_CUTOFF = 0.85

SIMULATORS: dict[str, Callable[[], md.Simulator]] = {
    "velocity_verlet": lambda: VelocityVerlet(dt=DT),
    "langevin": lambda: Langevin(dt=DT, temperature=TEMPERATURE, friction=1.0 / TIME),
    "obabo": lambda: OBABO(dt=DT, temperature=TEMPERATURE, friction=1.0 / TIME),
    "andersen": lambda: VelocityVerlet(
        dt=DT, coupling=AndersenThermostat(temperature=TEMPERATURE, tau=0.1 * TIME)
    ),
    "berendsen": lambda: VelocityVerlet(
        dt=DT, coupling=BerendsenThermostat(temperature=TEMPERATURE, tau=0.1 * TIME)
    ),
    "rescale": lambda: VelocityVerlet(dt=DT, coupling=RescaleThermostat(temperature=TEMPERATURE)),
}

FINDERS: dict[str, Callable[[], md.NeighborFinder | None]] = {
    "all_pairs": lambda: None,
    "distance": lambda: DistanceNeighborFinder(cutoff=LIST_CUTOFF),
    "cell_list": lambda: CellListNeighborFinder(cutoff=LIST_CUTOFF),
}


def run(on: md.Backend, simulator: str, finder: str) -> tuple[Any, Any]:
    """Return coordinates and velocities after 200 steps as NumPy arrays."""
    system = liquid(
        lambda value: on.asarray(np.asarray(value), dtype="float64"), finder=FINDERS[finder]()
    )
    end = md.simulate(system, SIMULATORS[simulator](), N_STEPS, seed=11)
    return on.to_numpy(end.coords), on.to_numpy(end.velocities)


@functools.cache
def reference(simulator: str) -> tuple[Any, Any]:
    """Return the run on NumPy with all pairs."""
    return run(md.backend("numpy"), simulator, "all_pairs")


def assert_agrees(on: md.Backend, simulator: str, finder: str) -> None:
    for found, wanted in zip(run(on, simulator, finder), reference(simulator), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-10)


# Compiling and checking every operation take their time.
OFTEN = [
    *((name, simulator) for name in ("numpy", "torch") for simulator in SIMULATORS),
    *(("jax", simulator) for simulator in ("velocity_verlet", "langevin", "andersen")),
    ("array_api_strict", "andersen"),
]
SELDOM = [
    (name, simulator)
    for name in ("jax", "array_api_strict")
    for simulator in SIMULATORS
    if (name, simulator) not in OFTEN
]


@pytest.mark.parametrize(
    ("name", "simulator"),
    [*OFTEN, *(pytest.param(*each, marks=pytest.mark.slow) for each in SELDOM)],
)
def test_simulators_agree_on_every_backend(name: str, simulator: str) -> None:
    pytest.importorskip(name)
    assert_agrees(md.backend(name), simulator, "distance")


def test_all_pairs_agree_on_every_backend(on: md.Backend) -> None:
    assert_agrees(on, "velocity_verlet", "all_pairs")


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_cell_lists_agree(name: str) -> None:
    pytest.importorskip(name)
    assert_agrees(md.backend(name), "velocity_verlet", "cell_list")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "array_api_strict"])
def test_cell_lists_agree_seldom(name: str) -> None:
    pytest.importorskip(name)
    for simulator in ("velocity_verlet", "langevin"):
        assert_agrees(md.backend(name), simulator, "cell_list")


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_atoms_move_and_lists_are_rebuilt(simulator: str) -> None:
    """What the agreement above is worth: atoms leave the skin of the first list many times over."""
    coords, _ = reference(simulator)
    start = liquid(np.asarray)
    moved = start.boundary.displacement(start.coords, coords)
    skin = LIST_CUTOFF - start.interactions[0].reach
    assert np.abs(moved).max() > 2.0 * skin


def test_simulators_differ() -> None:
    ends = [reference(name)[0] for name in SIMULATORS]
    for k, end in enumerate(ends):
        assert all(np.abs(end - other).max() > 1e-3 for other in ends[:k])
