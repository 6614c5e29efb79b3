"""The Lennard-Jones potential."""

from __future__ import annotations

from collections.abc import Iterator
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

    def radial(self, r2: Array, sigma: Array, epsilon: Array, *, xp: Any) -> Iterator[Any]:
        inverse = 1.0 / r2
        square = sigma * sigma * inverse
        sixth = square * square * square
        depth = 24.0 * epsilon * inverse
        strength = depth * sixth
        yield strength * (2.0 * sixth - 1.0)
        yield strength * inverse * (4.0 - 14.0 * sixth)
        of_sigma = depth * (24.0 * sixth - 6.0) * square * square * (sigma * inverse)
        of_epsilon = 24.0 * inverse * sixth * (2.0 * sixth - 1.0)
        yield [of_sigma, of_epsilon]
