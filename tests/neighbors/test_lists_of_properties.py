"""The lists of energies and forces outside of simulations: found where values are known, and once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder

FINDERS = {"cells": CellListNeighborFinder, "distances": DistanceNeighborFinder}


@pytest.fixture(params=FINDERS)
def system(request: pytest.FixtureRequest, array: Any) -> md.System:
    coords, velocities = start()
    return md.System(
        atoms=md.Atoms(mass=40.0, sigma=0.34, epsilon=0.9),
        coords=array(coords),
        velocities=array(velocities),
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.7))],
        neighbor_finder=FINDERS[request.param](cutoff=0.75),
    )


def test_the_gradient_of_the_energy_of_many_atoms(
    on: md.Backend, system: md.System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coordinates that are differentiated have values: no list of all pairs stands in for theirs."""
    monkeypatch.setattr("xpmd.neighbor_upkeep.MOST_ATOMS_ALL_PAIRS", 4)
    slope = md.grad(lambda coords: md.potential_energy(system.replace(coords=coords)))(
        system.coords
    )
    forces = on.to_numpy(md.forces(system))
    np.testing.assert_allclose(-on.to_numpy(slope), forces, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("on", ["jax"], indirect=True)
def test_a_list_is_planned_once(
    on: md.Backend, array: Any, system: md.System, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(system.neighbor_finder)
    plan, calls = kind.plan, []

    def counted(self: Any, *arguments: Any, **settings: Any) -> Any:
        calls.append(self)
        return plan(self, *arguments, **settings)

    monkeypatch.setattr(kind, "plan", counted)
    # A field that no other test has, so that nothing is remembered of it.
    atoms = md.Atoms(mass=40.0, sigma=0.34, epsilon=0.9, planned_once=array(np.zeros(64)))
    system = system.replace(atoms=atoms)
    first = on.to_numpy(md.forces(system))
    assert len(calls) == 1
    moved = system.replace(coords=system.coords + 0.01)
    np.testing.assert_allclose(on.to_numpy(md.forces(moved)), first, rtol=1e-8, atol=1e-8)
    assert len(calls) == 1


@pytest.mark.parametrize("on", ["jax"], indirect=True)
def test_a_plan_that_is_too_small_is_enlarged(
    on: md.Backend, array: Any, system: md.System
) -> None:
    """Atoms that crowd have more neighbors than the list had room for the last time."""
    sparse = system.replace(
        atoms=md.Atoms(mass=40.0, sigma=0.34, epsilon=0.9, crowded=array(np.zeros(64)))
    )
    md.forces(sparse)
    dense = sparse.replace(coords=sparse.coords * 0.6)
    alone = dense.replace(neighbor_finder=md.NeighborFinder())
    found, wanted = (on.to_numpy(md.forces(each)) for each in (dense, alone))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * abs(wanted).max())
