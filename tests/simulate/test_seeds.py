"""Noise comes from the seed alone: nothing else is read, and nothing else is disturbed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat

N_ATOMS = 6


def free_atoms(array: Callable[..., Any], n_atoms: int = N_ATOMS) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=2.0),
        coords=array(np.zeros((n_atoms, 3))),
        boundary=md.CubicBoundary(math.inf),
    )


def simulator() -> md.Simulator:
    return Langevin(
        dt=0.1,
        temperature=300.0,
        friction=2.0,
        coupling=AndersenThermostat(temperature=300.0, tau=1.0),
    )


class Kick(md.Coupling):
    """Add numbers of its own stream to one component of the velocities."""

    axis: int = md.static()

    def apply(
        self, state: Any, system: Any, dt: Any, t: Any, noise: Any, stream: int, *, xp: Any
    ) -> tuple[Any, tuple[Any, ...]]:
        columns = [state.velocities[:, k] for k in range(3)]
        columns[self.axis] = columns[self.axis] + noise.normal(stream, tuple(columns[0].shape))
        return state._replace(velocities=xp.stack(columns, axis=-1)), ()


def velocities(on: md.Backend, array: Callable[..., Any], **options: Any) -> Any:
    return on.to_numpy(md.simulate(free_atoms(array), simulator(), 5, **options).velocities)


def test_same_seed_same_bits(on: md.Backend, array: Callable[..., Any]) -> None:
    first = velocities(on, array, seed=4)
    np.testing.assert_array_equal(velocities(on, array, seed=4), first)
    assert np.abs(velocities(on, array, seed=5) - first).min() > 1e-6
    assert np.abs(first).min() > 1e-6


def test_no_seed_is_seed_zero(array: Callable[..., Any], on: md.Backend) -> None:
    np.testing.assert_array_equal(velocities(on, array), velocities(on, array, seed=0))


def test_all_bits_of_the_seed_count() -> None:
    on, array = md.backend("numpy"), np.asarray
    ends = [velocities(on, array, seed=seed) for seed in (1, 1 + 2**32, 2**63, 2**64 - 1)]
    for k, end in enumerate(ends):
        assert all(np.abs(end - other).max() > 1e-3 for other in ends[:k])


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_have_64_bits(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"`seed`.*{seed}.*2\*\*64"):
        velocities(md.backend("numpy"), np.asarray, seed=seed)


def test_global_generators_are_neither_read_nor_disturbed(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    torch = pytest.importorskip("torch")

    def states() -> tuple[Any, ...]:
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002
        return kind, keys.tobytes(), rest, torch.get_rng_state().tolist(), random.getstate()

    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = states()
    first = velocities(on, array, seed=4)
    assert states() == before
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    np.testing.assert_array_equal(velocities(on, array, seed=4), first)


def test_streams_of_simulator_and_couplings_differ(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    """A kick along x and one along y draw numbers of their own, and Langevin's are others again."""
    n_atoms = 50

    def kicked(simulator: md.Simulator) -> Any:
        end = md.simulate(free_atoms(array, n_atoms), simulator, 1, seed=8)
        return on.to_numpy(end.velocities)

    both = kicked(VelocityVerlet(dt=0.1, coupling=(Kick(axis=0), Kick(axis=1)), remove_cm_motion=0))
    assert (both[:, 2] == 0.0).all()
    x, y = both[:, 0], both[:, 1]
    # Without friction to speak of, and hot enough for numbers of order one.
    langevin = kicked(Langevin(dt=0.1, temperature=1e4, friction=5.0, remove_cm_motion=0))
    for first, second in ((x, y), (x, langevin.reshape(-1)[:n_atoms]), (y, langevin[:, 1])):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.4
    assert np.std(x) == pytest.approx(1.0, abs=0.3)
    # The order in the tuple says which stream, whatever the coupling does with it.
    swapped = kicked(
        VelocityVerlet(dt=0.1, coupling=(Kick(axis=1), Kick(axis=0)), remove_cm_motion=0)
    )
    np.testing.assert_array_equal(swapped[:, 1], x)
    np.testing.assert_array_equal(swapped[:, 0], y)


def test_each_step_has_numbers_of_its_own(on: md.Backend, array: Callable[..., Any]) -> None:
    kick = VelocityVerlet(dt=0.1, coupling=Kick(axis=0), remove_cm_motion=0)
    observe = {"v": md.Observe(lambda system: system.velocities[:, 0])}
    result = md.simulate(free_atoms(array), kick, 40, observe=observe, seed=8)
    numbers = np.diff(on.to_numpy(result.observations["v"]), axis=0).reshape(-1)
    assert len(np.unique(np.round(numbers, 9))) == 40 * N_ATOMS
