"""What velocity Verlet promises: reversible, second order, symplectic, the exact map of an oscillator."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, MASS, SIGMA, liquid
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet


def total_energy(system: md.System) -> Any:
    return md.potential_energy(system) + md.kinetic_energy(system)


def energy_errors(system: md.System, dt: float, n_steps: int, every: int = 1) -> Any:
    """Return E(t) - E(0) at each step, kJ/mol."""
    simulator = VelocityVerlet(dt=dt, remove_cm_motion=0)
    observe = {"energy": md.Observe(total_energy, every=every)}
    energies = md.simulate(system, simulator, n_steps, observe=observe).observations["energy"]
    return np.asarray(energies) - float(energies[0])


def test_reversible(on: md.Backend, array: Callable[..., Any]) -> None:
    system = liquid(array)
    simulator = VelocityVerlet(dt=DT)
    there = md.simulate(system, simulator, 100).system
    back = md.simulate(there.replace(velocities=-there.velocities), simulator, 100).system
    # The run removes the motion of the center of mass before its first step.
    start = on.to_numpy(system.velocities)
    start = start - start.mean(axis=0)
    displaced = system.boundary.displacement(system.coords, back.coords)
    assert np.abs(on.to_numpy(displaced)).max() < 1e-10
    np.testing.assert_allclose(-on.to_numpy(back.velocities), start, rtol=0.0, atol=1e-10)
    moved = system.boundary.displacement(system.coords, there.coords)
    assert np.abs(on.to_numpy(moved)).max() > 0.02


def test_second_order() -> None:
    system = liquid(np.asarray, cells=2)
    rms = [
        math.sqrt(np.mean(energy_errors(system, 2.0 * DT / k, 100 * k, every=k) ** 2))
        for k in (1, 2, 4)
    ]
    for coarse, fine in itertools.pairwise(rms):
        assert coarse / fine == pytest.approx(4.0, abs=0.1)


@pytest.mark.slow
def test_no_drift() -> None:
    """Linear fit over 20 000 steps: under 1e-5 kT a degree of freedom and unit of time."""
    system = liquid(np.asarray, cells=2)
    n_steps, every = 20_000, 20
    errors = energy_errors(system, DT, n_steps, every=every)
    slope = np.polyfit(np.arange(errors.size) * every * 0.002, errors, 1)[0]
    thermal = system.units.boltzmann * float(md.temperature(system))
    assert abs(slope) < 1e-5 * thermal * system.degrees_of_freedom


def test_plain_truncation_drifts_more_than_a_shifted_force() -> None:
    reach = 2.35 * SIGMA
    worst = {}
    for cutoff in (md.DistanceCutoff(reach), md.ShiftedForceCutoff(reach)):
        errors = energy_errors(liquid(np.asarray, cutoff=cutoff), DT, 100)
        worst[type(cutoff).__name__] = np.abs(errors).max()
    assert worst["DistanceCutoff"] > 5.0 * worst["ShiftedForceCutoff"]


def test_total_momentum_is_conserved(on: md.Backend, array: Callable[..., Any]) -> None:
    mass = MASS * np.linspace(0.5, 2.0, 32)
    system = liquid(array, cells=2, mass=array(mass))
    before = mass @ on.to_numpy(system.velocities)
    end = md.simulate(system, VelocityVerlet(dt=DT, remove_cm_motion=0), 300)
    after = mass @ on.to_numpy(end.velocities)
    assert np.abs(before).max() > 1.0
    np.testing.assert_allclose(after, before, rtol=0.0, atol=1e-10)


def test_motion_of_the_center_of_mass_is_removed(on: md.Backend, array: Callable[..., Any]) -> None:
    mass = np.array([1.0, 3.0, 5.0])
    system = md.System(
        atoms=md.Atoms(mass=array(mass)),
        coords=array(np.zeros((3, 3))),
        velocities=array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]),
        boundary=md.CubicBoundary(math.inf),
    )
    end = md.simulate(system, VelocityVerlet(dt=0.1), 3)
    expected = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    expected -= mass @ expected / mass.sum()
    np.testing.assert_allclose(on.to_numpy(end.velocities), expected, rtol=0.0, atol=1e-15)
    np.testing.assert_allclose(on.to_numpy(end.coords), 0.3 * expected, rtol=0.0, atol=1e-15)


def test_oscillator_follows_its_closed_form(on: md.Backend, array: Callable[..., Any]) -> None:
    """x_n = x_0 cos(n theta), v_n = -x_0 sin(theta)/dt sin(n theta), cos(theta) = 1 - (omega dt)^2/2.

    The solution of the recurrence x_{n+1} - 2 x_n + x_{n-1} = -(omega dt)^2 x_n that velocity Verlet
    is for a linear force; a bond of two equal masses m has omega^2 = 2 k/m.
    """
    k, mass, r0, stretch, dt, n_steps = 50.0, 4.0, 0.5, 0.125, 0.1, 1000
    theta = math.acos(1.0 - k / mass * dt**2)
    system = md.System(
        atoms=md.Atoms(mass=mass),
        coords=array([[0.0, 0.0, 0.0], [r0 + stretch, 0.0, 0.0]]),
        boundary=md.CubicBoundary(math.inf),
        interactions=[HarmonicBond(atoms=[[0, 1]], k=k, r0=r0)],
    )
    observe = {
        "x": md.Observe(lambda s: s.coords[1, 0] - s.coords[0, 0] - r0, every=4),
        "v": md.Observe(lambda s: s.velocities[1, 0] - s.velocities[0, 0], every=4),
    }
    found = md.simulate(system, VelocityVerlet(dt=dt), n_steps, observe=observe).observations
    steps = np.arange(0, n_steps + 1, 4)
    x = stretch * np.cos(steps * theta)
    v = -stretch * math.sin(theta) / dt * np.sin(steps * theta)
    np.testing.assert_allclose(on.to_numpy(found["x"]), x, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(on.to_numpy(found["v"]), v, rtol=0.0, atol=1e-12)
