"""Interactions: pairwise, specific (bonded) and general, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_interactions.general.muller_brown import MullerBrown
    from xpmd_interactions.pairwise.coulomb import Coulomb
    from xpmd_interactions.pairwise.lennard_jones import LennardJones
    from xpmd_interactions.specific.harmonic_angle import HarmonicAngle
    from xpmd_interactions.specific.harmonic_bond import HarmonicBond
    from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

__all__ = [
    "Coulomb",
    "HarmonicAngle",
    "HarmonicBond",
    "LennardJones",
    "MullerBrown",
    "PeriodicTorsion",
]

__getattr__ = lazy_exports("xpmd_interactions.components")
