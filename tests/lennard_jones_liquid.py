"""Argon near its triple point: the fluid that tests of running simulations share.

Reduced units in nm and kJ/mol: density 0.8442, temperature 0.72, time step 0.002.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import xpmd as md
from xpmd_interactions import LennardJones

MASS = 39.948
SIGMA = 0.34
EPSILON = 0.99774
TEMPERATURE = 0.72 * EPSILON / md.units.molar.boltzmann
#: sigma sqrt(m/epsilon), ps
TIME = SIGMA * math.sqrt(MASS / EPSILON)
DT = 0.002 * TIME


def lattice(cells: int, *, density: float = 0.8442, jitter: float = 0.02) -> tuple[Any, float]:
    """Return 4 cells^3 atoms on a face-centered cubic lattice, each a little off, and the side, nm."""
    n_atoms = 4 * cells**3
    side = (n_atoms / density) ** (1.0 / 3.0) * SIGMA
    corners = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1)
    basis = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])
    places = (corners.reshape(-1, 1, 3) + basis).reshape(-1, 3) * side / cells
    noise = np.random.default_rng(7).standard_normal(places.shape)
    return places + jitter * SIGMA * noise, side


def liquid(
    array: Callable[..., Any],
    *,
    cells: int = 3,
    cutoff: md.Cutoff | None = None,
    finder: md.NeighborFinder | None = None,
    mass: Any = MASS,
) -> md.System:
    """Return a System of 4 cells^3 argon atoms on the backend that `array` makes arrays of."""
    coords, side = lattice(cells)
    # As many diameters as half the box holds.
    reach = min(2.35 * SIGMA, 0.49 * side)
    return md.System(
        atoms=md.Atoms(mass=mass, sigma=SIGMA, epsilon=EPSILON),
        coords=array(coords),
        velocities=md.random_velocities(
            mass=MASS, temperature=TEMPERATURE, n_atoms=len(coords), seed=5, like=array(coords)
        ),
        boundary=md.CubicBoundary(side),
        interactions=[LennardJones(cutoff=cutoff or md.ShiftedForceCutoff(reach))],
        neighbor_finder=finder,
    )
