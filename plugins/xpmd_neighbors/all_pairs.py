"""Every pair, listed once and for all."""

from __future__ import annotations

from xpmd.neighbor_finder import NeighborFinder


class AllPairs(NeighborFinder):
    """List all pairs that are not excluded: for small systems and potentials without cutoff."""
