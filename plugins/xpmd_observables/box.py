"""The numbers that make the box, to record along a run in which it changes."""

from __future__ import annotations

from typing import Any

from xpmd.module import flatten

Array = Any


def box_parameters(system: Any) -> Array:
    """Return the sides of the box, or a_x b_x b_y c_x c_y c_z of a triclinic one, nm.

    Args:
        system: a System.
    """
    leaves, _ = flatten(system.boundary)
    return system.backend.xp(*leaves).stack(leaves)
