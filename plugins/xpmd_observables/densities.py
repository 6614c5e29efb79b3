"""Volume and density."""

from __future__ import annotations

from typing import Any

Array = Any


def volume(system: Any) -> Array:
    """Return the volume of the box of a System, nm^3 (the area in the plane, nm^2).

    Raises:
        ValueError: a side of the box is open.
    """
    _require_closed(system)
    return system.boundary.volume()


def density(system: Any) -> Array:
    """Return sum m / V of a System, u/nm^3; 1 u/nm^3 = 1.660539 kg/m^3.

    Raises:
        ValueError: a side of the box is open.
    """
    _require_closed(system)
    mass = system.atoms.mass
    xp = system.backend.xp(mass)
    total = mass * float(system.n_atoms) if mass.ndim == 0 else xp.sum(mass)
    return total / system.boundary.volume()


def number_density(system: Any) -> Array:
    """Return n / V of a System, 1/nm^3.

    Raises:
        ValueError: a side of the box is open.
    """
    _require_closed(system)
    return float(system.n_atoms) / system.boundary.volume()


def _require_closed(system: Any) -> None:
    if not all(system.boundary.periodic):
        raise ValueError(
            f"{type(system.boundary).__name__} has an open side, so it has no volume: give every side "
            "a length."
        )
