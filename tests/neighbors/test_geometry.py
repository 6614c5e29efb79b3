"""What the lists stand on: images beyond half the box, strain of a box, bits that are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.every_image import BOXES, pair_distances
from xpmd.strain import strain_size, strained
from xpmd_neighbors.cell_axes import CELLS_AN_ATOM, most_cells
from xpmd_neighbors.cell_order import sorted_order
from xpmd_neighbors.host_lists import rows_padded
from xpmd_neighbors.row_packing import MOST_BITS, WIDTH_STEP, packed, rounded_width, word_bits


@pytest.mark.parametrize("box", BOXES)
def test_the_shortest_image_up_to_the_smallest_width(
    on: md.Backend, array: Callable[..., Any], box: str
) -> None:
    given = BOXES[box]
    boundary = given.boundary
    random = np.random.default_rng(2)
    d = len(given.vectors)
    short = random.standard_normal((300, d))
    width = min(min(boundary.widths()), 10.0)
    length = width * random.random((300, 1))
    short *= length / np.linalg.norm(short, axis=1, keepdims=True)
    vectors = np.where(given.periodic[:, None], given.vectors, 0.0)
    moved = short + random.integers(-4, 5, (300, d)) @ vectors
    columns = array(moved)
    found = boundary.shortest_squared([columns[:, k] for k in range(d)], xp=on.xp(columns))
    # No image can be shorter than the one it was made from, unless that was over half the box.
    origin = np.zeros((1, d))
    expected = [pair_distances(np.concatenate([origin, row[None]]), given)[0, 1] for row in short]
    assert (np.array(expected) <= length[:, 0] * (1 + 1e-12)).all()
    np.testing.assert_allclose(on.to_numpy(found), np.square(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("box", ["unequal sides", "open last", "far from reduced", "strip"])
def test_array_widths_are_the_widths(on: md.Backend, array: Callable[..., Any], box: str) -> None:
    boundary = BOXES[box].boundary
    system = md.System(md.Atoms(mass=1.0), array(np.zeros((1, boundary.dimensions))), boundary)
    for found, width in zip(system.boundary.array_widths(), boundary.widths(), strict=True):
        if np.isinf(width):
            assert found is None
        else:
            assert float(found) == pytest.approx(width, rel=1e-14)


def test_strain_takes_positions_along() -> None:
    """x -> x H^-1 H' for a box with rows H that becomes H', also far outside the cell."""
    before = np.array([[4.0, 0.0, 0.0], [1.5, 4.0, 0.0], [-1.0, 1.2, 4.0]])
    after = np.array([[4.2, 0.0, 0.0], [1.2, 3.9, 0.0], [-1.4, 1.1, 4.4]])
    x = np.random.default_rng(0).standard_normal((20, 3)) * 9.0
    boxes = md.TriclinicBoundary(before.tolist()), md.TriclinicBoundary(after.tolist())
    deformation = np.linalg.inv(before) @ after
    np.testing.assert_allclose(strained(x, *boxes, xp=np), x @ deformation, atol=1e-12)
    size = np.linalg.norm(deformation - np.eye(3))
    assert strain_size(*boxes) == pytest.approx(size, rel=1e-12)


def test_strain_leaves_open_directions_alone() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3))
    boxes = md.CubicBoundary(4.0, np.inf, 2.0), md.CubicBoundary(3.0, np.inf, 3.0)
    found = strained(x, *boxes, xp=np)
    np.testing.assert_allclose(found, x * [0.75, 1.0, 1.5], atol=1e-14)
    assert strain_size(*boxes) == pytest.approx(np.hypot(0.25, 0.5))


@pytest.mark.parametrize(("n_atoms", "most"), [(1, 1), (1000, 7), (1000, 2**31), (50_000, 2**31)])
def test_atoms_are_sorted_by_cell(
    on: md.Backend, array: Callable[..., Any], n_atoms: int, most: int
) -> None:
    """In one go, in two, and where 32 bits do not even hold half of the digits and a place."""
    number = np.random.default_rng(0).integers(0, most, n_atoms)
    number[::3] = number[0]
    given = array(number, "int32")
    sort = on.jit(lambda x: (sorted_order(x, most, backend=on, xp=on.xp(x)),))
    (found,) = sort(given)
    np.testing.assert_array_equal(on.to_numpy(found), np.argsort(number, kind="stable"))


@pytest.mark.parametrize("width", [1, 31, 40, 63])
def test_rows_are_packed_in_order(on: md.Backend, array: Callable[..., Any], width: int) -> None:
    bits, random = word_bits(rounded_width(width)), np.random.default_rng(width)
    n_words = 3 * (rounded_width(width) // bits)
    assert bits <= MOST_BITS
    assert width <= rounded_width(width) < width + WIDTH_STEP
    assert bits * n_words == 3 * rounded_width(width)
    full = random.random((50, n_words * bits)) < random.random((50, 1))
    full[0], full[1] = True, False
    capacity = n_words * bits
    mask = array(full.reshape(50, n_words, bits), "bool")
    pack = on.jit(lambda mask: packed(mask, capacity, backend=on, xp=on.xp(mask)))
    place, count = (on.to_numpy(x) for x in pack(mask))
    np.testing.assert_array_equal(count, full.sum(axis=1))
    for row, found, number in zip(full, place, count, strict=True):
        np.testing.assert_array_equal(found[:number], np.flatnonzero(row))


def test_a_row_that_is_too_short_keeps_its_beginning(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    full = np.ones((2, 40), dtype=bool)
    mask = array(full.reshape(2, 2, 20), "bool")
    pack = on.jit(lambda mask: packed(mask, 7, backend=on, xp=on.xp(mask)))
    place, count = (on.to_numpy(x) for x in pack(mask))
    np.testing.assert_array_equal(place, [range(7)] * 2)
    np.testing.assert_array_equal(count, [40, 40])


def test_rows_of_pairs_are_sorted_and_cut_off() -> None:
    first, second = np.triu_indices(6, k=1)
    rows, mask, count, overflow = rows_padded(first, second, 6, 5)
    assert mask.all()
    assert (count, overflow) == (5, False)
    for atom, row in enumerate(rows):
        np.testing.assert_array_equal(row, [other for other in range(6) if other != atom])
    rows, mask, count, overflow = rows_padded(first, second, 6, 3)
    assert (count, overflow) == (5, True)
    np.testing.assert_array_equal(rows[5], [0, 1, 2])


@pytest.mark.parametrize("extents", [(1e9, 1.0, 1.0), (1e3, 1e3, 1e3), (np.inf,) * 3, (2.0, 1e9)])
def test_cells_stay_few(extents: tuple[float, ...]) -> None:
    for n_atoms in (0, 1, 100, 100_000):
        cells = most_cells(extents, 1.0, n_atoms)
        assert min(cells) >= 1
        assert np.prod(cells) <= max(64, CELLS_AN_ATOM * n_atoms)
