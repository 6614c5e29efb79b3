"""Starting velocities from the Maxwell-Boltzmann distribution."""

from __future__ import annotations

import numbers
import operator
from typing import Any

from xpmd.array_like import float_array_like
from xpmd.backend import backend_of
from xpmd.concrete import require_positive
from xpmd.noise import VELOCITY_STREAM, host_noise
from xpmd.units import UnitSystem, magnitude, molar


def random_velocities(
    mass: Any,
    temperature: Any,
    n_atoms: int | None = None,
    seed: int = 0,
    like: Any = None,
    dimensions: int = 3,
    units: UnitSystem = molar,
) -> Any:
    """Draw velocities from the Maxwell-Boltzmann distribution.

        v = sqrt(k_B T / m) z,   z normal with mean 0 and variance 1

    The same seed gives the same z on every array library. Gradients reach mass and temperature.
    The motion of the center of mass is left in; an atom of mass 0 gets the velocity 0.

    Args:
        mass: scalar or `(n_atoms,)`, u.
        temperature: scalar, K.
        n_atoms: how many; the length of `mass` or of `like` (n_atoms, d) if left out.
        seed: 0 <= seed < 2**64.
        like: an array of the library, float type and device wanted; if left out, those of `mass`
            or `temperature` where they are arrays, else NumPy float64.
        dimensions: d, of space.
        units: the unit system of the numbers, which has k_B.

    Returns:
        Velocities `(n_atoms, d)`, nm/ps.

    Source: Frenkel and Smit, Understanding Molecular Simulation, 2nd ed. 2002, section 4.2.1.
    """
    mass = magnitude(mass, "mass", units, name="mass")
    temperature = magnitude(temperature, "temperature", units, name="temperature")
    require_positive("mass", mass, allow_zero=True)
    require_positive("temperature", temperature, allow_zero=True)
    arrays = [value for value in (like, mass, temperature) if _is_array(value)]
    n_atoms = _count(n_atoms, mass, like)
    if dimensions < 1:
        raise ValueError(f"`dimensions` = {dimensions} must be 1 or more")
    if arrays:
        backend_of(*arrays)  # raises if they are of several libraries
    reference = arrays[0] if arrays else None

    mass = float_array_like(mass, reference)
    temperature = float_array_like(temperature, reference)
    if temperature.ndim != 0:
        raise ValueError(
            f"`temperature` must be a scalar, not an array of shape {tuple(temperature.shape)}"
        )
    # Drawn on the host in float64 and then converted, so that the numbers are the same everywhere.
    normals = host_noise(seed, VELOCITY_STREAM).normal(0, (n_atoms, dimensions))
    normals = float_array_like(normals, reference)
    xp = backend_of(normals).xp(mass, temperature, normals)
    # The division is masked too, or the gradient of a massless atom would be NaN.
    massive = mass > 0.0
    spread = xp.sqrt(units.boltzmann * temperature / xp.where(massive, mass, xp.ones_like(mass)))
    spread = xp.where(massive, spread, xp.zeros_like(spread))
    return xp.reshape(spread, (-1, 1)) * normals


def _is_array(value: Any) -> bool:
    # NumPy's scalars have a shape as well, and go with any library.
    return hasattr(value, "shape") and not isinstance(value, numbers.Real)


def _count(n_atoms: int | None, mass: Any, like: Any) -> int:
    """Return the number of atoms, from the argument, the masses or the array to be like."""
    shape = (len(mass),) if isinstance(mass, (list, tuple)) else tuple(getattr(mass, "shape", ()))
    if len(shape) > 1:
        raise ValueError(f"`mass` must be a scalar or of shape (n_atoms,), not of shape {shape}")
    if n_atoms is None:
        if shape:
            return int(shape[0])
        if len(getattr(like, "shape", ())) == 2:
            return int(like.shape[0])
        raise ValueError(
            "`n_atoms` is needed where `mass` is a scalar and `like` is not an array (n_atoms, d)"
        )
    n_atoms = operator.index(n_atoms)
    if n_atoms < 0:
        raise ValueError(f"`n_atoms` = {n_atoms} must be zero or positive")
    if shape and shape[0] not in (1, n_atoms):
        raise ValueError(f"`mass` has {shape[0]} values for `n_atoms` = {n_atoms} atoms")
    return n_atoms
