"""Rows of neighbors from a backend's own kernel are those of the sums written for every backend."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.every_image import BOXES, arrangements, system_of
from xpmd.neighbor_upkeep import build_neighbors, plan_neighbors
from xpmd_neighbors import CellListNeighborFinder

FINDER = CellListNeighborFinder(cutoff=1.0)


#: Backends that have a kernel for rows of neighbors.
WITH_ROWS = [
    name
    for kernel in md.plugins.list("kernel")
    if (name := kernel.name.removeprefix("listed_rows_")) != kernel.name and find_spec(name)
]


@pytest.fixture(params=WITH_ROWS)
def with_rows(request: pytest.FixtureRequest) -> md.Backend:
    """Each of these in turn."""
    return md.backend(request.param)


def both_ways(system: Any, plan: Any) -> list[dict[str, Any]]:
    """Return the list by the kernel and by the generic code, as NumPy arrays."""

    def as_numpy() -> dict[str, Any]:
        xp = system.backend.xp(system.coords)
        found = build_neighbors(system, system.coords, plan, xp=xp)
        fields = ("second", "mask", "count", "overflow", "order", "place")
        return {name: system.backend.to_numpy(getattr(found, name)) for name in fields}

    by_kernel = as_numpy()
    with md.without_kernels():
        return [by_kernel, as_numpy()]


def hold_alike(system: Any, plan: Any) -> dict[str, Any]:
    """Assert that the kernel and the generic code agree; return the list."""
    kernel, generic = both_ways(system, plan)
    for name in ("mask", "count", "overflow", "order", "place"):
        np.testing.assert_array_equal(kernel[name], generic[name], err_msg=name)
    mask = kernel["mask"]
    if not kernel["overflow"]:
        np.testing.assert_array_equal(kernel["second"][mask], generic["second"][mask])
    assert ((kernel["second"] >= 0) & (kernel["second"] < len(mask))).all()
    return kernel


@pytest.mark.parametrize(
    ("box", "dtype"),
    [
        ("unequal sides", "float32"),
        ("open last", "float64"),
        ("far from reduced", "float64"),
        ("strip", "float32"),
    ],
)
def test_the_same_rows(with_rows: md.Backend, box: str, dtype: str) -> None:
    _, coords = next(arrangements(BOXES[box], 300, seed=5))
    coords = with_rows.asarray(coords.astype(dtype), dtype=dtype)
    exclusions = md.Exclusions([[0, 1], [0, 2], [7, 9]])
    system = system_of(BOXES[box], coords, FINDER, exclusions)
    found = hold_alike(system, plan_neighbors(system, system.coords))
    assert not found["overflow"]
    assert found["mask"].any()


@pytest.mark.parametrize("width", [5, 32, 70])
def test_any_width_will_do(with_rows: md.Backend, width: int) -> None:
    """One word or several to a range, all full or not, with all candidates or too few."""
    random = np.random.default_rng(width)
    coords = with_rows.asarray(random.random((400, 3)) * 3.6, dtype="float64")
    system = system_of(BOXES["unequal sides"], coords, FINDER)
    plan = plan_neighbors(system, system.coords)
    found = hold_alike(system, plan._replace(width=width))
    assert bool(found["overflow"]) == (found["count"][1] > width)
    hold_alike(system, plan._replace(width=width, capacity=3))


def test_atoms_that_are_nowhere(with_rows: md.Backend) -> None:
    _, finite = next(arrangements(BOXES["unequal sides"], 300, seed=5))
    coords = finite.copy()
    coords[[0, 150, 299]] = np.nan
    coords[10, 1] = np.inf
    system = system_of(BOXES["unequal sides"], with_rows.asarray(finite), FINDER)
    plan = plan_neighbors(system, system.coords)
    found = hold_alike(system.with_fields(coords=with_rows.asarray(coords)), plan)
    nowhere = [0, 10, 150, 299]
    assert not found["mask"][found["place"][nowhere]].any()
    assert not np.isin(found["order"][found["second"]][found["mask"]], nowhere).any()
