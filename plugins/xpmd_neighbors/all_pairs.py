"""Every pair, listed once and for all."""

from __future__ import annotations

from xpmd.neighbor_finder import NeighborFinder


class AllPairs(NeighborFinder):
    """List all pairs that are not excluded: for small systems and potentials without cutoff.

    Time and memory go with the square of the number of atoms: some 16 bytes a pair where pairs are
    listed once, half a gigabyte for 8000 atoms.
    """
