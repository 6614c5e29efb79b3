"""The Coulomb potential."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from xpmd import mixing
from xpmd.cutoffs import Cutoff, NoCutoff
from xpmd.pairwise import PairwiseInteraction
from xpmd.units import molar

Array = Any


class Coulomb(PairwiseInteraction):
    """V(r) = k_e q_i q_j / r.

    Args:
        cutoff: how the potential ends.
        constant: k_e, kJ mol^-1 nm e^-2.
    """

    cutoff: Cutoff = NoCutoff()
    constant: Array = molar.coulomb_constant

    atom_parameters: ClassVar[dict[str, Any]] = {"charge": mixing.product}

    def energy(self, r: Array, charges: Array, *, xp: Any) -> Array:
        return self.constant * charges / r

    def radial(self, r2: Array, charges: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f = k_e q_i q_j / r^3, df/ds, and df/dp."""
        cube = 1.0 / (r2 * xp.sqrt(r2))
        f = self.constant * charges * cube
        yield f
        yield -1.5 * f / r2
        yield [self.constant * cube, charges * cube]
