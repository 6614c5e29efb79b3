"""What a list of very many atoms takes."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

import xpmd as md
from neighbors.every_image import right_angled, system_of
from xpmd.neighbor_upkeep import build_neighbors
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_neighbors.cell_grid import sort_into_cells
from xpmd_neighbors.sampled_counts import cells_covering

N_ATOMS = 20_000


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Give the bytes in use at most while the block ran, once it has."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        # Left on by a test that fails, it would count into what the next one measures.
        tracemalloc.stop()


@pytest.mark.parametrize(
    "finder",
    [
        DistanceNeighborFinder(cutoff=1.0),
        DistanceNeighborFinder(cutoff=1.0, method="numpy"),
        CellListNeighborFinder(cutoff=1.0),
    ],
    ids=["host", "numpy", "cells"],
)
def test_no_array_of_all_pairs(finder: md.NeighborFinder) -> None:
    """Of n x n bytes, the least that all pairs could take, not a third is used at any time."""
    side = 12.0
    coords = np.random.default_rng(0).random((N_ATOMS, 3)) * side
    system = system_of(right_angled(side, side, side), coords, finder)
    with peak_memory() as peak:
        neighbors = build_neighbors(system, system.coords, "exact", xp=np)
    # Uniformly random: n (n - 1)/2 times the fraction of the box within the cutoff.
    expected = N_ATOMS**2 / 2 * 4.0 / 3.0 * np.pi / side**3
    assert len(neighbors.first) == pytest.approx(expected, rel=0.02)
    assert peak[0] < N_ATOMS**2 / 3


def test_atoms_in_a_row_do_not_fill_space_with_cells() -> None:
    """The cells of a box are as many as there are atoms, not as there is space."""
    coords = np.zeros((500, 3))
    coords[:, 0] = np.arange(500) * 10.0
    boundary, on = md.CubicBoundary(5000.0), md.backend("numpy")
    finder = CellListNeighborFinder(cutoff=1.0)
    with peak_memory() as peak:
        cells = cells_covering(coords, boundary, finder.cutoff, np)
        grid = sort_into_cells(
            coords, boundary, 1.0, cells, None, both_ends=False, backend=on, xp=on.xp(coords)
        )
    assert grid.ranges.count.max() < 100
    assert peak[0] < 3_000_000
