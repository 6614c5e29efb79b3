"""The Buckingham potential."""

import xpmd as md


class Buckingham(md.PairwiseInteraction):
    """V(r) = A exp(-B r) - C / r^6, with `A` (kJ/mol), `B` (1/nm) and `C` (kJ/mol nm^6) of the atoms.

    Source: R. A. Buckingham, Proc. R. Soc. Lond. A 168, 264 (1938).
    """

    atom_parameters = {"A": md.mixing.geometric, "B": md.mixing.inverse, "C": md.mixing.geometric}
    cutoff: md.Cutoff = md.NoCutoff()

    def energy(self, r, A, B, C, *, xp):
        return A * xp.exp(-B * r) - C / r**6
