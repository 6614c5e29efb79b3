"""A trajectory does not depend on how it is cut: by records, or by stopping and going on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, TEMPERATURE, TIME, liquid
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat

N_STEPS = 135
# Below, above and at the sizes in which steps are taken together, none dividing the number of steps.
INTERVALS = (1, 7, 100, 130)


def system_on(on: md.Backend) -> md.System:
    return liquid(
        lambda value: on.asarray(np.asarray(value), dtype="float64"),
        cells=2,
        finder=DistanceNeighborFinder(cutoff=0.57, every=7),
    )


def simulator() -> md.Simulator:
    """Return noise from two streams, and schedules of several lengths."""
    return Langevin(
        dt=DT,
        temperature=TEMPERATURE,
        friction=1.0 / TIME,
        remove_cm_motion=3,
        coupling=AndersenThermostat(temperature=TEMPERATURE, tau=0.5 * TIME),
    )


def end_of(on: md.Backend, result: md.Result) -> Any:
    return np.stack([on.to_numpy(result.coords), on.to_numpy(result.velocities)])


@functools.cache
def uncut(on: md.Backend) -> Any:
    return end_of(on, md.simulate(system_on(on), simulator(), N_STEPS, seed=3))


def assert_same(on: md.Backend, found: Any, wanted: Any) -> None:
    """Require the same bits of NumPy; compiled code may add in another order."""
    tolerance = 0.0 if on.name == "numpy" else 1e-12
    np.testing.assert_allclose(found, wanted, rtol=0.0, atol=tolerance)


# The strict library takes NumPy's path, slowly; two intervals take both paths of compiled code.
OFTEN = [
    *((name, every) for name in ("numpy", "torch") for every in INTERVALS),
    ("jax", 7),
    ("jax", 130),
]
SELDOM = [("jax", 1), ("jax", 100), *(("array_api_strict", every) for every in INTERVALS)]


@pytest.mark.parametrize(
    ("name", "every"),
    [*OFTEN, *(pytest.param(*each, marks=pytest.mark.slow) for each in SELDOM)],
)
def test_records_do_not_change_the_end(name: str, every: int) -> None:
    pytest.importorskip(name)
    on = md.backend(name)
    observe = {"x": md.Observe(lambda system: system.coords[0, 0], every=every)}
    result = md.simulate(system_on(on), simulator(), N_STEPS, observe=observe, seed=3)
    assert result.observations["x"].shape == (N_STEPS // every + 1,)
    assert_same(on, end_of(on, result), uncut(on))


def test_records_are_the_states_of_the_run() -> None:
    """Records at any interval are rows of the records of every step."""
    on = md.backend("numpy")

    def records(every: int) -> Any:
        observe = {"x": md.Observe(lambda system: system.coords, every=every)}
        result = md.simulate(system_on(on), simulator(), N_STEPS, observe=observe, seed=3)
        return result.observations["x"]

    each = records(1)
    start = system_on(on)
    np.testing.assert_array_equal(each[0], start.boundary.wrap(start.coords, xp=np))
    np.testing.assert_array_equal(each[-1], uncut(on)[0])
    for every in (7, 100, 130):
        np.testing.assert_array_equal(records(every), each[::every])


def test_several_intervals_at_once() -> None:
    on = md.backend("numpy")
    observe = {
        f"{every}": md.Observe(lambda system: system.velocities, every=every)
        for every in (14, 21, 60)
    }
    result = md.simulate(system_on(on), simulator(), N_STEPS, observe=observe, seed=3)
    for every in (14, 21, 60):
        alone = {"v": md.Observe(lambda system: system.velocities, every=every)}
        single = md.simulate(system_on(on), simulator(), N_STEPS, observe=alone, seed=3)
        np.testing.assert_array_equal(result.observations[f"{every}"], single.observations["v"])
    assert_same(on, end_of(on, result), uncut(on))


@pytest.mark.parametrize(
    "name", ["numpy", "torch", "jax", pytest.param("array_api_strict", marks=pytest.mark.slow)]
)
def test_going_on_is_the_same_as_not_stopping(name: str) -> None:
    pytest.importorskip(name)
    on = md.backend(name)
    first = 64  # in the middle of every schedule
    half = md.simulate(system_on(on), simulator(), first, seed=3)
    assert half.step == first
    rest = md.simulate(half.system, simulator(), N_STEPS - first, seed=3, start_step=half.step)
    assert rest.step == N_STEPS
    assert_same(on, end_of(on, rest), uncut(on))


def test_going_on_from_the_wrong_step_is_another_run() -> None:
    """What the test above would miss if noise and schedules did not look at the step."""
    on = md.backend("numpy")
    half = md.simulate(system_on(on), simulator(), 100, seed=3)
    for start_step in (0, 99):
        rest = md.simulate(half.system, simulator(), N_STEPS - 100, seed=3, start_step=start_step)
        assert np.abs(end_of(on, rest) - uncut(on)).max() > 1e-3


def test_schedule_of_the_center_of_mass(on: md.Backend, array: Callable[..., Any]) -> None:
    """A field pushes every atom; the drift it makes is removed after each fifth step of the whole run."""

    class Field(md.GeneralInteraction):
        """V = -x, for each atom."""

        needs_neighbors = False

        def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
            return -xp.sum(coords[:, 0])

    system = md.System(
        atoms=md.Atoms(mass=1.0),
        coords=array(np.zeros((2, 3))),
        boundary=md.CubicBoundary(np.inf),
        interactions=[Field()],
    )
    verlet = VelocityVerlet(dt=0.5, remove_cm_motion=5)
    drift = [0.0]
    for n_steps in (3, 4, 6):
        result = md.simulate(system, verlet, n_steps, start_step=sum((0, 3, 4)[: len(drift)]))
        system = result.system
        drift.append(float(system.velocities[0, 0]))
    # Steps since the last removal, at steps 3, 7 and 13, times dt.
    np.testing.assert_allclose(drift[1:], [1.5, 1.0, 1.5], rtol=1e-14)
