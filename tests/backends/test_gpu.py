"""Real GPUs: the same runs and gradients as on the CPU. `pytest -m gpu` on a machine that has one.

Whether there is one is found out by making an array on it, since libraries import without a driver.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, SIGMA, TEMPERATURE, liquid
from xpmd_interactions import HarmonicBond
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

pytestmark = pytest.mark.gpu

Make = Callable[..., Any]


class Place(NamedTuple):
    """Where arrays are made: a function from host arrays, and what its device must be called."""

    make: Make
    is_there: Callable[[Any], bool]


def on_cupy() -> Place:
    reason = md.plugins.get("backend", "cupy").availability()
    if reason is not None:
        raise RuntimeError(reason)
    import cupy

    return Place(
        lambda value, dtype="float64": cupy.asarray(np.asarray(value, dtype=dtype)),
        lambda array: isinstance(array, cupy.ndarray),
    )


def on_torch() -> Place:
    import torch

    torch.ones(1, device="cuda")

    def make(value: Any, dtype: str = "float64") -> Any:
        return torch.asarray(np.asarray(value, dtype=dtype), device="cuda")

    return Place(make, lambda array: array.device.type == "cuda")


def on_jax() -> Place:
    import jax

    device = jax.devices("gpu")[0]

    def make(value: Any, dtype: str = "float64") -> Any:
        return jax.device_put(np.asarray(value, dtype=dtype), device)

    make(0.0)
    return Place(make, lambda array: array.devices() == {device})


PLACES = {"cupy": on_cupy, "torch": on_torch, "jax": on_jax}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """The GPU as each library sees it; without one the reason is told, and nothing is proven."""
    name = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    try:
        return PLACES[name]()
    except Exception as error:
        pytest.skip(f"{name} cannot make an array on a GPU: {error}")


FINDERS = {
    "all pairs": lambda: None,
    "distance": lambda: DistanceNeighborFinder(cutoff=0.84, every=10),
    "cells": lambda: CellListNeighborFinder(cutoff=0.84),
}
SIMULATORS = {
    "rescale": VelocityVerlet(DT, coupling=RescaleThermostat(temperature=TEMPERATURE)),
    "berendsen": VelocityVerlet(DT, coupling=BerendsenThermostat(TEMPERATURE, tau=0.1)),
    "andersen": VelocityVerlet(DT, coupling=AndersenThermostat(TEMPERATURE, tau=0.05)),
    "langevin": Langevin(DT, TEMPERATURE, friction=1.0),
}


def run(make: Make, simulator: Any, finder: Any) -> md.Result:
    system = liquid(make, cells=3, finder=finder)
    observe = {"energy": md.Observe(md.potential_energy, every=10)}
    return md.simulate(system, simulator, 50, observe=observe, seed=11)


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_run_is_that_of_the_cpu(place: Place, simulator: str, finder: str) -> None:
    expected = run(np.asarray, SIMULATORS[simulator], FINDERS[finder]())
    found = run(place.make, SIMULATORS[simulator], FINDERS[finder]())
    host = found.system.backend.to_numpy
    for name in ("coords", "velocities"):
        assert place.is_there(getattr(found, name))
        np.testing.assert_allclose(
            host(getattr(found, name)), getattr(expected, name), rtol=0, atol=1e-10
        )
    assert place.is_there(found.observations["energy"])
    np.testing.assert_allclose(
        host(found.observations["energy"]), expected.observations["energy"], rtol=1e-10
    )


def gradient(make: Make, strategy: str) -> tuple[Any, dict[str, Any]]:
    def loss(params: dict[str, Any]) -> Any:
        system = liquid(make, cells=2, finder=FINDERS["distance"]())
        bond = HarmonicBond(atoms=[[0, 1], [2, 3]], k=params["k"], r0=0.37)
        system = system.replace(
            atoms=md.Atoms(mass=39.948, sigma=params["sigma"], epsilon=0.99774),
            interactions=[*system.interactions, bond],
        )
        end = md.simulate(system, SIMULATORS["berendsen"], 20)
        return md.potential_energy(end.system) + md.radius_of_gyration(end.system)

    return md.value_and_grad(loss, strategy)({"sigma": make(SIGMA), "k": make(1e3)})


@pytest.mark.parametrize("strategy", ["reverse", "reversible", "forward"])
def test_a_gradient_is_that_of_the_cpu(place: Place, strategy: str) -> None:
    value, slopes = gradient(np.asarray, strategy)
    value_there, slopes_there = gradient(place.make, strategy)
    np.testing.assert_allclose(float(value_there), float(value), rtol=1e-10)
    for name, slope in slopes.items():
        assert place.is_there(slopes_there[name])
        np.testing.assert_allclose(float(slopes_there[name]), float(slope), rtol=1e-8)


def test_single_precision_stays_there(place: Place) -> None:
    def single(value: Any) -> Any:
        return place.make(value, dtype="float32")

    found = run(single, SIMULATORS["rescale"], FINDERS["distance"]())
    assert place.is_there(found.coords)
    on = found.system.backend
    assert on.dtype_name(found.coords) == on.dtype_name(found.velocities) == "float32"
    expected = run(np.asarray, SIMULATORS["rescale"], FINDERS["distance"]())
    np.testing.assert_allclose(on.to_numpy(found.coords), expected.coords, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_by_row(place: Place, dtype: str) -> None:
    """Atomic additions in any order lose nothing."""
    rng = np.random.default_rng(3)
    rows, values = rng.integers(0, 50, 100_000), rng.standard_normal(100_000)
    on = md.backend_of(place.make(0.0))
    found = on.index_add(
        50,
        on.asarray(rows, dtype="int32", device=on.device_of(place.make(0.0))),
        place.make(values, dtype=dtype),
    )
    assert place.is_there(found)
    expected = np.bincount(rows, weights=values, minlength=50)
    tolerance = 1e-10 if dtype == "float64" else 1e-2
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=0, atol=tolerance)
