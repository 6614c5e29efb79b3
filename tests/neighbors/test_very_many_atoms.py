"""Lists of so many atoms that nobody looks at all of them to say how long the list has to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import lattice
from xpmd.neighbor_finder import EXACT
from xpmd.neighbor_upkeep import build_neighbors, plan_neighbors
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder, distance, sampled_counts
from xpmd_neighbors.distance import lists_exactly
from xpmd_neighbors.host_lists import most_entries
from xpmd_neighbors.host_pairs import host_pairs
from xpmd_neighbors.sampled_counts import (
    MOST_COUNTED,
    ROOM,
    cells_covering,
    host_grid,
    sampled_entries,
)

CUTOFF, SKIN = 0.5, 0.1
FINDERS = {
    "cells": CellListNeighborFinder(cutoff=CUTOFF + SKIN),
    "host": DistanceNeighborFinder(cutoff=CUTOFF + SKIN),
}


def liquid() -> tuple[Any, md.Boundary]:
    """Return atoms that fill their box evenly."""
    coords, side = lattice(18)
    return coords, md.CubicBoundary(side)


def slab() -> tuple[Any, md.Boundary]:
    """Return a liquid between two gases, atoms in no order."""
    coords, side = lattice(17)
    random = np.random.default_rng(3)
    gas = random.random((MOST_COUNTED // 10, 3)) * [side, side, 2 * side] + [0.0, 0.0, side + 0.3]
    coords = random.permutation(np.concatenate([coords, gas]))
    return coords, md.CubicBoundary(side, side, 3 * side + 0.6)


ARRANGEMENTS = {"liquid": liquid, "slab": slab}


def system_of(name: str, finder: md.NeighborFinder, array: Callable[..., Any]) -> md.System:
    coords, boundary = ARRANGEMENTS[name]()
    sizes = 0.3 + 0.02 * np.random.default_rng(1).random(len(coords))
    return md.System(
        atoms=md.Atoms(mass=40.0, sigma=array(sizes), epsilon=1.0),
        coords=array(coords),
        boundary=boundary,
        interactions=[LennardJones(cutoff=md.DistanceCutoff(CUTOFF))],
        neighbor_finder=finder,
        exclusions=md.Exclusions([[0, 1], [0, 2], [7, 9]]),
    )


def refuse(*arguments: Any, **settings: Any) -> Any:
    raise AssertionError("all pairs were looked at")


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_a_plan_from_some_atoms_has_room_for_all(
    on: md.Backend,
    array: Callable[..., Any],
    name: str,
    finder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = system_of(name, FINDERS[finder], array)
    assert system.n_atoms > MOST_COUNTED
    if lists_exactly(on):
        assert plan_neighbors(system, system.coords) == EXACT
        return
    with monkeypatch.context() as patched:
        for module in (distance, sampled_counts):
            patched.setattr(module, "host_pairs", refuse)
        plan = plan_neighbors(system, system.coords)
    found = build_neighbors(system, system.coords, plan, xp=on.xp(system.coords))
    assert not bool(found.overflow)
    assert not system.neighbor_finder.is_wasteful(plan, found)


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_what_is_counted_for_a_sample(name: str) -> None:
    """The most neighbors up to a few, the number of pairs up to what a sample is off by."""
    coords, boundary = ARRANGEMENTS[name]()
    cells = cells_covering(coords, boundary, CUTOFF, np)
    grid = host_grid(coords, boundary, CUTOFF, cells)
    first, second = host_pairs(coords, boundary, CUTOFF)
    most = most_entries(first, second, len(coords), full=True)
    found = sampled_entries(grid, boundary, CUTOFF, full=True)
    assert 0.9 * most <= found <= ROOM * most + 1
    pairs = sampled_entries(grid, boundary, CUTOFF, full=False)
    assert pairs == pytest.approx(len(first), rel=0.05)


def test_a_sample_that_missed_the_crowd(
    on: md.Backend, array: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is planned too short grows, and forces are those of the exact list."""
    expected = md.forces(system_of("slab", FINDERS["host"], np.asarray))
    monkeypatch.setattr(sampled_counts, "sampled_entries", lambda *_, **__: 3)
    found = on.to_numpy(md.forces(system_of("slab", FINDERS["cells"], array)))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-11 * scale)
