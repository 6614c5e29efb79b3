"""Four atoms that are fine, of which a test spoils one thing."""

from __future__ import annotations

from typing import Any

import numpy as np

import xpmd as md
from xpmd_interactions import HarmonicBond, LennardJones

COORDS = np.array([[0.1, 0.1, 0.1], [0.6, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 1.3]])


def atoms(**changes: Any) -> md.Atoms:
    return md.Atoms(**{"mass": 1.0, "sigma": 0.3, "epsilon": 0.2, **changes})


def lennard_jones(distance: float = 1.0) -> LennardJones:
    return LennardJones(cutoff=md.DistanceCutoff(distance))


def bonds(pairs: Any = ((0, 1), (1, 2)), k: Any = 100.0, r0: Any = 0.5) -> HarmonicBond:
    return HarmonicBond(atoms=pairs, k=k, r0=r0)


def system(**changes: Any) -> md.System:
    fine = {
        "atoms": atoms(),
        "coords": COORDS,
        "boundary": md.CubicBoundary(3.0),
        "interactions": [lennard_jones()],
    }
    return md.System(**{**fine, **changes})
