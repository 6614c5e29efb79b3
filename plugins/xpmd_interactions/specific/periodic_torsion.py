"""The periodic torsion."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.specific import SpecificInteraction

Array = Any


class PeriodicTorsion(SpecificInteraction):
    """V(phi) = sum over terms of k (1 + cos(n phi - phase)).

    Args:
        atoms: quadruples `(torsions, 4)`; the same four may occur again for a further term.
        periodicity: n, a scalar, one value a torsion, or `(torsions, terms)`.
        phase: radian, likewise.
        k: kJ/mol, likewise.
    """

    periodicity: Array
    phase: Array
    k: Array

    units: ClassVar[dict[str, str]] = {"phase": "angle", "k": "energy"}

    def energy(
        self, dihedral: Array, periodicity: Array, phase: Array, k: Array, *, xp: Any
    ) -> Array:
        if max(periodicity.ndim, phase.ndim, k.ndim) < 2:
            return k * (1.0 + xp.cos(periodicity * dihedral - phase))
        columns = xp.expand_dims(dihedral, axis=-1)
        terms = (_column(each, xp) for each in (periodicity, phase, k))
        n, shift, height = terms
        return xp.sum(height * (1.0 + xp.cos(n * columns - shift)), axis=-1)


def _column(values: Array, xp: Any) -> Array:
    """Let one value a torsion stand for all of its terms."""
    return xp.expand_dims(values, axis=-1) if values.ndim == 1 else values
