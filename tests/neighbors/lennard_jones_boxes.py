"""Lennard-Jones atoms in boxes of every kind, for comparing lists with all pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder

CUTOFF = 0.9
LIST_CUTOFF = 1.1
MASS = 40.0
VECTORS = [[3.2, 0.0, 0.0], [1.4, 3.2, 0.0], [-1.5, 2.2, 3.4]]
#: Boundaries by name, each with a closed box of the same size to place atoms in.
BOUNDARIES = {
    "box": (md.CubicBoundary(3.2, 3.6, 4.0), md.CubicBoundary(3.2, 3.6, 4.0)),
    "open": (md.CubicBoundary(3.2, np.inf, 3.4), md.CubicBoundary(3.2, 3.5, 3.4)),
    "tilted": (md.TriclinicBoundary(VECTORS), md.TriclinicBoundary(VECTORS)),
    "plane": (md.RectangularBoundary(7.0, 7.5), md.RectangularBoundary(7.0, 7.5)),
}
FINDERS = {
    "host": DistanceNeighborFinder(cutoff=LIST_CUTOFF),
    "cells": CellListNeighborFinder(cutoff=LIST_CUTOFF),
}
CHAIN = [[k, k + 1] for k in range(20)]


def lennard_jones(
    array: Callable[..., Any],
    finder: md.NeighborFinder | None,
    *,
    boundary: str = "box",
    cutoff: md.Cutoff | None = None,
    n_atoms: int = 150,
    temperature: float = 300.0,
    dtype: str = "float64",
) -> md.System:
    """Return atoms of two sizes, some pairs of which are excluded."""
    used, closed = BOUNDARIES[boundary]
    coords = md.place_atoms(n_atoms, closed, min_dist=0.3, seed=3)
    velocities = md.random_velocities(
        mass=MASS, temperature=temperature, n_atoms=n_atoms, seed=4, like=coords
    )
    sigma = np.where(np.arange(n_atoms) % 3 == 0, 0.28, 0.32)
    return md.System(
        atoms=md.Atoms(mass=MASS, sigma=array(sigma, dtype), epsilon=0.8),
        coords=array(coords, dtype),
        velocities=array(velocities[:, : coords.shape[1]], dtype),
        boundary=used,
        interactions=[LennardJones(cutoff=cutoff or md.ShiftedForceCutoff(CUTOFF))],
        neighbor_finder=finder,
        exclusions=md.Exclusions(CHAIN),
    )
