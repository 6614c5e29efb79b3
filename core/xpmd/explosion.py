"""Telling an exploding simulation from a lively one, also where wrapping keeps its numbers finite."""

from __future__ import annotations

import math
from typing import Any

Array = Any


def acceleration_limit(system: Any, dt: Any) -> Array | None:
    """Return the acceleration that moves an atom over half the box in one step, dt^2 a = V^(1/d)/2.

    No atom is wrapped to a sensible place after such a step. Boxes with an open side have no such limit
    (`None`): there coordinates grow until they are no longer finite.
    """
    boundary = system.boundary
    if dt is None or not all(boundary.periodic):
        return None
    held = system.backend.stop_gradient
    volume = boundary.volume()
    volume = held(volume) if system.backend.is_array(volume) else volume
    dt = held(dt) if system.backend.is_array(dt) else dt
    return 0.5 * volume ** (1.0 / boundary.dimensions) / (dt * dt)


def largest_acceleration(forces: Array, system: Any) -> Array:
    """Return the largest component of f/m over all atoms, without gradient; NaN if any is."""
    held = system.backend.stop_gradient
    forces, mass = held(forces), held(system.atoms.mass)
    xp = system.backend.xp(forces, mass)
    if math.prod(forces.shape) == 0:
        return xp.sum(forces)
    if mass.ndim:
        mass = mass[:, None]
    return xp.max(xp.abs(forces) / mass)


def worst_atom(before: Any, after: Any) -> tuple[int, str]:
    """Return the atom that explodes between two states, and what became of it.

    Args:
        before, after: Systems, and forces `(n, d)` as NumPy arrays, of the last good state and the bad.
    """
    (system, forces), (broken, bad_forces) = before, after
    known = system.backend.known
    # Velocities last: removing the motion of the center of mass spreads one that is not finite to all.
    for part in (known(broken.coords), bad_forces, known(broken.velocities)):
        rows = (~(abs(part) < math.inf)).any(axis=1).nonzero()[0]
        if rows.size:
            worst = abs(forces[rows]).max(axis=1).argmax() if rows.size > 1 else 0
            return int(rows[worst]), "its state is no longer finite"
    mass = known(system.atoms.mass)
    accelerations = (abs(bad_forces) / (mass[:, None] if mass.ndim else mass)).max(axis=1)
    atom = int(accelerations.argmax())
    return atom, "the force on it would move it over half the box in one step"
