"""Cells compiled by numba give what the other searches give, in the same order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.every_image import BOXES
from xpmd_neighbors import host_pairs as searches
from xpmd_neighbors.host_pairs import host_pairs

numba = pytest.importorskip("numba")

from xpmd_neighbors import compiled_search  # noqa: E402  (it needs numba)

FITTING = [name for name, box in BOXES.items() if min(box.boundary.widths()) >= 3.2]


def crowd(box: str, n_atoms: int = 600, seed: int = 4) -> Any:
    """Return atoms at random, in the cell and around it."""
    given = BOXES[box]
    fractional = np.random.default_rng(seed).random((n_atoms, len(given.vectors))) * 3.0 - 1.0
    return fractional @ given.spread(6.0)


@pytest.mark.parametrize("box", FITTING)
def test_as_all_distances(box: str) -> None:
    coords, boundary = crowd(box), BOXES[box].boundary
    excluded = np.array([[(k + 1) % 600, -1] for k in range(600)])
    for pairs_left_out in (None, excluded):
        found = host_pairs(coords, boundary, 1.05, pairs_left_out, method="numba")
        expected = host_pairs(coords, boundary, 1.05, pairs_left_out, method="numpy")
        assert len(expected[0]) > 100
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cutoff", [0.05, 0.4, 1.6])
def test_cells_of_any_size(cutoff: float) -> None:
    boundary = BOXES["cube"].boundary
    for found, expected in zip(
        host_pairs(crowd("cube"), boundary, cutoff, method="numba"),
        host_pairs(crowd("cube"), boundary, cutoff, method="numpy"),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("box", ["cube", "open", "strip"])
def test_more_in_one_place_than_there_is_room_for(box: str) -> None:
    n_atoms = 1300
    coords = np.full((n_atoms, len(BOXES[box].vectors)), 0.7)
    coords += 0.01 * np.random.default_rng(0).random(coords.shape)
    first, second = host_pairs(coords, BOXES[box].boundary, 1.0, method="numba")
    expected = np.triu_indices(n_atoms, k=1)
    np.testing.assert_array_equal(first, expected[0])
    np.testing.assert_array_equal(second, expected[1])


def test_far_apart_in_the_open() -> None:
    """Cells are not for empty space."""
    near, far = [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], [[7e9, 1.0, 1.0], [1e150, 0.0, -1e150]]
    for others in ([], far[:1], far[1:]):
        coords = np.array([*near, *others])
        first, second = host_pairs(coords, BOXES["open"].boundary, 1.0, method="numba")
        assert (first.tolist(), second.tolist()) == ([0], [1])


def test_numba_is_loaded_for_many_atoms_only(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def spy(name: str) -> Any:
        def search(*arguments: Any) -> Any:
            used.append(name)
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

        return search

    for name in searches.METHODS:
        monkeypatch.setitem(searches.METHODS, name, spy(name))
    boundary = md.CubicBoundary(5.0)
    few, many = np.zeros((10, 3)), np.zeros((searches.FEWEST_COMPILED, 3))
    host_pairs(few, boundary, 1.0)
    monkeypatch.delitem(sys.modules, "xpmd_neighbors.compiled_search")
    host_pairs(few, boundary, 1.0)
    host_pairs(many, boundary, 1.0)
    host_pairs(many, boundary, 1.7)
    assert used[0] == used[2] == "numba"
    assert used[1] != "numba"
    assert used[3] != "numba"


def test_a_numba_that_refuses_its_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed all the same; lists are searched by others then."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(searches.importlib.util, "find_spec", lambda name: True)
    searches._loads_numba.cache_clear()
    monkeypatch.delitem(sys.modules, "xpmd_neighbors.compiled_cells", raising=False)
    monkeypatch.setitem(searches.METHODS, "numba", None)
    axis = np.arange(16) * 0.3125
    coords = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    try:
        first, _ = host_pairs(coords, md.CubicBoundary(5.0), 0.32)
    finally:
        searches._loads_numba.cache_clear()
    assert len(coords) >= searches.FEWEST_COMPILED
    assert len(first) == 3 * len(coords)


def test_without_a_place_for_what_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def njit(function: Any, *, cache: bool = False, **settings: Any) -> Any:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return function

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled_search._compiled(crowd) is crowd
    assert asked == [True, False]


_COUNT = """
import numpy as np
import xpmd as md
from xpmd_neighbors.compiled_cells import cell_pairs
from xpmd_neighbors.compiled_search import found
coords = np.random.default_rng(0).random((50, 3)) * 4.0
cell_pairs(coords, md.CubicBoundary(4.0), 1.0)
stats = found.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_a_second_start_compiles_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    counts = [
        subprocess.run(
            [sys.executable, "-c", _COUNT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert counts == [["0", "1"], ["1", "0"]]
