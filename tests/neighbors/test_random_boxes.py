"""Lists in boxes and of numbers of atoms that nobody chose."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import xpmd as md
from neighbors.every_image import (
    OPEN,
    Box,
    listed,
    pair_distances,
    right_angled,
    system_of,
    tilted,
)
from neighbors.test_pairs import ROUNDING, hold
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import build_neighbors
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_neighbors.cell_list import CellPlan

CUTOFF = 1.0
N_COMPILED = 24
#: With room for every atom in every range, so that compiled code serves all boxes.
PLANS = {
    CellListNeighborFinder: CellPlan(cells=(5, 5, 20), width=N_COMPILED, capacity=N_COMPILED),
    DistanceNeighborFinder: N_COMPILED,
}

many = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
sides = st.floats(1.0, 9.0)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def coordinates(draw: Any, n_atoms: int | None = None) -> tuple[Any, float]:
    """Draw fractional coordinates, clustered more or less, and the length of open directions."""
    random = np.random.default_rng(draw(seeds))
    n_atoms = n_atoms or draw(st.integers(1, 60))
    spread = draw(st.sampled_from([0.02, 0.3, 1.0, 3.0]))
    return random.random((n_atoms, 3)) * spread, draw(st.sampled_from([0.0, 1.0, 10.0, 1000.0]))


@st.composite
def tilted_vectors(draw: Any) -> list[list[float]]:
    """Draw the rows of a lower triangular matrix."""
    tilt = st.floats(-9.0, 9.0)
    a, b, c = draw(sides), draw(sides), draw(sides)
    return [[a, 0.0, 0.0], [draw(tilt), b, 0.0], [draw(tilt), draw(tilt), c]]


@cache
def compiled(on: md.Backend, spec: Any, plan: Any) -> Any:
    """Return a function from the leaves of a System to the list, and where its structure is kept."""
    kept: list[Any] = []

    def build(*leaves: Any) -> tuple[Any, ...]:
        system = unflatten(spec, leaves)
        found = build_neighbors(system, system.coords, plan, xp=on.xp(*leaves))
        arrays, list_spec = flatten(found)
        kept.append(list_spec)
        return tuple(arrays)

    return on.jit(build), kept


def hold_in(box: Box, coords: Any, kind: Any, on: md.Backend) -> None:
    """Assert that the list of a finder is right."""
    assume(min(box.boundary.widths()) >= CUTOFF)
    coords = on.asarray(np.ascontiguousarray(coords), dtype="float64")
    system = system_of(box, coords, kind(cutoff=CUTOFF))
    if on.capabilities.jit:
        leaves, spec = flatten(system)
        build, kept = compiled(on, spec, PLANS[kind])
        arrays = build(*leaves)
        found = unflatten(kept[0], arrays)
    else:
        plan = system.neighbor_finder.plan(coords, system.boundary, None, backend=on)
        found = build_neighbors(system, coords, plan, xp=on.xp(coords))
    assert not bool(found.overflow)
    distances = pair_distances(on.to_numpy(coords), box)
    hold(listed(found, on), distances, CUTOFF, ROUNDING["float64"], f"{box} {coords}")


@pytest.mark.parametrize("kind", [CellListNeighborFinder, DistanceNeighborFinder])
@many
@given(data=st.data())
def test_right_angles(on: md.Backend, kind: Any, data: Any) -> None:
    """Three dimensions or two, with open sides where code is not compiled for each kind of box."""
    jit = on.capabilities.jit
    fractional, length = data.draw(coordinates(N_COMPILED if jit else None))
    dimensions = 3 if jit else data.draw(st.integers(2, 3))
    lengths = [data.draw(sides) for _ in range(dimensions)]
    if not jit:
        lengths = [OPEN if data.draw(st.booleans()) else side for side in lengths]
    box = right_angled(*lengths)
    hold_in(box, fractional[:, :dimensions] @ box.spread(length), kind, on)


@pytest.mark.parametrize("kind", [CellListNeighborFinder, DistanceNeighborFinder])
@many
@given(data=st.data())
def test_tilted(on: md.Backend, kind: Any, data: Any) -> None:
    fractional, _ = data.draw(coordinates(N_COMPILED if on.capabilities.jit else None))
    box = tilted(data.draw(tilted_vectors()))
    hold_in(box, fractional @ box.vectors, kind, on)
