"""The harmonic angle."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.specific import SpecificInteraction

Array = Any


class HarmonicAngle(SpecificInteraction):
    """V(theta) = k/2 (theta - theta0)^2; no force on collinear atoms.

    Args:
        atoms: triples `(angles, 3)`, the middle atom second.
        k: force constant, kJ/mol/rad^2, a scalar or one value an angle.
        theta0: angle at rest, radian, likewise.
    """

    k: Array
    theta0: Array

    units: ClassVar[dict[str, str]] = {"k": "energy/angle^2", "theta0": "angle"}

    def energy(self, angle: Array, k: Array, theta0: Array, *, xp: Any) -> Array:
        return 0.5 * k * (angle - theta0) ** 2
