"""The harmonic bond."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.specific import SpecificInteraction

Array = Any


class HarmonicBond(SpecificInteraction):
    """V(r) = k/2 (r - r0)^2.

    Args:
        atoms: pairs `(bonds, 2)`.
        k: force constant, kJ/mol/nm^2, a scalar or one value a bond.
        r0: length at rest, nm, likewise.
    """

    k: Array
    r0: Array

    units: ClassVar[dict[str, str]] = {"k": "energy/length^2", "r0": "length"}

    def energy(self, r: Array, k: Array, r0: Array, *, xp: Any) -> Array:
        return 0.5 * k * (r - r0) ** 2
