"""Everything is made where the coordinates are.

array-api-strict pretends to have several devices and refuses to mix their arrays, so that an array made
on the default device by mistake stops a run as it would on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, SIGMA, TEMPERATURE, liquid
from xpmd_interactions import HarmonicBond
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

strict = pytest.importorskip("array_api_strict")

Array = Any


def on_device(value: Any) -> Array:
    """Return an array on a device that is not the default one."""
    elsewhere = strict.Device("device1")
    assert strict.zeros(1).device != elsewhere
    return strict.asarray(np.asarray(value, dtype=float), device=elsewhere)


SIMULATORS = {
    "rescale": VelocityVerlet(DT, coupling=RescaleThermostat(temperature=TEMPERATURE)),
    "berendsen": VelocityVerlet(DT, coupling=BerendsenThermostat(TEMPERATURE, tau=0.1)),
    "andersen": VelocityVerlet(DT, coupling=AndersenThermostat(TEMPERATURE, tau=0.01)),
    "langevin": Langevin(DT, TEMPERATURE, friction=1.0),
}
FINDERS = {
    "none": lambda: None,
    "distance": lambda: DistanceNeighborFinder(cutoff=0.84, every=2),
    "cells": lambda: CellListNeighborFinder(cutoff=0.84),
}


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("simulator", ["rescale", "langevin"])
def test_a_run_stays_on_its_device(finder: str, simulator: str) -> None:
    check_run(FINDERS[finder](), SIMULATORS[simulator])


@pytest.mark.parametrize("simulator", ["berendsen", "andersen"])
def test_thermostats_stay_on_the_device(simulator: str) -> None:
    check_run(FINDERS["distance"](), SIMULATORS[simulator])


def check_run(finder: Any, simulator: Any) -> None:
    def run(make: Any) -> md.Result:
        system = liquid(make, cells=2, finder=finder)
        bond = HarmonicBond(atoms=[[0, 1], [2, 3]], k=1e3, r0=0.37)
        system = system.replace(interactions=[*system.interactions, bond])
        observe = {"rg": md.Observe(md.radius_of_gyration, every=2)}
        return md.simulate(system, simulator, 4, observe=observe, seed=3)

    expected, found = run(np.asarray), run(on_device)
    elsewhere = strict.Device("device1")
    for array in (found.coords, found.velocities, found.observations["rg"]):
        assert array.device == elsewhere
    to_numpy = md.backend("array_api_strict").to_numpy
    np.testing.assert_allclose(to_numpy(found.coords), expected.coords, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        to_numpy(found.observations["rg"]), expected.observations["rg"], rtol=1e-12
    )


def test_properties_and_gradients_stay_on_the_device() -> None:
    finder = DistanceNeighborFinder(cutoff=0.84, every=5)

    def gradient(make: Any) -> tuple[Any, Any]:
        def loss(sigma: Any) -> Any:
            system = liquid(make, cells=2, finder=finder)
            system = system.replace(atoms=md.Atoms(mass=39.948, sigma=sigma, epsilon=0.99774))
            end = md.simulate(system, VelocityVerlet(DT), 5)
            return md.potential_energy(end.system) + 1e-3 * md.pressure(end.system)[0, 0]

        return md.value_and_grad(loss)(make(SIGMA))

    to_numpy = md.backend("array_api_strict").to_numpy
    (value, slope), (value_there, slope_there) = gradient(np.asarray), gradient(on_device)
    assert slope_there.device == strict.Device("device1")
    np.testing.assert_allclose(to_numpy(value_there), value, rtol=1e-12)
    np.testing.assert_allclose(to_numpy(slope_there), slope, rtol=1e-10)


def test_many_cells_are_made_on_the_device() -> None:
    """A box of five cells and more along each side, where each pair of cells is looked at once."""
    cutoff, finder = md.ShiftedForceCutoff(0.4), CellListNeighborFinder(cutoff=0.42)
    expected = liquid(np.asarray, cells=4, cutoff=cutoff, finder=finder)
    found = liquid(on_device, cells=4, cutoff=cutoff, finder=finder)
    energy, forces = md.potential_energy(found), md.forces(found)
    assert energy.device == forces.device == strict.Device("device1")
    to_numpy = md.backend("array_api_strict").to_numpy
    np.testing.assert_allclose(to_numpy(energy), md.potential_energy(expected), rtol=1e-12)
    np.testing.assert_allclose(to_numpy(forces), md.forces(expected), rtol=0, atol=1e-9)


def test_two_devices_are_refused_by_name() -> None:
    with pytest.raises(md.BackendError, match=r"several devices.*CPU_DEVICE.*device1"):
        md.System(
            atoms=md.Atoms(mass=strict.ones(2, dtype=strict.float64)),
            coords=on_device([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0]]),
            boundary=md.CubicBoundary(3.0),
        )
