"""Neighbor lists along a run: no pair is lost when atoms race or gather."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

SIDE = 4.0
REACH = 0.9


class Trap(md.GeneralInteraction):
    """V = k/2 |x - c|^2, each atom: pulls a gas together into a droplet."""

    k: Any

    needs_neighbors = False

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        return 0.5 * self.k * xp.sum((coords - 0.5 * SIDE) ** 2)


def gas(array: Callable[..., Any], finder: md.NeighborFinder | None, speed: float) -> md.System:
    """Return atoms so far apart that no pair is in reach, on their way."""
    rng = np.random.default_rng(4)
    axis = (np.arange(2) + 0.5) * SIDE / 2
    coords = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return md.System(
        atoms=md.Atoms(mass=10.0, sigma=0.3, epsilon=1.0),
        coords=array(coords + rng.uniform(-0.2, 0.2, coords.shape)),
        velocities=array(speed * rng.standard_normal(coords.shape)),
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(REACH)), Trap(k=60.0)],
        neighbor_finder=finder,
    )


def run(on: md.Backend, finder: md.NeighborFinder | None, speed: float, n_steps: int) -> Any:
    def array(value: Any) -> Any:
        return on.asarray(np.asarray(value), dtype="float64")

    end = md.simulate(gas(array, finder, speed), VelocityVerlet(dt=0.004), n_steps)
    return on.to_numpy(end.coords), float(md.potential_energy(end.system))


@functools.cache
def reference(speed: float, n_steps: int) -> Any:
    return run(md.backend("numpy"), None, speed, n_steps)


def assert_no_pair_lost(on: md.Backend, finder: md.NeighborFinder, speed: float) -> None:
    n_steps = 170
    coords, energy = run(on, finder, speed, n_steps)
    wanted, wanted_energy = reference(speed, n_steps)
    np.testing.assert_allclose(coords, wanted, rtol=0.0, atol=1e-9)
    assert energy == pytest.approx(wanted_energy, rel=1e-9)


# The strict library takes NumPy's path, slowly.
@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_atoms_gather(name: str) -> None:
    """The first list is empty; by the end every atom sees several, and the list has room."""
    pytest.importorskip(name)
    assert_no_pair_lost(md.backend(name), DistanceNeighborFinder(cutoff=1.0), speed=0.0)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_atoms_gather_in_cells(name: str) -> None:
    pytest.importorskip(name)
    assert_no_pair_lost(md.backend(name), CellListNeighborFinder(cutoff=1.0), speed=0.0)


@pytest.mark.slow
def test_atoms_gather_in_compiled_cells() -> None:
    pytest.importorskip("jax")
    assert_no_pair_lost(md.backend("jax"), CellListNeighborFinder(cutoff=1.0), speed=0.0)


@pytest.mark.parametrize("every", [None, 1, 50])
def test_atoms_race(every: int | None) -> None:
    """Some move more than half the skin in a step, whatever the finder says of when to rebuild."""
    speed, dt, skin = 3.0, 0.004, 0.01
    fastest = np.abs(gas(np.asarray, None, speed).velocities).max()
    assert fastest * dt > 0.5 * skin
    for finder in (
        DistanceNeighborFinder(cutoff=REACH + skin, every=every),
        CellListNeighborFinder(cutoff=REACH + skin, every=every),
    ):
        assert_no_pair_lost(md.backend("numpy"), finder, speed)


def test_a_list_too_small_under_an_outer_compiler() -> None:
    """Nobody can make it larger there: the result is not a number, rather than wrong."""
    jax = pytest.importorskip("jax")
    start = np.array([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0], [1.2, 1.3, 1.0]])

    def end_of(coords: Any, capacity: int) -> Any:
        system = md.System(
            atoms=md.Atoms(mass=10.0, sigma=0.3, epsilon=1.0),
            coords=coords,
            boundary=md.CubicBoundary(SIDE),
            interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(REACH))],
            neighbor_finder=DistanceNeighborFinder(cutoff=1.0, capacity=capacity),
        )
        return md.simulate(system, VelocityVerlet(dt=0.004), 3).coords

    compiled = jax.jit(end_of, static_argnums=1)
    found = np.asarray(compiled(jax.numpy.asarray(start), 2))
    np.testing.assert_allclose(found, end_of(start, 2), rtol=0.0, atol=1e-12)
    assert np.isnan(np.asarray(compiled(jax.numpy.asarray(start), 1))).all()


def test_what_gathering_is() -> None:
    """What the tests above are worth: pairs in reach at the start and at the end."""
    start = gas(np.asarray, None, 0.0)
    assert float(md.potential_energy(start.replace(interactions=start.interactions[:1]))) == 0.0
    end, _ = reference(0.0, 170)
    apart = end[:, None, :] - end[None, :, :]
    near = np.sqrt((apart**2).sum(axis=-1)) < REACH
    assert near.sum(axis=1).min() > 3
