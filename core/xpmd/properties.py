"""Energies, forces, pressure and temperature of a System as it stands."""

from __future__ import annotations

import math
from typing import Any

from xpmd.errors import SimulationError
from xpmd.force_field import total_energy, total_forces, total_virial
from xpmd.force_jumps import without_jumps
from xpmd.neighbor_upkeep import neighbors_of, poisoned
from xpmd.pairwise import pair_geometry

Array = Any


def potential_energy(system: Any) -> Array:
    """Return the potential energy, a scalar, kJ/mol."""
    neighbors, xp = neighbors_of(system)
    energy = total_energy(system, system.coords, neighbors, xp=xp)
    return poisoned(energy, system, neighbors)


def forces(system: Any) -> Array:
    """Return the forces `(n, d)`, kJ/mol/nm.

    Raises:
        SimulationError: a force is not finite; names the atom, and the pair if two atoms overlap.
    """
    system = without_jumps(system)
    neighbors, xp = neighbors_of(system)
    result = total_forces(system, system.coords, neighbors, xp=xp)
    check_forces(system, result, neighbors, xp=xp)
    return poisoned(result, system, neighbors)


def virial(system: Any) -> Array:
    """Return W = sum r (x) f, `(d, d)`, kJ/mol, as LAMMPS defines it: positive when repulsive."""
    system = without_jumps(system)
    neighbors, xp = neighbors_of(system)
    return poisoned(total_virial(system, system.coords, neighbors, xp=xp), system, neighbors)


def kinetic_tensor(system: Any) -> Array:
    """Return K = 1/2 sum m v (x) v, `(d, d)`, kJ/mol."""
    xp = system.backend.xp(system.velocities, system.atoms.mass)
    v, mass = system.velocities, system.masses(xp=xp)
    momentum = mass * v
    axes = range(v.shape[1])
    return 0.5 * xp.stack(
        [xp.stack([xp.sum(momentum[:, a] * v[:, b]) for b in axes]) for a in axes]
    )


def pressure(system: Any) -> Array:
    """Return P = (2 K + W)/V, `(d, d)`, kJ/mol/nm^3; the scalar pressure is its trace over d."""
    volume = system.boundary.volume()
    return (2.0 * kinetic_tensor(system) + virial(system)) / volume


def kinetic_energy(system: Any) -> Array:
    """Return 1/2 sum m v^2, a scalar, kJ/mol."""
    xp = system.backend.xp(system.velocities, system.atoms.mass)
    return kinetic_energy_of(system.velocities, system, xp=xp)


def temperature(system: Any) -> Array:
    """Return T = 2 K/(n_dof k_B), K."""
    xp = system.backend.xp(system.velocities, system.atoms.mass)
    return temperature_of(system.velocities, system, xp=xp)


def kinetic_energy_of(velocities: Array, system: Any, *, xp: Any) -> Array:
    """Return the kinetic energy of given velocities in a system, kJ/mol."""
    return 0.5 * xp.sum(system.masses(xp=xp) * velocities * velocities)


def temperature_of(velocities: Array, system: Any, *, xp: Any) -> Array:
    """Return the temperature of given velocities in a system, K."""
    scale = 2.0 / (system.degrees_of_freedom * system.units.boltzmann)
    return scale * kinetic_energy_of(velocities, system, xp=xp)


def check_forces(
    system: Any, found: Array, neighbors: Any, *, xp: Any, step: int = 0, limit: Any = None
) -> None:
    """Raise `SimulationError` if a force is not finite, saying which atoms are to blame.

    Args:
        limit: largest acceleration that is accepted, nm/ps^2; none if left out.
    """
    known = system.backend.known(found)
    if known is None or not known.size:
        return
    mass = system.backend.known(system.atoms.mass)
    limit = None if limit is None else system.backend.known(limit)
    sizes = abs(known).max(axis=1)
    bad, fate = ~(sizes < math.inf), "is not finite"
    if not bad.any() and mass is not None and limit is not None:
        bad, fate = sizes > limit * mass, "would move it over half the box in one step"
    if not bad.any():
        return
    atom = int(bad.nonzero()[0][sizes[bad].argmax()])
    reason = _closest_pair(system, neighbors, xp) if system.pairwise else ""
    raise SimulationError(
        f"The force on atom {atom} at step {step} {fate}{reason}. Look at the starting coordinates "
        "and the units, minimize the energy first, or use a smaller time step.",
        step=step,
        atom=atom,
    )


def _closest_pair(system: Any, neighbors: Any, xp: Any) -> str:
    geometry = pair_geometry(system.coords, system.boundary, neighbors, xp=xp)
    squared = geometry.squared
    if neighbors.mask is not None:
        squared = xp.where(neighbors.mask, squared, float("inf") + xp.zeros_like(squared))
    known = system.backend.known(squared)
    if known is None or known.size == 0:
        return ""
    place = int(known.argmin())
    where: tuple[int, ...] = divmod(place, known.shape[1]) if known.ndim == 2 else (place,)
    ends = neighbors.of_first(system.index), neighbors.of_second(system.index)
    first, second = (int(xp.broadcast_to(end, squared.shape)[where]) for end in ends)
    return f": atoms {first} and {second} are {float(known[where]) ** 0.5:.3g} nm apart"
