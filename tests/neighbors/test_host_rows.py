"""Rows of neighbors found on the host: whichever way, the same neighbors."""

import math

import numpy as np
import pytest

import xpmd as md
from xpmd_neighbors import host_pairs

SIDE, CUTOFF = 4.0, 1.2
#: Each atom and its neighbors in a closed chain, which are not near one another in general.
EXCLUDED = np.stack([(np.arange(300) + 1) % 300, (np.arange(300) - 1) % 300, np.full(300, -1)], 1)


def box(*sides):
    coords = np.random.default_rng(0).uniform(-1.0, 5.0, size=(300, 3))
    system = md.System(
        atoms=md.Atoms(mass=1.0), coords=coords, boundary=md.CubicBoundary(*(sides or [SIDE]))
    )
    return coords, system.boundary


def neighbors(rows, mask):
    return [sorted(row[held].tolist()) for row, held in zip(rows, mask, strict=True)]


def expected(excluded):
    coords, boundary = box()
    first, second = host_pairs.host_pairs(coords, boundary, CUTOFF, excluded, method="numpy")
    found = [[] for _ in coords]
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        found[a].append(b)
        found[b].append(a)
    return [sorted(each) for each in found]


@pytest.mark.parametrize("numba", [True, False])
@pytest.mark.parametrize("excluded", [None, np.full((300, 1), -1), EXCLUDED])
def test_rows(monkeypatch, numba, excluded):
    if numba:
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(host_pairs, "_loads_numba", lambda: False)
    coords, boundary = box()
    wanted = expected(excluded)
    longest = max(map(len, wanted))
    rows, mask, count, overflow = host_pairs.host_rows(
        coords, boundary, CUTOFF, excluded, longest + 9
    )
    assert neighbors(rows, mask) == wanted
    assert int(count) == longest
    assert not overflow
    assert rows.strides[0] < rows.strides[1]
    assert not rows[~mask].any()
    _, mask, count, overflow = host_pairs.host_rows(coords, boundary, CUTOFF, excluded, longest - 1)
    assert (int(count), bool(overflow)) == (longest, True)
    assert mask.sum(axis=1).max() == longest - 1


@pytest.mark.parametrize("strange", [np.nan, np.inf])
@pytest.mark.parametrize("opened", [False, True])
def test_an_atom_that_is_nowhere_has_no_neighbors(strange, opened):
    coords, boundary = box(*([math.inf] * 3 if opened else [SIDE]))
    coords[7, 1] = strange
    rows, mask, _, _ = host_pairs.host_rows(coords, boundary, CUTOFF, None, 150)
    assert not mask[7].any()
    assert not (rows[mask] == 7).any()
    assert mask.any()
