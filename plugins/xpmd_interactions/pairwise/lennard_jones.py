"""The Lennard-Jones potential."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd import mixing
from xpmd.cutoffs import Cutoff, NoCutoff
from xpmd.pairwise import PairwiseInteraction

Array = Any


class LennardJones(PairwiseInteraction):
    """V(r) = 4 epsilon [(sigma/r)^12 - (sigma/r)^6].

    Lorentz-Berthelot mixing: sigma (nm) by the arithmetic mean, epsilon (kJ/mol) by the geometric.

    Args:
        cutoff: how the potential ends.

    Source: J. E. Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931).
    """

    cutoff: Cutoff = NoCutoff()

    atom_parameters: ClassVar[dict[str, Any]] = {
        "sigma": mixing.lorentz,
        "epsilon": mixing.geometric,
    }

    def energy(self, r: Array, sigma: Array, epsilon: Array, *, xp: Any) -> Array:
        ratio = sigma / r
        sixth = ratio**6
        return 4.0 * epsilon * (sixth * sixth - sixth)
