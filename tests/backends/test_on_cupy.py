"""CuPy in a session of its own, on a GPU or on the stand-in that machines without one use.

XPMD_TEST_BACKENDS=cupy pytest tests/backends
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, SIGMA, TEMPERATURE, liquid
from xpmd_interactions import HarmonicBond
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

FINDERS = {
    "distance": DistanceNeighborFinder(cutoff=0.84, every=10),
    "cells": CellListNeighborFinder(cutoff=0.84),
}
SIMULATORS = {
    "rescale": VelocityVerlet(DT, coupling=RescaleThermostat(temperature=TEMPERATURE)),
    "berendsen": VelocityVerlet(DT, coupling=BerendsenThermostat(TEMPERATURE, tau=0.1)),
    "andersen": VelocityVerlet(DT, coupling=AndersenThermostat(TEMPERATURE, tau=0.05)),
    "langevin": Langevin(DT, TEMPERATURE, friction=1.0),
}


def run(make: Any, simulator: Any, finder: Any, n_steps: int = 50) -> md.Result:
    system = liquid(make, cells=2, finder=finder)
    observe = {"energy": md.Observe(md.potential_energy, every=10)}
    return md.simulate(system, simulator, n_steps, observe=observe, seed=11)


@pytest.mark.parametrize(
    ("simulator", "finder"),
    [
        ("rescale", "distance"),
        ("langevin", "distance"),
        ("berendsen", "cells"),
        ("andersen", "cells"),
    ],
)
def test_a_run_is_that_of_numpy(simulator: str, finder: str) -> None:
    expected = run(np.asarray, SIMULATORS[simulator], FINDERS[finder])
    found = run(cupy.asarray, SIMULATORS[simulator], FINDERS[finder])
    moved = abs(expected.coords - run(np.asarray, SIMULATORS[simulator], FINDERS[finder], 0).coords)
    assert moved.max() > 1e-3
    for name in ("coords", "velocities"):
        array = getattr(found, name)
        assert isinstance(array, cupy.ndarray)
        np.testing.assert_allclose(array.get(), getattr(expected, name), rtol=0, atol=1e-12)
    energies = found.observations["energy"]
    assert isinstance(energies, cupy.ndarray)
    np.testing.assert_allclose(energies.get(), expected.observations["energy"], rtol=1e-12)


def gradient(make: Any, strategy: str) -> tuple[Any, Any]:
    def loss(params: dict[str, Any]) -> Any:
        system = liquid(make, cells=2, finder=FINDERS["distance"])
        bond = HarmonicBond(atoms=[[0, 1], [2, 3]], k=params["k"], r0=0.37)
        system = system.replace(
            atoms=md.Atoms(mass=39.948, sigma=params["sigma"], epsilon=0.99774),
            interactions=[*system.interactions, bond],
        )
        end = md.simulate(system, SIMULATORS["berendsen"], 20)
        return md.potential_energy(end.system) + md.radius_of_gyration(end.system)

    return md.value_and_grad(loss, strategy)({"sigma": make(SIGMA), "k": make(1e3)})


@pytest.mark.parametrize("strategy", ["reverse", "checkpointed", "reversible", "forward"])
def test_a_gradient_is_that_of_numpy(strategy: str) -> None:
    value, slopes = gradient(np.asarray, strategy)
    value_there, slopes_there = gradient(cupy.asarray, strategy)
    np.testing.assert_allclose(float(value_there), float(value), rtol=1e-12)
    for name, slope in slopes.items():
        assert isinstance(slopes_there[name], cupy.ndarray)
        np.testing.assert_allclose(float(slopes_there[name]), float(slope), rtol=1e-9)


def test_libraries_do_not_mix() -> None:
    with pytest.raises(md.BackendError, match=r"cupy.*numpy"):
        md.System(
            atoms=md.Atoms(mass=np.ones(2)),
            coords=cupy.ones((2, 3)),
            boundary=md.CubicBoundary(3.0),
        )


def test_a_number_of_the_host_beside_an_array() -> None:
    on = md.backend("cupy")
    made = on.asarray([cupy.asarray(1.0), 2.0, np.float64(3.0)])
    assert isinstance(made, cupy.ndarray)
    assert made.get().tolist() == [1.0, 2.0, 3.0]


def test_matrix_products_with_arrays_on_their_way() -> None:
    """The plain array stands on the left, so that CuPy is asked first."""
    on = md.backend("cupy")
    matrix = cupy.asarray(np.arange(6.0).reshape(2, 3))

    def loss(x: Any) -> tuple[Any, tuple[()]]:
        return on.xp(x).sum(matrix @ x), ()

    _, (slope,), _ = on.value_and_grad(loss, (cupy.ones(3),))
    np.testing.assert_array_equal(slope.get(), [3.0, 5.0, 7.0])


def test_numpy_functions_in_a_loss() -> None:
    """`np.sqrt` of an array that is being differentiated reaches CuPy."""
    on = md.backend("cupy")
    _, (slope,), _ = on.value_and_grad(
        lambda x: (np.sqrt(x).sum(), ()), (cupy.asarray([4.0, 16.0]),)
    )
    np.testing.assert_array_equal(slope.get(), [0.25, 0.125])


def test_sums_by_row_come_in_any_order() -> None:
    assert not md.backend("cupy").capabilities.deterministic_index_add


def test_a_run_on_another_device_is_put_there_as_a_whole() -> None:
    on = md.backend("cupy")
    if cupy.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("one device only")
    here = cupy.ones(2)
    two_atoms = cupy.asarray([[1.0, 1.0, 1.0], [1.5, 1.0, 1.0]])
    with pytest.raises(md.BackendError, match=r"device 1, and CuPy computes on device 0 now"):
        on.asarray([1.0], device=1)
    with pytest.raises(md.BackendError, match=r"on device 0, and device 1 was asked for.*asarray"):
        on.asarray(here, device=cupy.cuda.Device(1))
    with (
        cupy.cuda.Device(1),
        pytest.raises(
            md.BackendError, match=r"on device 0, and CuPy computes on device 1 now.*with"
        ),
    ):
        md.System(atoms=md.Atoms(), coords=two_atoms, boundary=md.CubicBoundary(3.0))
    simulator, finder = SIMULATORS["rescale"], FINDERS["distance"]
    expected = run(np.asarray, simulator, finder)
    with cupy.cuda.Device(1):
        found = run(cupy.asarray, simulator, finder)
        assert found.coords.device == cupy.cuda.Device(1)
        np.testing.assert_allclose(found.coords.get(), expected.coords, rtol=0, atol=1e-12)
    assert on.device_of(here) == cupy.cuda.Device(0)
