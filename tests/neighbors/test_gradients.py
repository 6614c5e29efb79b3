"""No gradient flows into a list: derivatives with one are those with all pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.lennard_jones_boxes import CUTOFF, FINDERS, lennard_jones
from xpmd_neighbors import AllPairs, CellListNeighborFinder
from xpmd_simulators import VelocityVerlet

N_ATOMS = 40
WEIGHTS = np.random.default_rng(1).standard_normal((N_ATOMS, 3))
EVERY = {**FINDERS, "cells without skin": CellListNeighborFinder(cutoff=CUTOFF)}


def slopes(array: Callable[..., Any], finder: md.NeighborFinder, n_steps: int | None) -> list[Any]:
    """Return derivatives with respect to positions, sizes, box and cutoff.

    Args:
        n_steps: of the energy if left out, else of where atoms are after so many steps.
    """
    system = lennard_jones(array, finder, n_atoms=N_ATOMS, temperature=3000.0)
    on = system.backend
    parameters = {
        "coords": system.coords,
        "sigma": system.atoms.sigma,
        "side": array(3.6),
        "cutoff": array(CUTOFF - 1e-9),
    }

    def loss(p: dict[str, Any]) -> Any:
        interaction = system.interactions[0].replace(cutoff=md.ShiftedForceCutoff(p["cutoff"]))
        changed = system.replace(
            coords=p["coords"],
            atoms=system.atoms.replace(sigma=p["sigma"]),
            boundary=md.CubicBoundary(3.2, p["side"], 4.0),
            interactions=[interaction],
        )
        if n_steps is None:
            return md.potential_energy(changed)
        end = md.simulate(changed, VelocityVerlet(dt=0.01), n_steps)
        weights = array(WEIGHTS)
        return on.xp(end.coords, weights).sum(end.coords * weights)

    gradient = md.grad(loss)(parameters)
    return [on.to_numpy(gradient[name]) for name in parameters]


@cache
def of_all_pairs(n_steps: int | None) -> list[Any]:
    return slopes(np.asarray, AllPairs(), n_steps)


@pytest.mark.parametrize(
    ("finder", "n_steps"),
    [
        ("host", None),
        ("cells", 8),
        pytest.param("cells", None, marks=pytest.mark.slow),
        pytest.param("host", 8, marks=pytest.mark.slow),
        pytest.param("cells without skin", 8, marks=pytest.mark.slow),
    ],
)
def test_as_with_all_pairs(
    on: md.Backend, array: Callable[..., Any], finder: str, n_steps: int | None
) -> None:
    found = slopes(array, EVERY[finder], n_steps)
    for each, expected in zip(found, of_all_pairs(n_steps), strict=True):
        size = np.abs(expected).max()
        assert size > 0.0
        np.testing.assert_allclose(each, expected, rtol=0.0, atol=1e-11 * size)
