"""Minimization: downhill, to the tolerance, and no further."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_neighbors import DistanceNeighborFinder

SIGMA, EPSILON = 0.3, 0.5


def cluster(array: Callable[..., Any] = np.asarray, **options: Any) -> md.System:
    boundary = md.CubicBoundary(2.4)
    return md.System(
        md.Atoms(sigma=SIGMA, epsilon=EPSILON),
        array(md.place_atoms(20, boundary, 0.25, seed=2)),
        boundary,
        interactions=[
            LennardJones(cutoff=md.ShiftedForceCutoff(1.0)),
            HarmonicBond([[0, 1], [2, 3]], k=1000.0, r0=0.3),
        ],
        **options,
    )


def largest_force(system: md.System) -> float:
    return float(np.abs(system.backend.to_numpy(md.forces(system))).max())


def test_the_energy_falls_with_every_move() -> None:
    start = cluster()
    energies = [
        float(md.potential_energy(md.minimize(start, tolerance=1e-9, max_steps=n)))
        for n in range(0, 40, 4)
    ]
    assert energies[0] == float(md.potential_energy(start))
    assert (np.diff(energies) <= 0).all()
    assert energies[-1] < energies[0] - 10.0


@pytest.mark.parametrize("tolerance", [500.0, 100.0, 10.0])
def test_it_stops_at_the_tolerance_and_not_beyond(tolerance: float) -> None:
    start = cluster()
    assert largest_force(start) > 500.0
    end = md.minimize(start, tolerance=tolerance)
    assert largest_force(end) <= tolerance
    # One move less was not enough: found by bisection, since no move raises the energy.
    lowest = float(md.potential_energy(end))
    moves = bisect.bisect_left(
        range(1000), True, key=lambda n: float(md.potential_energy(after(n))) <= lowest
    )
    np.testing.assert_array_equal(after(moves).coords, end.coords)
    assert largest_force(after(moves - 1)) > tolerance


def after(moves: int) -> md.System:
    return md.minimize(cluster(), tolerance=1e-9, max_steps=moves)


def test_what_is_below_the_tolerance_is_returned_as_it_is() -> None:
    start = cluster()
    assert md.minimize(start, tolerance=1e9) is start
    assert md.minimize(start, max_steps=0) is start


def test_two_atoms_settle_at_the_minimum(on: md.Backend, array: Callable[..., Any]) -> None:
    built = md.System(
        md.Atoms(sigma=SIGMA, epsilon=EPSILON),
        array([[0.02, 0.1, 0.2], [0.12, 0.1, 0.2]]),  # one of them leaves the box and comes back
        md.CubicBoundary(2.0),
        interactions=[LennardJones()],
    )
    end = md.minimize(built, tolerance=1e-3)
    found = on.to_numpy(end.coords)
    assert found[1, 0] - found[0, 0] + 2.0 == pytest.approx(2 ** (1 / 6) * SIGMA, rel=1e-5)
    assert float(on.to_numpy(md.potential_energy(end))) == pytest.approx(-EPSILON, rel=1e-8)
    assert (found >= 0.0).all()
    assert (found <= 2.0).all()
    assert end.backend is on


def test_lists_of_neighbors_are_kept_up_to_date() -> None:
    with_list = cluster(neighbor_finder=DistanceNeighborFinder(cutoff=1.001))
    # Few steps, because the order of a sum shows sooner or later.
    one, other = (md.minimize(each, max_steps=40, tolerance=1.0) for each in (cluster(), with_list))
    np.testing.assert_allclose(one.coords, other.coords, atol=1e-9)


def test_it_has_no_derivative_and_says_so(on: md.Backend, array: Callable[..., Any]) -> None:
    def loss(sigma: Any) -> Any:
        built = cluster(array)
        moved = md.minimize(built.replace(atoms=md.Atoms(sigma=sigma, epsilon=EPSILON)))
        return md.potential_energy(moved)

    with pytest.raises(md.GradientError, match=r"cannot be differentiated.*outside of the loss"):
        md.grad(loss, backend=on)(SIGMA)


def test_velocities_and_everything_else_are_kept() -> None:
    start = cluster(velocities=np.ones((20, 3)))
    end = md.minimize(start, tolerance=100.0)
    np.testing.assert_array_equal(end.velocities, start.velocities)
    assert end.interactions is start.interactions
    assert end.boundary is start.boundary
