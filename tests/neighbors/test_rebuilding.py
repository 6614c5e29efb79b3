"""A list is rebuilt before a pair that it lacks comes within reach."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.lennard_jones_boxes import CUTOFF, LIST_CUTOFF, lennard_jones
from xpmd.neighbor_upkeep import build_neighbors, is_stale, plan_neighbors
from xpmd_interactions import LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

N_STEPS = 12
DT = 0.002
#: An atom that has a way between the others, and its velocity, nm/ps.
FAST, DIRECTION = 26, [-30.0, 40.0, 0.0]


def shot(array: Callable[..., Any], finder: md.NeighborFinder) -> md.System:
    """Return a fluid that one atom crosses at 0.1 nm a step, while the others hardly move."""
    system = lennard_jones(array, finder, cutoff=md.DistanceCutoff(CUTOFF), n_atoms=80)
    velocities = system.backend.to_numpy(system.velocities).copy()
    velocities[FAST] = DIRECTION
    return system.replace(velocities=array(velocities))


def accelerations(system: md.System) -> Any:
    """Return the mean acceleration of each atom in each step, nm/ps^2."""
    observe = {"velocities": md.Observe(lambda system: system.velocities, every=1)}
    simulator = VelocityVerlet(dt=DT, remove_cm_motion=0)
    found = md.simulate(system, simulator, N_STEPS, observe=observe).observations["velocities"]
    return np.diff(system.backend.to_numpy(found), axis=0) / DT


@cache
def of_all_pairs() -> Any:
    """Return what NumPy finds with all pairs."""
    return accelerations(shot(np.asarray, AllPairs()))


@pytest.mark.parametrize(
    "finder",
    [
        pytest.param(DistanceNeighborFinder(cutoff=CUTOFF), id="host without skin"),
        pytest.param(DistanceNeighborFinder(cutoff=LIST_CUTOFF, every=5), id="host every 5"),
        pytest.param(CellListNeighborFinder(cutoff=LIST_CUTOFF), id="cells"),
        pytest.param(
            CellListNeighborFinder(cutoff=CUTOFF, every=1),
            id="cells without skin",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_one_fast_atom(on: md.Backend, array: Callable[..., Any], finder: Any) -> None:
    found = accelerations(shot(array, finder))
    np.testing.assert_allclose(found, of_all_pairs(), rtol=0.0, atol=1e-8)


def test_the_fast_atom_meets_others() -> None:
    """What the test above compares would differ if the first list were kept."""
    with_first_list = shot(np.asarray, CellListNeighborFinder(cutoff=LIST_CUTOFF))
    kept = [build_neighbors(with_first_list, with_first_list.coords, "exact", xp=np)]

    class FirstList(CellListNeighborFinder):
        def build(self, *args: Any, **kwargs: Any) -> Any:
            return kept[0]

    found = accelerations(shot(np.asarray, FirstList(cutoff=LIST_CUTOFF)))
    assert np.abs(found - of_all_pairs()).max() > 1e-3


# -- when a list is stale ---------------------------------------------------------------------------


def stale_after(
    array: Callable[..., Any],
    move: Callable[[Any], Any],
    *,
    boundary: md.Boundary | None = None,
    cutoff: Any = None,
    t: int = 1,
    **settings: Any,
) -> bool:
    """Return whether a list up to 1 nm is stale after a move, with an interaction of 0.8 nm."""
    start = md.CubicBoundary(4.0, 5.0, 6.0)
    finder = DistanceNeighborFinder(**{"cutoff": 1.0, **settings})
    coords = np.random.default_rng(0).random((10, 3)) * [4.0, 5.0, 6.0]
    system = md.System(
        atoms=md.Atoms(mass=1.0, sigma=0.1, epsilon=1.0),
        coords=array(coords),
        boundary=start,
        interactions=[LennardJones(cutoff=cutoff or md.ShiftedForceCutoff(0.8))],
        neighbor_finder=finder,
    )
    on = system.backend
    xp = on.xp(system.coords)
    plan = plan_neighbors(system, system.coords)
    neighbors = build_neighbors(system, system.coords, plan, xp=xp)
    later = system.replace(coords=array(move(coords)), boundary=boundary or start)
    return bool(is_stale(later, later.coords, neighbors, t, xp=xp))


def moved(atom: int, *by: float) -> Callable[[Any], Any]:
    """Return a function that moves one atom."""

    def move(coords: Any) -> Any:
        coords = coords.copy()
        coords[atom] += by
        return coords

    return move


def test_half_the_skin(on: md.Backend, array: Callable[..., Any]) -> None:
    assert not stale_after(array, moved(3, 0.06, 0.07, 0.03))
    assert stale_after(array, moved(3, 0.07, 0.07, 0.03))
    # Once around the box is nowhere.
    assert not stale_after(array, moved(3, 4.0, -5.0, 12.0))
    assert not stale_after(array, moved(3, 4.0, -5.09, 0.0))
    assert stale_after(array, moved(3, 4.0, -5.11, 0.0))


def test_no_skin(on: md.Backend, array: Callable[..., Any]) -> None:
    assert stale_after(array, moved(3, 1e-6, 0.0, 0.0), cutoff=md.DistanceCutoff(1.0))


def test_every_so_many_steps(on: md.Backend, array: Callable[..., Any]) -> None:
    still = moved(0, 0.0, 0.0, 0.0)
    stale = [stale_after(array, still, every=3, t=t) for t in range(7)]
    assert stale == [True, False, False, True, False, False, True]
    assert stale_after(array, moved(0, 0.11, 0.0, 0.0), every=3)


def test_a_box_that_is_strained_with_its_atoms(on: md.Backend, array: Callable[..., Any]) -> None:
    """Nobody strays; distances shrink by the strain, and 1 nm has to stay beyond 0.8 nm."""
    shape = np.array([4.0, 5.0, 6.0])

    def strained(factor: Any) -> bool:
        sides = (shape * factor).tolist()
        box = md.CubicBoundary(*sides)
        return stale_after(array, lambda coords: coords * factor, boundary=box)

    assert not strained(1.0)
    assert not strained(1.1)  # |A - 1| = 0.17
    assert strained(1.2)  # |A - 1| = 0.35, which might as well be a shortening
    assert not strained(np.array([0.81, 1.0, 1.0]))
    assert strained(np.array([0.79, 1.0, 1.0]))


def test_a_box_that_shrinks_around_its_atoms(on: md.Backend, array: Callable[..., Any]) -> None:
    """No atom moves, yet across the faces they come closer."""
    still = moved(0, 0.0, 0.0, 0.0)
    assert not stale_after(array, still, boundary=md.CubicBoundary(4.0, 4.95, 6.0))
    assert stale_after(array, still, boundary=md.CubicBoundary(4.0, 4.85, 6.0))


def test_an_interaction_that_does_not_say_how_far_it_looks(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    """It may look at all that is listed, so that there is no skin."""

    class Everything(md.GeneralInteraction):
        def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
            return 0.0 * xp.sum(coords)

    start = array(np.random.default_rng(0).random((10, 3)) * 4.0)
    system = md.System(
        atoms=md.Atoms(mass=1.0),
        coords=start,
        boundary=md.CubicBoundary(4.0),
        interactions=[Everything()],
        neighbor_finder=DistanceNeighborFinder(cutoff=1.0),
    )
    xp = on.xp(start)
    plan = plan_neighbors(system, start)
    neighbors = build_neighbors(system, start, plan, xp=xp)
    assert bool(is_stale(system, start + 1e-6, neighbors, 1, xp=xp))
