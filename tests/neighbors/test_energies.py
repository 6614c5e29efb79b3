"""Energies, forces and virials with a list are those of all pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.lennard_jones_boxes import (
    BOUNDARIES,
    CUTOFF,
    FINDERS,
    LIST_CUTOFF,
    lennard_jones,
)
from xpmd.module import flatten, unflatten
from xpmd_interactions import LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder

SMOOTH = md.ShiftedForceCutoff(CUTOFF)
#: In single precision this is a little more than the number.
WITHOUT_SKIN = 0.8
SHARP_END, SMOOTH_END = md.DistanceCutoff(WITHOUT_SKIN), md.ShiftedForceCutoff(WITHOUT_SKIN)
#: Room for every atom in every row.
N_ATOMS = 150


def properties(system: md.System) -> list[Any]:
    """Return energy, forces and virial, from compiled code where there is any."""
    leaves, spec = flatten(system)

    def evaluate(*leaves: Any) -> tuple[Any, ...]:
        system = unflatten(spec, leaves)
        return md.potential_energy(system), md.forces(system), md.virial(system)

    return [system.backend.to_numpy(x) for x in system.backend.jit(evaluate)(*leaves)]


@cache
def of_all_pairs(boundary: str, cutoff: md.Cutoff, dtype: str) -> list[Any]:
    """Return what NumPy makes of all pairs."""

    def array(value: Any, dtype: str = dtype) -> Any:
        return np.asarray(value, dtype=dtype)

    return properties(
        lennard_jones(array, AllPairs(), boundary=boundary, cutoff=cutoff, dtype=dtype)
    )


def hold(
    on: md.Backend,
    array: Callable[..., Any],
    finder: md.NeighborFinder,
    *,
    boundary: str = "box",
    cutoff: md.Cutoff = SMOOTH,
    dtype: str = "float64",
) -> None:
    """Assert that energy, forces and virial are those of all pairs."""
    if on.capabilities.jit:
        finder = finder.replace(capacity=N_ATOMS)
    system = lennard_jones(array, finder, boundary=boundary, cutoff=cutoff, dtype=dtype)
    expected = of_all_pairs(boundary, cutoff, dtype)
    rounding = 1e-12 if dtype == "float64" else 5e-6
    for found, wanted in zip(properties(system), expected, strict=True):
        size = np.abs(wanted).max()
        assert size > 1.0
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=rounding * size)


@pytest.mark.parametrize(
    ("finder", "boundary"),
    [
        ("host", "box"),
        ("cells", "tilted"),
        # Other tests see to the same pairs; the rest is for certainty.
        *(
            pytest.param(finder, boundary, marks=pytest.mark.slow)
            for finder in FINDERS
            for boundary in BOUNDARIES
        ),
    ],
)
def test_as_with_all_pairs(
    on: md.Backend, array: Callable[..., Any], finder: str, boundary: str
) -> None:
    hold(on, array, FINDERS[finder], boundary=boundary)


@pytest.mark.parametrize(
    ("kind", "cutoff", "dtype"),
    [
        (DistanceNeighborFinder, SHARP_END, "float32"),
        pytest.param(DistanceNeighborFinder, SMOOTH_END, "float64", marks=pytest.mark.slow),
        pytest.param(CellListNeighborFinder, SHARP_END, "float64", marks=pytest.mark.slow),
        (CellListNeighborFinder, SMOOTH_END, "float32"),
    ],
)
def test_without_skin(
    on: md.Backend, array: Callable[..., Any], kind: Any, cutoff: md.Cutoff, dtype: str
) -> None:
    """The cutoff of the finder may be that of the interaction, also in single precision."""
    hold(on, array, kind(cutoff=WITHOUT_SKIN), cutoff=cutoff, dtype=dtype)


@pytest.mark.parametrize("finder", FINDERS)
def test_more_atoms_than_all_pairs_are_listed_of(
    on: md.Backend, array: Callable[..., Any], finder: str
) -> None:
    """Known coordinates need no capacity and no stand-in, however many they are."""
    n_atoms = 1200
    # One row of atoms 0.33 nm apart: each sees the next two, 0.33 and 0.66 nm away, up to the cutoff.
    coords = np.zeros((n_atoms, 3))
    coords[:, 0] = 0.33 * np.arange(n_atoms)
    system = md.System(
        atoms=md.Atoms(mass=1.0, sigma=0.3, epsilon=1.0),
        coords=array(coords),
        boundary=md.CubicBoundary(0.33 * n_atoms, 10.0, 10.0),
        interactions=[LennardJones(cutoff=md.DistanceCutoff(0.7))],
        neighbor_finder=FINDERS[finder],
    )
    pair = [4.0 * ((0.3 / r) ** 12 - (0.3 / r) ** 6) for r in (0.33, 0.66)]
    assert float(md.potential_energy(system)) == pytest.approx(n_atoms * sum(pair), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cutoff_longer_than_the_list(
    on: md.Backend, array: Callable[..., Any], dtype: str
) -> None:
    too_long = md.ShiftedForceCutoff(LIST_CUTOFF * (1 + 1e-6))
    with pytest.raises(
        ValueError, match=r"is larger than the neighbor finder's 1\.1 nm; pairs would"
    ):
        lennard_jones(array, FINDERS["cells"], cutoff=too_long, dtype=dtype)


def test_a_list_longer_than_a_tilted_box_is_wide() -> None:
    array = np.asarray
    boundary = BOUNDARIES["tilted"][0]
    width = min(boundary.widths())
    reaching = CellListNeighborFinder(cutoff=width * 0.999)
    assert float(md.potential_energy(lennard_jones(array, reaching, boundary="tilted"))) != 0.0
    with pytest.raises(ValueError, match="is over the smallest width of the tilted box"):
        lennard_jones(array, reaching.replace(cutoff=width * 1.001), boundary="tilted")
    # With right angles the nearest image is known at any distance.
    lennard_jones(array, reaching.replace(cutoff=9.0), boundary="box")
