"""Truncating, clipping and damping the cotangent of a state, against the steps written out."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_gradients import Checkpointed, Reverse, Reversible
from xpmd_interactions import LennardJones
from xpmd_simulators import VelocityVerlet

STRATEGIES: dict[str, Any] = {
    "reverse": Reverse,
    "checkpointed": Checkpointed,
    "reversible": Reversible,
    "whole numbers": functools.partial(Reversible, fixed_point=True),
}
#: How far gradients may be apart: whole numbers go another way, as close as rounding lets any be.
APART = {"whole numbers": 1e-7}


def system(sigma: Any, like: Any, coords: Any = None, velocities: Any = None) -> md.System:
    x, v = start()
    return md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
        coords=like(x) if coords is None else coords,
        velocities=like(v) if velocities is None else velocities,
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )


SIMULATOR = VelocityVerlet(dt=0.002, remove_cm_motion=0)


def end_value(sigma: Any, like: Any, n_steps: int) -> Any:
    end = md.simulate(system(sigma, like), SIMULATOR, n_steps).coords
    xp = md.backend_of(end).xp(end)
    return xp.sum(xp.sin(3.0 * end))


def recorded_value(sigma: Any, like: Any, n_steps: int, every: int) -> Any:
    """Return a number that depends on records only."""
    observe = {"x": md.Observe(lambda s: s.coords, every=every)}
    rows = md.simulate(system(sigma, like), SIMULATOR, n_steps, observe=observe).observations["x"]
    xp = md.backend_of(rows).xp(rows)
    return xp.sum(xp.sin(3.0 * rows[1:, ...]))


@pytest.mark.parametrize("name", STRATEGIES)
def test_truncation_is_the_gradient_of_the_last_steps(
    on: md.Backend, array: Any, name: str
) -> None:
    """As if the state so many steps before the end were given."""
    before = md.simulate(system(0.34, np.asarray), SIMULATOR, 13)
    there = (np.asarray(before.coords), np.asarray(before.velocities))

    def last_steps(sigma: Any) -> Any:
        x, v = there
        run = md.simulate(system(sigma, np.asarray, x, v), SIMULATOR, 7, start_step=13)
        return np.sum(np.sin(3.0 * run.coords))

    wanted = md.grad(last_steps, "finite_difference")(0.34)
    strategy = STRATEGIES[name](truncate=7)
    found = md.grad(end_value, strategy)(array(0.34), array, 20)
    # The first force of the continued run is computed anew, and its change with sigma counts there.
    exact = md.grad(last_steps, "reverse")(0.34)
    assert float(exact) == pytest.approx(float(wanted), rel=1e-7)
    kick = _first_kick(there)
    assert float(found) == pytest.approx(float(exact) - kick, rel=1e-7)


def _first_kick(there: Any) -> float:
    """Return the part of the gradient of seven steps that comes through the force they start from."""
    x, v = there

    def value(sigma: Any) -> Any:
        # The same seven steps with the velocity kicked by the force at another sigma.
        first = md.forces(system(sigma, np.asarray, x, v)) - md.forces(
            system(0.34, np.asarray, x, v)
        )
        kicked = v + 0.5 * 0.002 * first / 40.0
        run = md.simulate(system(0.34, np.asarray, x, kicked), SIMULATOR, 7, start_step=13)
        return np.sum(np.sin(3.0 * run.coords))

    h = 1e-5
    return float((value(0.34 + h) - value(0.34 - h)) / (2 * h))


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("every", [5, 40])
def test_long_truncation_changes_nothing(name: str, every: int) -> None:
    exact = md.grad(recorded_value, "reverse")(0.34, np.asarray, 40, every)
    found = md.grad(recorded_value, STRATEGIES[name](truncate=40))(0.34, np.asarray, 40, every)
    assert float(found) == pytest.approx(float(exact), rel=APART.get(name, 1e-10))


@pytest.mark.parametrize("every", [20, 130])
def test_truncation_before_each_record(every: int) -> None:
    """Ten steps before each of two records: the sum of what each would give alone."""
    both = md.grad(recorded_value, Reverse(truncate=10))(0.34, np.asarray, 2 * every + 3, every)
    first = md.grad(end_value, Reverse(truncate=10))(0.34, np.asarray, every)
    second = md.grad(end_value, Reverse(truncate=10))(0.34, np.asarray, 2 * every)
    assert float(both) == pytest.approx(float(first + second), rel=1e-10)


@pytest.mark.parametrize("name", ["reverse", "whole numbers"])
def test_blocks_where_records_are_close(name: str) -> None:
    """Records every 5 steps, blocks of 10: four short gradients, each from the start of its block."""
    found = md.grad(recorded_value, STRATEGIES[name](truncate=10))(0.34, np.asarray, 20, 5)
    same = md.grad(recorded_value, Reverse(truncate=10))(0.34, np.asarray, 20, 5)
    assert float(found) == pytest.approx(float(same), rel=APART.get(name, 1e-12))
    late = md.grad(recorded_value, Reverse(truncate=10))(0.34, np.asarray, 10, 5)
    exact = md.grad(recorded_value, "reverse")(0.34, np.asarray, 20, 5)
    assert float(found) != pytest.approx(float(exact), rel=1e-3)
    # The first block is that of a run of ten steps.
    rest = float(found) - float(late)
    assert abs(rest) > 0.0


@pytest.mark.parametrize("name", STRATEGIES)
def test_damping_and_clipping(on: md.Backend, array: Any, name: str) -> None:
    """Each strategy does the same to the same cotangents; weak settings change nothing."""
    exact = float(md.grad(end_value, "reverse")(0.34, np.asarray, 20))
    kind = STRATEGIES[name]

    def slope(**settings: Any) -> float:
        return float(md.grad(end_value, kind(**settings))(array(0.34), array, 20))

    apart = APART.get(name)
    assert slope(clip_norm=1e9) == pytest.approx(exact, rel=apart or 1e-11)
    damped = float(md.grad(end_value, Reverse(damping=0.2))(0.34, np.asarray, 20))
    clipped = float(md.grad(end_value, Reverse(clip_norm=1.0))(0.34, np.asarray, 20))
    assert abs(damped) < abs(exact)
    assert abs(clipped) < abs(exact)
    assert slope(damping=0.2) == pytest.approx(damped, rel=apart or 1e-10)
    assert slope(clip_norm=1.0) == pytest.approx(clipped, rel=apart or 1e-10)


def test_damping_by_hand() -> None:
    """One oscillator, velocity Verlet written out: the cotangent shrinks by 1 - mu a step."""
    k, mass, dt, mu, n_steps = 50.0, 10.0, 0.05, 0.1, 6

    class Spring(md.GeneralInteraction):
        k: Any
        needs_neighbors = False

        def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
            return 0.5 * self.k * xp.sum(coords * coords)

    def loss(value: Any) -> Any:
        oscillator = md.System(
            atoms=md.Atoms(mass=mass),
            coords=[[0.3, 0.0, 0.0]],
            boundary=md.CubicBoundary(float("inf")),
            interactions=[Spring(value)],
        )
        simulator = VelocityVerlet(dt=dt, remove_cm_motion=0)
        return md.simulate(oscillator, simulator, n_steps).coords[0, 0]

    found = md.grad(loss, Reverse(damping=mu))(k)
    # x, v, f; one step is linear in them, with d/dk of the new force -x'.
    h = 0.5 * dt
    states = [np.array([0.3, 0.0, -k * 0.3])]
    for _ in range(n_steps):
        x, v, f = states[-1]
        half = v + h * f / mass
        x = x + dt * half
        states.append(np.array([x, half - h * k * x / mass, -k * x]))
    jacobian = np.zeros((3, 3))
    for column in range(3):
        x, v, f = np.eye(3)[column]
        half = v + h * f / mass
        x = x + dt * half
        jacobian[:, column] = [x, half - h * k * x / mass, -k * x]
    lam, total = np.array([1.0, 0.0, 0.0]), 0.0
    for state in reversed(states[1:]):
        total += lam @ np.array([0.0, -h * state[0] / mass, -state[0]])
        lam = (1.0 - mu) * (jacobian.T @ lam)
    total += lam[2] * -0.3
    assert float(found) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"truncate": 0}, "truncate"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"damping": 1.0}, "damping"),
    ],
)
def test_settings_are_checked(settings: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reverse(**settings)
