"""Radius of gyration."""

from __future__ import annotations

from typing import Any

Array = Any


def radius_of_gyration(system: Any) -> Array:
    """Return sqrt(sum m |x - c|^2 / sum m) about the center of mass c, nm; differentiable.

    Coordinates are taken as they are, so a molecule must not be split by the boundary.
    """
    xp = system.backend.xp(system.coords, system.atoms.mass)
    mass = system.masses(xp=xp) + 0.0 * system.coords
    total = xp.sum(mass[:, 0])
    center = xp.sum(mass * system.coords, axis=0) / total
    offset = system.coords - center
    return xp.sqrt(xp.sum(mass * offset * offset) / total)
