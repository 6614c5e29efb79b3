"""Observables of a System alone as rows of the table of conformance tests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import xpmd as md
import xpmd_observables as obs
from xpmd.testing import observable_checks

OF_A_SYSTEM: dict[str, Callable[[md.System], Any]] = {
    "box_parameters": obs.box_parameters,
    "center_of_mass": obs.center_of_mass,
    "density": obs.density,
    "distance_matrix": obs.distance_matrix,
    "group_distance": functools.partial(obs.group_distance, first=[0, 1], second=[2, 3]),
    "hydrodynamic_radius": obs.hydrodynamic_radius,
    "mean_min_separation": obs.mean_min_separation,
    "pair_distances": functools.partial(obs.pair_distances, pairs=[[0, 1], [2, 3]]),
    "radial_distribution": lambda s: obs.radial_distribution(s, r_max=0.5, n_bins=8)[1],
    "radius_of_gyration": obs.radius_of_gyration,
    "scalar_pressure": obs.scalar_pressure,
    "segment_order": functools.partial(obs.segment_order, chains=[[0, 1, 2], [3, 4, 5]]),
    "steinhardt": functools.partial(obs.steinhardt, degree=4, cutoff=0.6, start=0.3),
    "straightness": functools.partial(obs.straightness, chains=[[0, 1, 2], [3, 4, 5]]),
    "total_energy": obs.total_energy,
    "whole": lambda s: obs.radius_of_gyration(obs.whole(s)),
}
CHECKS = [
    pytest.param(check, id=f"{name}-{check.name}")
    for name, observable in OF_A_SYSTEM.items()
    for check in observable_checks(observable, backends=("numpy", "torch"))
    # Slopes of each are held against differences next door.
    if not check.name.startswith("gradients")
]


@pytest.mark.parametrize("check", CHECKS)
def test_an_observable_conforms(check):
    check.run()
