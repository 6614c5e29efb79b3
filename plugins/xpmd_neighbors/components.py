"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the neighbor finders."""
    rows = [
        ("AllPairs", "all_pairs", "every pair, once and for all"),
        ("DistanceNeighborFinder", "distance", "searched on the host"),
        ("CellListNeighborFinder", "cell_list", "cells, in compiled code where there is any"),
    ]
    return [
        Component("neighbor_finder", name, f"xpmd_neighbors.{module}:{name}", summary=summary)
        for name, module, summary in rows
    ]
