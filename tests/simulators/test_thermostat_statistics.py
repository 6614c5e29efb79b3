"""Thermostats and Langevin dynamics against statistical mechanics: temperatures, distributions, laws.

A statistic is held to four standard errors, a distribution to p > 1e-3, with fixed seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.harmonic_bond import HarmonicBond
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

KB = md.units.molar.boltzmann
OPEN = md.CubicBoundary(float("inf"))
SIGMAS = 4.0


def numpy_system(coords: Any, velocities: Any, mass: Any, *interactions: Any) -> md.System:
    return md.System(md.Atoms(mass=mass), coords, OPEN, velocities, interactions)


# -- closed forms of the middle scheme ------------------------------------------------------------


@pytest.mark.parametrize("stride", [0.1, 1.0, 1.8])
def test_harmonic_oscillators_at_any_time_step(stride: float) -> None:
    """The variances are k_B T/k and k_B T/mu at every stable time step, omega dt < 2.

    A step ends with a whole kick ahead, so position and velocity are correlated by k_B T dt/(2 mu).
    """
    n_pairs, temperature, k = 1000, 300.0, 500.0
    mass = np.tile([12.0, 4.0], n_pairs)
    mu = 12.0 * 4.0 / 16.0
    omega = math.sqrt(k / mu)
    dt = stride / omega
    rows = np.arange(2 * n_pairs).reshape(-1, 2)
    rng = np.random.default_rng(5)
    start = numpy_system(
        rng.normal(0.0, 0.05, (2 * n_pairs, 3)),
        md.random_velocities(mass, temperature, seed=5),
        mass,
        HarmonicBond(rows.tolist(), k, 0.0),
    )
    # Motion and noise are forgotten in about 1/friction; records are 6/friction apart.
    apart = math.ceil(6.0 / stride)
    found = md.simulate(
        start,
        Langevin(dt=dt, temperature=temperature, friction=omega, remove_cm_motion=0),
        11 * apart,
        observe={
            "x": md.Observe(lambda s: s.coords[1::2, :] - s.coords[::2, :], every=apart),
            "v": md.Observe(lambda s: s.velocities[1::2, :] - s.velocities[::2, :], every=apart),
        },
        seed=11,
    ).observations
    x, v = found["x"][2:].ravel(), found["v"][2:].ravel()
    error = math.sqrt(2.0 / x.size)
    assert np.mean(x * x) * k / (KB * temperature) == pytest.approx(1.0, abs=SIGMAS * error)
    assert np.mean(v * v) * mu / (KB * temperature) == pytest.approx(1.0, abs=SIGMAS * error)
    correlation = np.mean(x * v) * math.sqrt(k * mu) / (KB * temperature)
    assert correlation == pytest.approx(stride / 2, abs=SIGMAS * error)


def test_free_diffusion() -> None:
    """<x^2> = 2 D (t - (1 - exp(-friction t))/friction) along each axis, D = k_B T/(friction m)."""
    n_atoms, temperature, friction, dt, n_steps = 4000, 300.0, 2.0, 0.02, 500
    mass = np.tile([2.0, 18.0], n_atoms // 2)
    start = numpy_system(
        np.zeros((n_atoms, 3)), md.random_velocities(mass, temperature, seed=2), mass
    )
    simulator = Langevin(dt=dt, temperature=temperature, friction=friction, remove_cm_motion=0)
    end = md.simulate(start, simulator, n_steps, seed=3).coords
    t = n_steps * dt
    ballistic = (1.0 - math.exp(-friction * t)) / friction
    for kind in (0, 1):
        diffusion = KB * temperature / (friction * mass[kind])
        for axis in range(3):
            squares = end[kind::2, axis] ** 2 / (2.0 * diffusion * (t - ballistic))
            error = math.sqrt(2.0 / squares.size)
            assert np.mean(squares) == pytest.approx(1.0, abs=SIGMAS * error)


def test_andersen_velocities_of_free_atoms() -> None:
    """Each velocity is fresh with probability 1 - exp(-t/tau), and the rest are as they were."""
    n_atoms, temperature, tau, dt, n_steps = 5000, 100.0, 0.5, 0.05, 10
    velocities = np.full((n_atoms, 3), 50.0)  # none this fast can be drawn
    start = numpy_system(np.zeros((n_atoms, 3)), velocities, 10.0)
    thermostat = AndersenThermostat(temperature=temperature, tau=tau)
    simulator = VelocityVerlet(dt=dt, coupling=thermostat, remove_cm_motion=0)
    end = md.simulate(start, simulator, n_steps, seed=4).velocities
    old = (end == 50.0).all(axis=1)
    share = (1.0 - dt / tau) ** n_steps
    error = math.sqrt(share * (1.0 - share) / n_atoms)
    assert old.mean() == pytest.approx(share, abs=SIGMAS * error)
    fresh = end[~old].ravel() / math.sqrt(KB * temperature / 10.0)
    assert fresh.mean() == pytest.approx(0.0, abs=SIGMAS / math.sqrt(fresh.size))
    assert fresh.var() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2.0 / fresh.size))


@pytest.mark.parametrize(
    "simulator",
    [
        VelocityVerlet(dt=0.01),
        VelocityVerlet(dt=0.01, coupling=BerendsenThermostat(300.0, tau=0.1)),
        Langevin(dt=0.01, temperature=300.0, friction=5.0),
    ],
    ids=["velocity_verlet", "berendsen", "langevin"],
)
def test_center_of_mass_is_kept_at_rest(simulator: md.Simulator) -> None:
    """sum m v = 0 after every step, and nothing else is changed by that: v_i - v_j stays."""
    mass = np.tile([2.0, 18.0], 20)
    start = numpy_system(np.zeros((40, 3)), md.random_velocities(mass, 300.0, seed=7), mass)
    assert np.abs(mass @ start.velocities).max() > 1.0
    end = md.simulate(start, simulator, 5, seed=8).velocities
    assert np.abs(mass @ end).max() < 1e-12 * np.abs(mass[:, None] * end).sum()
    free = md.simulate(start, VelocityVerlet(dt=0.01), 5).velocities
    relative = start.velocities - start.velocities[0]
    np.testing.assert_allclose(free - free[0], relative, rtol=0, atol=1e-13)


@pytest.mark.parametrize("start_temperature", [20.0, 400.0])
def test_berendsen_relaxes_exponentially(start_temperature: float) -> None:
    """T - T0 shrinks by 1 - dt/tau in each step of free atoms."""
    velocities = md.random_velocities(10.0, start_temperature, 50, seed=6)
    start = numpy_system(np.zeros((50, 3)), velocities - velocities.mean(axis=0), 10.0)
    simulator = VelocityVerlet(dt=0.05, coupling=BerendsenThermostat(100.0, tau=0.4))
    observe = {"T": md.Observe(md.temperature)}
    found = md.simulate(start, simulator, 30, observe=observe).observations["T"]
    expected = 100.0 + (found[0] - 100.0) * (1.0 - 0.05 / 0.4) ** np.arange(31)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# -- a Lennard-Jones fluid ------------------------------------------------------------------------

N_ATOMS, TEMPERATURE, DT, EVERY = 64, 30.0, 0.005, 25
N_DOF = 3 * N_ATOMS - 3


def fluid(on: md.Backend) -> md.System:
    """Return 64 atoms of two masses at T* = 1.25, density 0.216, on a lattice slightly disturbed."""
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    mass = np.tile([5.0, 20.0], N_ATOMS // 2)
    coords = 0.5 * grid + rng.normal(0.0, 0.02, (N_ATOMS, 3))
    velocities = md.random_velocities(mass, TEMPERATURE, seed=1)
    return md.System(
        md.Atoms(mass=mass.tolist(), sigma=0.3, epsilon=0.2),
        on.asarray(coords, dtype="float64"),
        md.CubicBoundary(2.0),
        on.asarray(velocities, dtype="float64"),
        [LennardJones(cutoff=md.ShiftedForceCutoff(0.9))],
    )


# The kinetic energy forgets itself within EVERY steps: exp(-5) of it is left.
LANGEVIN = Langevin(dt=DT, temperature=TEMPERATURE, friction=20.0)
ANDERSEN = VelocityVerlet(
    dt=DT,
    coupling=AndersenThermostat(temperature=TEMPERATURE, tau=0.025),
    # Removing the drift that fresh velocities make would take energy out.
    remove_cm_motion=0,
)
CANONICAL = {"langevin": (LANGEVIN, N_DOF), "andersen": (ANDERSEN, 3 * N_ATOMS)}
NOT_CANONICAL = {
    "berendsen": VelocityVerlet(dt=DT, coupling=BerendsenThermostat(TEMPERATURE, tau=0.05)),
    "rescale": VelocityVerlet(dt=DT, coupling=RescaleThermostat(TEMPERATURE)),
}


def kinetic_energies(
    on: md.Backend, simulator: md.Simulator, seed: int, n_records: int, equilibrate: int = 20
) -> Any:
    """Return the energy of each species along each axis `(records, 2, 3)`, in units of k_B T/2."""

    def by_species(s: md.System) -> Any:
        xp = on.xp(s.velocities)
        squares = s.atoms.mass[:, None] * s.velocities**2
        return xp.stack([xp.sum(squares[k::2, :], axis=0) for k in (0, 1)])

    found = md.simulate(
        fluid(on),
        simulator,
        (equilibrate + n_records) * EVERY,
        observe={"K": md.Observe(by_species, every=EVERY)},
        seed=seed,
    )
    return on.to_numpy(found.observations["K"])[equilibrate + 1 :] / (KB * TEMPERATURE)


def probability(energies: Any, n_dof: int) -> float:
    """Return the p of a Kolmogorov-Smirnov test against the canonical distribution of 2 K/(k_B T)."""
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    return float(stats.kstest(energies.sum(axis=(1, 2)), stats.chi2(n_dof).cdf).pvalue)


def equipartition(energies: Any, n_dof: int) -> None:
    """Each axis of each species has n k_B T/2, or (n - n_fixed) where drift was removed."""
    removed = (3 * N_ATOMS - n_dof) / 3
    masses = np.array([5.0, 20.0])
    # The center of mass takes of each species its share of the mass.
    expected = N_ATOMS / 2 - removed * masses / masses.sum()
    for kind in (0, 1):
        for axis in range(3):
            ratios = energies[:, kind, axis] / expected[kind]
            error = math.sqrt(2.0 / (expected[kind] * len(ratios)))
            assert ratios.mean() == pytest.approx(1.0, abs=SIGMAS * error)


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_in_short(name: str) -> None:
    simulator, n_dof = CANONICAL[name]
    energies = kinetic_energies(md.backend("numpy"), simulator, 1, 30, equilibrate=5)
    assert probability(energies, n_dof) > 1e-3
    equipartition(energies, n_dof)


def test_not_canonical_in_short() -> None:
    energies = kinetic_energies(
        md.backend("numpy"), NOT_CANONICAL["berendsen"], 1, 30, equilibrate=5
    )
    assert probability(energies, N_DOF) < 1e-3


def on_jax() -> md.Backend:
    pytest.importorskip("jax", reason="JAX is not installed, and other backends take hours")
    return md.backend("jax")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", CANONICAL)
def test_canonical(name: str, seed: int) -> None:
    simulator, n_dof = CANONICAL[name]
    energies = kinetic_energies(on_jax(), simulator, seed, 800)
    assert probability(energies, n_dof) > 1e-3
    equipartition(energies, n_dof)
    # So many records tell temperatures that are 3 percent apart.
    assert probability(energies / 1.03, n_dof) < 1e-3
    assert probability(energies * 1.03, n_dof) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_not_canonical(name: str) -> None:
    energies = kinetic_energies(on_jax(), NOT_CANONICAL[name], 1, 800)
    assert energies.sum(axis=(1, 2)).mean() == pytest.approx(N_DOF, rel=0.02)
    assert probability(energies, N_DOF) < 1e-3


# -- the bands that Molly.jl's thermostats are tested with ----------------------------------------

BANDS: dict[str, Callable[[], md.Simulator]] = {
    "rescale": lambda: VelocityVerlet(dt=0.001, coupling=RescaleThermostat(10.0)),
    "berendsen": lambda: VelocityVerlet(dt=0.001, coupling=BerendsenThermostat(10.0, tau=0.1)),
    "andersen": lambda: VelocityVerlet(dt=0.001, coupling=AndersenThermostat(10.0, tau=0.1)),
    "langevin": lambda: Langevin(dt=0.001, temperature=10.0, friction=10.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BANDS)
def test_temperature_bands(name: str) -> None:
    """100 atoms started at 20 K: the second half of 40 ps has 9.5 K < T < 10.5 K, sd < 1 K.

    Source: JuliaMolSim/Molly.jl, test/simulation.jl.
    """
    on = on_jax()
    boundary, like = md.CubicBoundary(4.0), on.asarray(np.zeros(1), dtype="float64")
    start = md.System(
        md.Atoms(mass=10.0, sigma=0.04, epsilon=0.1),
        md.place_atoms(100, boundary, min_dist=0.1, seed=1, like=like),
        boundary,
        md.random_velocities(10.0, 20.0, 100, seed=1, like=like),
        [LennardJones(cutoff=md.DistanceCutoff(1.0))],
    )
    observe = {"T": md.Observe(md.temperature, every=10)}
    found = md.simulate(start, BANDS[name](), 40_000, observe=observe, seed=1)
    half = on.to_numpy(found.observations["T"])[2001:]
    assert 9.5 < half.mean() < 10.5
    assert half.std() < 1.0
    if name == "rescale":
        assert half.std() < 1e-9
