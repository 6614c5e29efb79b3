"""Runs in whole numbers: undone to the last bit, and with the gradient of the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import N_ATOMS, SIDE, start
from xpmd.lattice import LatticeState, scaled
from xpmd_gradients import Reversible
from xpmd_interactions import LennardJones
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_neighbors.distance import lists_exactly
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

EXACT = Reversible(fixed_point=True)


def loss(
    sigma: Any, array: Any, simulator: Any, n_steps: int, n_atoms: int = N_ATOMS, finder: Any = None
) -> Any:
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
        coords=array(coords[:n_atoms]),
        velocities=array(velocities[:n_atoms]),
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
        neighbor_finder=finder,
    )
    observe = {"k": md.Observe(md.kinetic_energy, every=10)}
    run = md.simulate(system, simulator, n_steps, observe=observe, seed=3)
    xp = system.backend.xp(run.coords)
    return xp.sum(xp.sin(3.0 * run.coords)) + 0.01 * xp.mean(run.observations["k"])


SIMULATORS = {
    "verlet": VelocityVerlet(dt=0.002),
    "langevin": Langevin(dt=0.002, temperature=120.0, friction=1.0, remove_cm_motion=0),
}


@pytest.mark.parametrize("name", SIMULATORS)
def test_gradient_is_that_of_the_steps(on: md.Backend, array: Any, name: str) -> None:
    """The trajectories differ by the lattice, and under friction by a factor rounded to 2^-30."""
    value, slope = md.value_and_grad(loss, EXACT)(array(0.34), array, SIMULATORS[name], 60)
    same, wanted = md.value_and_grad(loss, "reverse")(0.34, np.asarray, SIMULATORS[name], 60)
    assert EXACT.diagnostics["mismatch"] == 0.0
    apart = 1e-8 if name == "verlet" else 1e-7
    assert float(value) == pytest.approx(float(same), rel=apart)
    assert float(slope) == pytest.approx(float(wanted), rel=10 * apart)


def test_a_neighbor_list_changes_nothing() -> None:
    finder = DistanceNeighborFinder(cutoff=0.84)
    slope = md.grad(loss, EXACT)(0.34, np.asarray, SIMULATORS["verlet"], 20, finder=finder)
    same = md.grad(loss, EXACT)(0.34, np.asarray, SIMULATORS["verlet"], 20)
    assert float(slope) == pytest.approx(float(same), rel=1e-9)


def test_a_list_grows_by_what_was_needed_on_the_way(on: md.Backend, array: Any) -> None:
    """Two swarms fly through each other: in the middle an atom has twice the neighbors."""
    counts = []

    class Telling(DistanceNeighborFinder):
        def enlarge(self, plan: Any, neighbors: Any) -> Any:
            counts.append(int(neighbors.count))
            return super().enlarge(plan, neighbors)

    coords = np.random.default_rng(2).random((32, 3)) + np.repeat(
        [[0.5, 1, 1], [3.5, 1, 1]], 16, axis=0
    )
    velocities = np.repeat([[15.0, 0.0, 0.0], [-15.0, 0.0, 0.0]], 16, axis=0)

    def end(sigma: Any) -> Any:
        system = md.System(
            atoms=md.Atoms(mass=1000.0, sigma=sigma, epsilon=1e-9),
            coords=array(coords),
            velocities=array(velocities),
            boundary=md.CubicBoundary(8.0),
            interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(1.0))],
            neighbor_finder=Telling(cutoff=1.8),
        )
        run = md.simulate(system, VelocityVerlet(dt=0.002), 100)
        return system.backend.xp(run.coords).sum(run.coords)

    md.value_and_grad(end, EXACT)(array(0.01))
    needed = 31 if on.capabilities.pair_layout == "full" else 31 * 16
    assert counts == ([] if lists_exactly(on) else [needed])


@pytest.mark.parametrize(
    ("name", "n_steps"),
    [
        ("verlet", 300),
        ("langevin", 300),
        pytest.param("verlet", 10_000, marks=pytest.mark.slow),
        pytest.param("langevin", 2_000, marks=pytest.mark.slow),
    ],
)
def test_undone_to_the_last_bit(name: str, n_steps: int) -> None:
    """No mismatch is tolerated; with all pairs and eight atoms, for the time it takes."""
    md.grad(loss, EXACT)(0.34, np.asarray, SIMULATORS[name], n_steps, n_atoms=8)
    assert EXACT.diagnostics["mismatch"] == 0.0


def test_friction_keeps_what_it_loses(on: md.Backend, array: Any) -> None:
    rng = np.random.default_rng(1)
    whole = [array(rng.integers(-(10**9), 10**9, (5, 3)), dtype="int64") for _ in range(2)]
    state = LatticeState(whole[0], whole[1], array(np.zeros((5, 3)), dtype="int64"))
    xp = on.xp(whole[0])
    steps, n_steps = [state], 1000
    for _ in range(n_steps):
        steps.append(scaled(steps[-1], 249, 250, xp=xp))
    known = [on.to_numpy(each.velocities).astype(float) for each in steps[:2]]
    np.testing.assert_allclose(known[1], known[0] * 249 / 250, rtol=0, atol=250)
    bits = np.log2(on.to_numpy(steps[-1].buffers).astype(float) + 1.0).mean()
    assert bits == pytest.approx(n_steps * np.log2(250 / 249), abs=3.0)
    back = steps[-1]
    for _ in range(n_steps):
        back = scaled(back, 250, 249, xp=xp)
    for one, other in zip(back, state, strict=True):
        assert (on.to_numpy(one) == on.to_numpy(other)).all()


@pytest.mark.parametrize(
    ("simulator", "words"),
    [
        (Langevin(0.002, 120.0, 1.0), "center of mass"),
        (VelocityVerlet(0.002, coupling=BerendsenThermostat(120.0, 1.0)), "BerendsenThermostat"),
        (OBABO(0.002, 120.0, 1.0), "OBABO"),
    ],
)
def test_what_has_no_inverse_in_whole_numbers_is_refused(simulator: Any, words: str) -> None:
    with pytest.raises(md.GradientError, match=words):
        md.grad(loss, EXACT)(0.34, np.asarray, simulator, 10)
