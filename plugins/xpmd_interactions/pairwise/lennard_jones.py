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
        square = ratio * ratio  # a power costs NumPy thirty products
        sixth = square * square * square
        return 4.0 * epsilon * (sixth * sixth - sixth)

    def radial(self, r2: Array, sigma: Array, epsilon: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f = 24 epsilon (2 t^2 - t)/s with t = (sigma^2/s)^3, df/ds, and df/dp."""
        inverse = 1.0 / r2
        square = sigma * sigma * inverse
        sixth = square * square * square
        depth = 24.0 * epsilon
        yield (2.0 * depth * sixth - depth) * sixth * inverse
        yield (4.0 * depth - 14.0 * depth * sixth) * sixth * inverse * inverse
        # sigma^5 / r^6, and no division by sigma, which may be zero.
        fifth = square * square * (sigma * inverse)
        of_sigma = (24.0 * depth * sixth - 6.0 * depth) * fifth * inverse
        of_epsilon = (48.0 * sixth - 24.0) * sixth * inverse
        yield [of_sigma, of_epsilon]
