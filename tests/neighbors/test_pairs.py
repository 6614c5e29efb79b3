"""Every finder lists the pairs within its cutoff: none missing, none beyond it, none twice."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from backends_in_turn import installed
from neighbors.every_image import (
    BOXES,
    GROUPS,
    arrangements,
    finders,
    listed,
    lists,
    pair_distances,
    system_of,
)
from xpmd.module import flatten, unflatten
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder

CUTOFF = 1.0
#: Cells in these are made of what the others are made of.
FOR_CERTAINTY = [("one open side", "cells"), ("plane", "cells")]
#: Each group of boxes with each finder that fits some of them.
EVERY = [
    pytest.param(
        group,
        name,
        id=f"{group}-{name}",
        marks=[pytest.mark.slow] if (group, name) in FOR_CERTAINTY else [],
    )
    for group, boxes in GROUPS.items()
    for name in finders(CUTOFF, next(iter(boxes.values())))
]
COMPILED = pytest.mark.skipif(not installed("numba"), reason="numba is not installed")
#: Distances are compared up to the rounding of coordinates some tens of boxes from the origin.
ROUNDING = {"float32": 3e-5, "float64": 1e-12}


@cache
def spread(box: str, n_atoms: int, dtype: str = "float64") -> list[tuple[str, Any, Any]]:
    """Return arrangements in a box by name, with their coordinates and distances."""
    return [
        (f"{name} in {box}", coords.astype(dtype), pair_distances(coords.astype(dtype), BOXES[box]))
        for name, coords in arrangements(BOXES[box], n_atoms)
        # A float32 says nothing about a nanometer among thousands.
        if not (dtype == "float32" and name == "gas")
    ]


@cache
def crowd(box: str) -> tuple[str, Any, Any]:
    """Return many atoms at random in a box."""
    name, coords = next(arrangements(BOXES[box], 800, seed=3))
    return f"{name} in {box}", coords, pair_distances(coords, BOXES[box])


def hold(seen: Any, distances: Any, cutoff: float, rounding: float, what: str) -> None:
    """Assert that a list holds each pair within a cutoff once and no other."""
    pairs = np.triu(np.ones_like(seen, dtype=bool), k=1)
    assert seen.max(initial=0) <= 1, f"{what}: a pair is listed twice"
    assert not seen[~pairs].any(), f"{what}: an atom is its own neighbor"
    missing = pairs & (distances <= cutoff * (1 - rounding)) & (seen == 0)
    beyond = (distances > cutoff * (1 + rounding)) & (seen > 0)
    assert not missing.any(), f"{what}: {np.argwhere(missing)[:3].tolist()} missing"
    assert not beyond.any(), f"{what}: {np.argwhere(beyond)[:3].tolist()} beyond the cutoff"


def hold_in(
    names: list[str],
    finder: str,
    on: md.Backend,
    *,
    n_atoms: int = 40,
    dtype: str = "float64",
    excluded: Any = None,
) -> None:
    """Assert that a finder is right about all arrangements in boxes of one structure."""
    names = [name for name in names if finder in finders(CUTOFF, BOXES[name])]
    chosen = finders(CUTOFF, BOXES[names[0]])[finder]
    cases, known = [], []
    for name in names:
        for what, coords, distances in spread(name, n_atoms, dtype):
            cases.append((coords, BOXES[name]))
            known.append((what, distances))
    exclusions = None
    if excluded is not None:
        exclusions = md.Exclusions(excluded)
    found = lists(chosen, cases, on, dtype=dtype, exclusions=exclusions)
    for seen, (what, distances) in zip(found, known, strict=True):
        if excluded is not None:
            distances = distances.copy()
            for i, j in excluded:
                distances[i, j] = distances[j, i] = np.inf
        hold(seen, distances, min(chosen.reach, 1e9), ROUNDING[dtype], f"{finder}: {what}")


@pytest.mark.parametrize(("group", "finder"), EVERY)
def test_pairs_within_the_cutoff(on: md.Backend, group: str, finder: str) -> None:
    hold_in(list(GROUPS[group]), finder, on)


@pytest.mark.parametrize(
    ("group", "finder"),
    [
        ("closed", "cells"),
        ("closed", "vesin"),
        ("tilted", "vesin"),
        pytest.param("tilted", "numba", marks=COMPILED),
        pytest.param("strip", "numba", marks=COMPILED),
        ("rectangle", "scipy"),
        ("tilted", "numpy"),
        ("plane", "scipy"),
    ],
)
def test_single_precision(on: md.Backend, group: str, finder: str) -> None:
    hold_in(list(GROUPS[group]), finder, on, dtype="float32")


@pytest.mark.parametrize("n_atoms", [0, 1, 2])
def test_hardly_any_atoms(on: md.Backend, n_atoms: int) -> None:
    for finder in finders(CUTOFF, BOXES["cube"]):
        hold_in(["cube"], finder, on, n_atoms=n_atoms)


@pytest.mark.parametrize(
    "box", ["far from reduced", pytest.param("many slabs", marks=pytest.mark.slow)]
)
def test_many_atoms(on: md.Backend, box: str) -> None:
    """Enough atoms for ranges of several words."""
    what, coords, distances = crowd(box)
    for name, finder in finders(1.3, BOXES[box]).items():
        for seen in lists(finder, [(coords, BOXES[box])], on):
            reach = min(finder.reach, 1e9)
            hold(seen, distances, reach, ROUNDING["float64"], f"{name}: {what}")


@pytest.mark.parametrize("finder", ["all pairs", "host", "cells"])
def test_excluded_pairs_are_absent(on: md.Backend, finder: str) -> None:
    chain = [[k, k + 1] for k in range(39)] + [[5, 0], [38, 2], [7, 0]]
    hold_in(list(GROUPS["closed"]), finder, on, excluded=chain)


@pytest.mark.parametrize(
    ("box", "spacing", "dtype"),
    [
        pytest.param("cube", 0.1, "float64", marks=pytest.mark.slow),
        ("open", 0.7, "float32"),
        ("tilted", 1.0, "float32"),
        ("strip", 0.1, "float32"),
    ],
)
def test_a_pair_at_exactly_the_cutoff(on: md.Backend, box: str, spacing: float, dtype: str) -> None:
    """A list without skin holds the pairs that the energy, rounded as it is, takes for within."""
    boundary = BOXES[box].boundary
    axes = range(boundary.dimensions)
    lattice = np.stack(np.meshgrid(*[np.arange(3)] * len(axes)), axis=-1).reshape(-1, len(axes))
    cases = [
        ((lattice * spacing + k).astype(dtype), BOXES[box]) for k in (0.0, 0.1, 0.3, -7.7, 999.9)
    ]
    first, second = np.triu_indices(len(lattice), k=1)
    some = 0
    for name, finder in finders(spacing, BOXES[box]).items():
        for seen, (coords, _) in zip(lists(finder, cases, on, dtype=dtype), cases, strict=True):
            apart = [coords[first, k] - coords[second, k] for k in axes]
            squared = sum(part**2 for part in boundary.nearest(apart, xp=np))
            within = squared <= np.asarray(spacing, dtype) ** 2
            some += int(within.sum())
            assert (seen[first, second] >= within).all(), (name, coords[0])
    assert some > 100


@pytest.mark.parametrize("box", ["leaning", "narrow rectangle"])
def test_a_list_cutoff_over_half_the_box(on: md.Backend, box: str) -> None:
    """Up to the smallest width: with a skin the list looks further than any interaction."""
    cutoff = 0.99 * min(BOXES[box].boundary.widths())
    what, coords, distances = spread(box, 60)[0]
    for name, finder in finders(cutoff, BOXES[box]).items():
        for seen in lists(finder, [(coords, BOXES[box])], on):
            reach = min(finder.reach, 1e9)
            hold(seen, distances, reach, ROUNDING["float64"], f"{name}: {what}")


@pytest.mark.parametrize("finder", ["vesin", "numpy", "cells"])
def test_a_list_cutoff_over_the_whole_box(on: md.Backend, finder: str) -> None:
    """An atom is within it of its own images, and of several of another, which count as one."""
    box = BOXES["two cells"]
    what, coords, distances = spread("two cells", 40)[0]
    for seen in lists(finders(2.2, box)[finder], [(coords, box)], on):
        hold(seen, distances, 2.2, ROUNDING["float64"], f"{finder}: {what}")


@pytest.mark.parametrize(
    "finder", [pytest.param("numba", marks=COMPILED), "vesin", "scipy", "numpy", "cells"]
)
def test_an_atom_that_is_nowhere_has_no_neighbors(on: md.Backend, finder: str) -> None:
    """The others keep theirs; that numbers have stopped being finite is for the driver to say."""
    box = BOXES["cube"]
    chosen = finders(CUTOFF, box)[finder]
    what, coords, distances = spread("cube", 40)[0]
    lost, distances = coords.copy(), distances.copy()
    lost[3], lost[8, 1] = np.nan, np.inf
    distances[[3, 8]] = distances[:, [3, 8]] = np.inf
    system = system_of(box, on.asarray(coords, dtype="float64"), chosen)
    plan = chosen.plan(system.coords, system.boundary, None, backend=on)
    sides, spec = flatten(system.boundary)
    kept = []

    def build(coords: Any, *sides: Any) -> tuple[Any, ...]:
        boundary, xp = unflatten(spec, sides), on.xp(coords)
        found = chosen.build(coords, boundary, None, plan, backend=on, xp=xp)
        arrays, list_spec = flatten(found)
        kept.append(list_spec)
        return tuple(arrays)

    arrays = on.jit(build)(on.asarray(lost, dtype="float64"), *sides)
    found = unflatten(kept[0], arrays)
    assert not bool(found.overflow)
    hold(listed(found, on), distances, CUTOFF, ROUNDING["float64"], f"{finder}: {what}")


@pytest.mark.parametrize(
    ("box", "method"),
    [
        ("open first and last", "vesin"),
        ("rectangle", "vesin"),
        ("tilted", "scipy"),
        ("two cells", "scipy"),
        ("unequal sides", "numba"),
    ],
)
def test_a_method_that_does_not_fit(box: str, method: str) -> None:
    finder = DistanceNeighborFinder(cutoff=1.2, method=method)
    coords = spread(box, 5)[0][1]
    with pytest.raises(ValueError, match=f"`method` = '{method}' is not installed or does not fit"):
        list(lists(finder, [(coords, BOXES[box])], md.backend("numpy")))


def test_wrong_settings() -> None:
    for finder in (DistanceNeighborFinder, CellListNeighborFinder):
        for cutoff in (0.0, -1.0, np.inf, np.nan):
            with pytest.raises(ValueError, match=r"`cutoff` = .* must be finite and positive"):
                finder(cutoff=cutoff)
        for name in ("every", "capacity"):
            for value in (0, 2.5, -3):
                with pytest.raises(ValueError, match=f"`{name}` = {value} must be a whole number"):
                    finder(cutoff=1.0, **{name: value})
        with pytest.raises(TypeError, match="must be a plain number, nm"):
            finder(cutoff=np.ones(3))
    with pytest.raises(ValueError, match="`method` = 'kdtree' must be one of"):
        DistanceNeighborFinder(cutoff=1.0, method="kdtree")
