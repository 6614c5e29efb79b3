"""What is done again on JAX with other numbers compiles nothing, which takes longer than most of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_interactions import Coulomb, HarmonicBond, LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import VelocityVerlet

jax = pytest.importorskip("jax")

_heard: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _listening() -> None:
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **__: _heard.append(event)
    )


@pytest.fixture
def compilations() -> Iterator[Any]:
    def count() -> int:
        return sum("backend_compile" in event for event in _heard)

    return count


def _system(on: Any, scale: float, sigma: Any = 0.34) -> md.System:
    coords, velocities = start()
    n = len(coords)
    charge = np.where(np.arange(n) % 2, 0.1, -0.1)
    return md.System(
        atoms=md.Atoms(mass=40.0, charge=on.asarray(charge), sigma=sigma, epsilon=0.9),
        coords=on.asarray(coords * scale),
        velocities=on.asarray(velocities * scale),
        boundary=md.CubicBoundary(SIDE * scale),
        interactions=[
            LennardJones(cutoff=md.ShiftedForceCutoff(0.7)),
            Coulomb(cutoff=md.ShiftedPotentialCutoff(0.7)),
            HarmonicBond([[0, 1]], k=1000.0, r0=0.3),
        ],
        neighbor_finder=CellListNeighborFinder(cutoff=0.75, capacity=60),
    )


def _force_matching(sigma: Any) -> Any:
    found = md.forces(_system(md.backend("jax"), 1.0, sigma))
    return (found * found).sum()


DONE: dict[str, Any] = {
    "potential_energy": lambda on, scale: md.potential_energy(_system(on, scale)),
    "forces": lambda on, scale: md.forces(_system(on, scale)),
    "virial": lambda on, scale: md.virial(_system(on, scale)),
    "pressure": lambda on, scale: md.pressure(_system(on, scale)),
    "temperature": lambda on, scale: md.temperature(_system(on, scale)),
    "displacement": lambda on, scale: _system(on, scale).boundary.displacement(
        on.asarray(start()[0]), on.asarray(scale * start()[0])
    ),
    "simulate": lambda on, scale: md.simulate(
        _system(on, scale),
        VelocityVerlet(dt=0.002),
        6,
        observe={"t": md.Observe(md.temperature, every=2)},
    ).observations["t"],
    "gradient of forces": lambda on, scale: md.grad(_force_matching)(on.asarray(0.34 * scale)),
}


@pytest.mark.parametrize("on", ["jax"], indirect=True)
@pytest.mark.parametrize("what", DONE)
def test_nothing_is_compiled_twice(on: md.Backend, compilations: Any, what: str) -> None:
    for scale in (1.0, 1.001):
        np.asarray(DONE[what](on, scale))
    before = compilations()
    found = np.asarray(DONE[what](on, 1.002))
    assert compilations() == before
    assert np.all(np.isfinite(found))
