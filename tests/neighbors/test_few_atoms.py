"""Few atoms, where lists are compiled: all distances are looked at, whatever the finder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.every_image import GROUPS
from neighbors.lennard_jones_boxes import FINDERS, lennard_jones
from neighbors.test_gradients import of_all_pairs, slopes
from neighbors.test_pairs import hold_in
from xpmd.neighbor_finder import MOST_DENSE, lists_densely
from xpmd.neighbor_upkeep import neighbors_of
from xpmd_neighbors import AllPairs
from xpmd_simulators import VelocityVerlet

pytestmark = pytest.mark.dense


@pytest.fixture(params=["jax", "numpy"])
def on(request: pytest.FixtureRequest) -> md.Backend:
    """One library that compiles, and one that does not and has the list it always has."""
    pytest.importorskip(request.param)
    return md.backend(request.param)


@pytest.mark.parametrize(
    ("group", "finder"), [*((group, "cells") for group in GROUPS), ("closed", "scipy")]
)
def test_pairs_within_the_cutoff(on: md.Backend, group: str, finder: str) -> None:
    hold_in(list(GROUPS[group]), finder, on, excluded=[(0, 1), (5, 9)])


@pytest.mark.parametrize("finder", ["cells", "host"])
def test_derivatives_are_those_with_all_pairs(array: Callable[..., Any], finder: str) -> None:
    found = slopes(array, FINDERS[finder], 8)
    for each, expected in zip(found, of_all_pairs(8), strict=True):
        np.testing.assert_allclose(each, expected, rtol=0.0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("finder", ["cells", "host"])
@pytest.mark.parametrize("n_atoms", [MOST_DENSE, MOST_DENSE + 1])
def test_the_border(on: md.Backend, array: Callable[..., Any], finder: str, n_atoms: int) -> None:
    system = lennard_jones(array, FINDERS[finder], n_atoms=n_atoms)
    neighbors, _ = neighbors_of(system)
    dense = on.capabilities.jit and n_atoms == MOST_DENSE
    assert (neighbors.layout == "dense") == dense == lists_densely(n_atoms, on)
    expected = md.forces(lennard_jones(np.asarray, AllPairs(), n_atoms=n_atoms))
    size = np.abs(expected).max()
    np.testing.assert_allclose(
        on.to_numpy(md.forces(system)), expected, rtol=0.0, atol=1e-12 * size
    )


def test_nothing_need_be_known() -> None:
    """A compiled simulation of few atoms needs no `capacity`."""
    jax = pytest.importorskip("jax")
    system = lennard_jones(
        lambda x, dtype="float64": jax.numpy.asarray(x, dtype), FINDERS["cells"], n_atoms=60
    )

    @jax.jit
    def moved(coords: Any) -> Any:
        return md.simulate(system.replace(coords=coords), VelocityVerlet(dt=0.002), 5).coords

    expected = md.simulate(system, VelocityVerlet(dt=0.002), 5).coords
    np.testing.assert_allclose(moved(system.coords), expected, rtol=0.0, atol=1e-12)
