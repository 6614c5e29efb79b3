"""Total energy."""

from __future__ import annotations

from typing import Any

from xpmd.properties import kinetic_energy, potential_energy

Array = Any


def total_energy(system: Any) -> Array:
    """Return the potential plus the kinetic energy of a System, a scalar, kJ/mol."""
    return potential_energy(system) + kinetic_energy(system)
