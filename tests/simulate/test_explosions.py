"""A run that goes wrong stops at the right step, names the atom, and hands over the last good state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, liquid
from xpmd_interactions import LennardJones
from xpmd_simulators import Langevin, VelocityVerlet

# NumPy warns of what becomes an error a moment later.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(invalid value|divide by zero|overflow) encountered:RuntimeWarning"
)


class Wall(md.PairwiseInteraction):
    """V = c (r - a)^1.5, which is not a number closer than a; so weak that atoms fly freely before."""

    a: Any
    c: Any = 1e-6

    def energy(self, r: Any, *, xp: Any) -> Any:
        return self.c * (r - self.a) ** 1.5


class Events(md.Reporter):
    """Write down every call."""

    def __init__(self, every: int = 5) -> None:
        self.every = every
        self.calls: list[tuple[str, int]] = []
        self.last: Any = None

    def start(self, n_steps: int, start_step: int) -> None:
        self.calls.append(("start", start_step))

    def report(self, step: int, system: md.System) -> None:
        self.calls.append(("report", step))

    def finish(self, step: int, system: md.System) -> None:
        self.calls.append(("finish", step))

    def failed(self, step: int, system: md.System) -> None:
        self.calls.append(("failed", step))
        self.last = system

    def close(self) -> None:
        self.calls.append(("close", -1))


def collision(array: Callable[..., Any], side: float) -> md.System:
    """Return atoms 1 and 2 on their way to closer than 0.498 nm, and atom 0 out of the way."""
    return md.System(
        atoms=md.Atoms(mass=1.0),
        coords=array([[0.1, 2.0, 2.0], [1.0, 1.0, 1.0], [2.0, 1.0, 1.0]]),
        velocities=array([[0.0, 0.0, 0.0], [0.25, 0.0, 0.0], [-0.25, 0.0, 0.0]]),
        boundary=md.CubicBoundary(side),
        interactions=[Wall(a=0.498)],
    )


@pytest.mark.parametrize(
    ("side", "every"), [(math.inf, None), (9.0, 1000)], ids=["open", "no record in time"]
)
def test_a_pole_in_the_way_of_other_runs(side: float, every: int | None) -> None:
    check_pole(np.asarray, side, every)


def test_a_pole_in_the_way(array: Callable[..., Any]) -> None:
    check_pole(array, side=9.0, every=5)


def check_pole(array: Callable[..., Any], side: float, every: int | None) -> None:
    """The distance is 1 - 0.5 t: at dt = 0.008 it is 0.500 after step 125 and 0.496 after 126."""
    dt, step = 0.008, 126
    system, events = collision(array, side), Events()
    simulator = VelocityVerlet(dt=dt)
    observe = {} if every is None else {"x": md.Observe(lambda s: s.coords, every=every)}
    with pytest.raises(
        md.SimulationError, match=rf"at step {step} with atom [12]: .*no longer finite"
    ) as caught:
        md.simulate(system, simulator, 400, reporters=[events], observe=observe)
    error = caught.value
    assert error.step == step
    assert error.atom in (1, 2)
    before = md.simulate(system, simulator, step - 1).system
    backend = system.backend
    for name in ("coords", "velocities"):
        np.testing.assert_allclose(
            backend.to_numpy(getattr(error.system, name)),
            backend.to_numpy(getattr(before, name)),
            rtol=0.0,
            atol=1e-12,
        )
    assert events.calls[0] == ("start", 0)
    assert events.calls[-2:] == [("failed", step - 1), ("close", -1)]
    assert [k for name, k in events.calls if name == "report"] == list(range(0, step, 5))
    assert events.last is error.system


def first_bad_step(system: md.System, simulator: md.Simulator, n_steps: int, seed: int = 0) -> int:
    """Return the first step that cannot be taken, going one by one."""
    for step in range(n_steps):
        try:
            system = md.simulate(system, simulator, 1, seed=seed, start_step=step).system
        except md.SimulationError:
            return step + 1
    raise AssertionError("no step went wrong")


def test_a_time_step_fifty_times_too_long_with_records() -> None:
    check_long_step(md.backend("numpy"), np.asarray, every=7)


def test_a_time_step_fifty_times_too_long(on: md.Backend, array: Callable[..., Any]) -> None:
    check_long_step(on, array, every=None)


def check_long_step(on: md.Backend, array: Callable[..., Any], every: int | None) -> None:
    """Wrapping keeps every coordinate in the box, so that no number need become infinite."""
    system, simulator = liquid(array, cells=2), VelocityVerlet(dt=50.0 * DT)
    observe = {} if every is None else {"t": md.Observe(md.temperature, every=every)}
    with pytest.raises(md.SimulationError, match=r"exploded at step \d+ with atom \d+") as caught:
        md.simulate(system, simulator, 300, observe=observe)
    error = caught.value
    assert error.step == first_bad_step(system, simulator, 300)
    assert "smaller time step" in str(error)
    last = md.simulate(system, simulator, error.step - 1).system
    np.testing.assert_allclose(
        on.to_numpy(error.system.coords), on.to_numpy(last.coords), rtol=0.0, atol=1e-10
    )
    assert np.isfinite(on.to_numpy(md.forces(error.system))).all()


def test_a_noisy_run_that_explodes() -> None:
    system = liquid(np.asarray, cells=2)
    simulator = Langevin(dt=50.0 * DT, temperature=86.0, friction=0.5)
    with pytest.raises(md.SimulationError) as caught:
        md.simulate(system, simulator, 300, seed=9)
    assert caught.value.step == first_bad_step(system, simulator, 300, seed=9)


def test_an_overlap_that_stays_finite(array: Callable[..., Any]) -> None:
    """The force is finite, 1e60 or so; wrapping the place it leads to would give a place in the box."""
    system = md.System(
        atoms=md.Atoms(mass=10.0, sigma=0.3, epsilon=1.0),
        coords=array([[0.5, 0.5, 0.5], [1.5, 1.5, 1.5], [1.5, 1.5, 1.500001]]),
        boundary=md.CubicBoundary(3.0),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(1.2))],
    )
    message = r"atom [12] at step 40 would move it over half the box .*: atoms 1 and 2 are 1e-06 nm"
    with pytest.raises(md.SimulationError, match=message) as caught:
        md.simulate(system, VelocityVerlet(dt=0.002), 10, start_step=40)
    assert caught.value.step == 40
    assert caught.value.atom in (1, 2)
    assert caught.value.system is None


def test_atoms_on_top_of_each_other(array: Callable[..., Any]) -> None:
    events = Events()
    system = md.System(
        atoms=md.Atoms(mass=10.0, sigma=0.3, epsilon=1.0),
        coords=array([[0.5, 0.5, 0.5], [1.5, 1.5, 1.5], [1.5, 1.5, 1.5]]),
        boundary=md.CubicBoundary(3.0),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(1.2))],
    )
    message = r"atom 1 at step 0 is not finite: atoms 1 and 2 are 0 nm apart"
    with pytest.raises(md.SimulationError, match=message) as caught:
        md.simulate(system, VelocityVerlet(dt=0.002), 10, reporters=[events])
    assert (caught.value.step, caught.value.atom) == (0, 1)
    # There is no good state to report; the reporter is closed all the same.
    assert events.calls == [("start", 0), ("close", -1)]


def test_the_step_counts_from_the_start_of_a_continuation() -> None:
    system, simulator = collision(np.asarray, 9.0), VelocityVerlet(dt=0.008)
    half = md.simulate(system, simulator, 60)
    with pytest.raises(md.SimulationError, match="at step 126") as caught:
        md.simulate(half.system, simulator, 400, start_step=half.step)
    assert caught.value.step == 126


def test_the_last_good_state_can_be_continued() -> None:
    """With what went wrong mended, here without the wall, the run goes on."""
    system = collision(np.asarray, 9.0)
    with pytest.raises(md.SimulationError) as caught:
        md.simulate(system, VelocityVerlet(dt=0.008), 400)
    mended = caught.value.system.replace(interactions=[])
    md.simulate(mended, VelocityVerlet(dt=0.008), 50, start_step=caught.value.step - 1)


def test_a_gradient_of_a_run_that_explodes(array: Callable[..., Any]) -> None:
    """The same error with the same step: never a derivative that is not a number."""

    def loss(c: Any) -> Any:
        system = collision(array, 9.0).replace(interactions=[Wall(a=0.498, c=c)])
        return md.kinetic_energy(md.simulate(system, VelocityVerlet(dt=0.008), 400).system)

    with pytest.raises(md.SimulationError, match="at step 126"):
        md.value_and_grad(loss)(array(1e-6))
