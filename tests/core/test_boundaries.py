"""Boundaries: the nearest image, the way back into the cell, and what a cell measures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import xpmd as md

DEGREE = math.pi / 180.0
#: Cells as rows; infinite along the directions that are open.
SKEWED = [[2.2, 0.0, 0.0], [1.0, 1.7, 0.0], [-0.9, 0.6, 1.5]]
CELLS: dict[str, tuple[md.Boundary, Any]] = {
    "cube": (md.CubicBoundary(2.0), np.diag([2.0, 2.0, 2.0])),
    "box": (md.CubicBoundary(2.0, 3.0, 4.0), np.diag([2.0, 3.0, 4.0])),
    "slab": (md.CubicBoundary(2.0, 3.0, math.inf), np.diag([2.0, 3.0, math.inf])),
    "open": (md.CubicBoundary(math.inf), np.diag([math.inf] * 3)),
    "rectangle": (md.RectangularBoundary(2.0, 3.0), np.diag([2.0, 3.0])),
    "strip": (md.RectangularBoundary(math.inf, 3.0), np.diag([math.inf, 3.0])),
    "triclinic": (md.TriclinicBoundary(SKEWED), np.array(SKEWED)),
}
each_cell = pytest.mark.parametrize("cell", CELLS)


def shortest(displacements: Any, vectors: Any, reach: int = 3) -> Any:
    """The shortest image of each displacement, over all images up to `reach` cells away."""
    vectors = np.where(np.isinf(vectors), 0.0, np.asarray(vectors, dtype=float))
    images = itertools.product(range(-reach, reach + 1), repeat=len(vectors))
    shifts = np.array(list(images)) @ vectors
    candidates = displacements[:, None, :] + shifts[None, :, :]
    lengths = np.linalg.norm(candidates, axis=-1)
    return candidates[np.arange(len(displacements)), lengths.argmin(axis=1)]


def nearest(boundary: md.Boundary, displacements: Any, on: md.Backend) -> Any:
    parts = [displacements[:, k] for k in range(boundary.dimensions)]
    found = boundary.nearest(parts, xp=on.xp(displacements))
    return np.stack([on.to_numpy(part) for part in found], axis=-1)


@each_cell
def test_measures_of_a_cell(cell: str) -> None:
    boundary, vectors = CELLS[cell]
    opened = np.isinf(np.diag(vectors))
    assert boundary.dimensions == len(vectors)
    assert boundary.periodic == tuple(~opened)
    assert boundary.side_lengths() == tuple(np.diag(vectors))
    if opened.any():
        assert boundary.cell_vectors() is None
        assert float(boundary.volume()) == math.inf
        assert boundary.widths() == tuple(np.diag(vectors))
        return
    np.testing.assert_array_equal(boundary.cell_vectors(), vectors)
    assert float(boundary.volume()) == pytest.approx(np.linalg.det(vectors), rel=1e-14)
    # The width along a reciprocal vector is one over its length.
    reciprocal = np.linalg.inv(vectors)
    np.testing.assert_allclose(boundary.widths(), 1.0 / np.linalg.norm(reciprocal, axis=0))


@each_cell
def test_the_nearest_image_is_the_shortest(
    on: md.Backend, array: Callable[..., Any], cell: str
) -> None:
    boundary, vectors = CELLS[cell]
    start = np.random.default_rng(1).uniform(-5.0, 5.0, (300, len(vectors)))
    expected = shortest(start, vectors, reach=6)
    found = nearest(boundary, array(start), on)
    # For a skewed cell only what lies within half the smallest width is promised.
    promised = np.linalg.norm(expected, axis=1) < min(boundary.widths()) / 2
    certain = promised if cell == "triclinic" else np.ones(300, dtype=bool)
    assert certain.sum() > 20
    np.testing.assert_allclose(found[certain], expected[certain], atol=1e-13)


side = st.floats(0.5, 3.0)
slant = st.floats(-2.5, 2.5)
coordinate = st.floats(-1.0, 1.0)


@given(diagonal=st.tuples(side, side, side), slants=st.tuples(slant, slant, slant), data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_triclinic_images_within_half_the_width_are_the_shortest(
    on: md.Backend, array: Callable[..., Any], diagonal: Any, slants: Any, data: st.DataObject
) -> None:
    vectors = np.diag(diagonal)
    vectors[1, 0], vectors[2, 0], vectors[2, 1] = slants
    boundary = md.TriclinicBoundary(vectors.tolist())
    half = min(boundary.widths()) / 2
    direction = np.array(data.draw(st.tuples(coordinate, coordinate, coordinate)))
    length = np.linalg.norm(direction)
    assume(length > 1e-3)
    short = direction / length * half * data.draw(st.floats(0.0, 0.999))
    images = data.draw(st.tuples(*[st.integers(-3, 3)] * 3))
    found = nearest(boundary, array([short + np.array(images) @ vectors]), on)[0]
    # Unique: two vectors that differ by a lattice vector cannot both be shorter than half of it,
    # and no lattice vector is shorter than the smallest width.
    np.testing.assert_allclose(found, short, atol=1e-12)
    np.testing.assert_allclose(shortest(short[None, :], vectors)[0], short, atol=1e-12)


@each_cell
def test_wrapping_moves_by_whole_vectors_into_the_cell(
    on: md.Backend, array: Callable[..., Any], cell: str
) -> None:
    boundary, vectors = CELLS[cell]
    start = np.random.default_rng(2).uniform(-7.0, 7.0, (200, len(vectors)))
    moved = on.to_numpy(boundary.wrap(array(start), xp=on.xp(array(start))))
    opened = np.isinf(np.diag(vectors))
    np.testing.assert_array_equal(moved[:, opened], start[:, opened])
    closed = np.ix_(~opened, ~opened)
    inverse = np.linalg.inv(vectors[closed])
    inside = moved[:, ~opened] @ inverse
    assert inside.size == 0 or (inside.min() > -1e-14 and inside.max() < 1.0 + 1e-14)
    crossed = (start - moved)[:, ~opened] @ inverse
    np.testing.assert_allclose(crossed, np.round(crossed), atol=1e-13)
    assert crossed.size == 0 or abs(crossed).max() > 1


@each_cell
def test_displacements_are_end_less_start(
    on: md.Backend, array: Callable[..., Any], cell: str
) -> None:
    boundary, vectors = CELLS[cell]
    rng = np.random.default_rng(3)
    width = np.where(np.isinf(np.diag(vectors)), 5.0, np.diag(vectors))
    start = rng.uniform(0.0, 1.0, (4, 5, len(vectors))) * width
    step = rng.uniform(-0.2, 0.2, (4, 5, len(vectors)))
    end = on.to_numpy(boundary.wrap(array(start + step), xp=on.xp(array(start))))
    found = on.to_numpy(boundary.displacement(array(start), array(end)))
    np.testing.assert_allclose(found, step, atol=1e-13)
    # Leading dimensions broadcast, as for a table of all pairs.
    rows, columns = array(start[0][:, None, :]), array(end[0][None, :, :])
    table = on.to_numpy(boundary.displacement(rows, columns))
    np.testing.assert_allclose(table[range(5), range(5)], step[0], atol=1e-13)


def test_published_triclinic_numbers() -> None:
    """Values in the tests of Molly.jl."""
    angles = [50 * DEGREE, 40 * DEGREE, 60 * DEGREE]
    boundary = md.TriclinicBoundary.from_lengths_angles([2.2, 2.0, 1.8], angles)
    rows = [[2.2, 0.0, 0.0], [1.0, 1.7320508, 0.0], [1.37888, 0.5399122, 1.0233204]]
    np.testing.assert_allclose(boundary.cell_vectors(), rows, atol=5e-8)
    assert boundary.volume() == pytest.approx(3.89937463181886, rel=1e-14)
    center = np.sum(boundary.cell_vectors(), axis=0) / 2
    np.testing.assert_allclose(center, [2.28944, 1.1359815, 0.5116602], atol=5e-8)
    moved = boundary.wrap(np.array([[1.0, 1.0, 1.0]]), xp=np)
    np.testing.assert_allclose(moved, [[3.2, 1.0, 1.0]], rtol=1e-15)


def test_lengths_and_angles_come_back() -> None:
    lengths, angles = [1.5, 2.5, 2.0], [1.2, 1.9, 0.8]
    boundary = md.TriclinicBoundary.from_lengths_angles(lengths, angles)
    a, b, c = np.array(boundary.cell_vectors())
    np.testing.assert_allclose([np.linalg.norm(row) for row in (a, b, c)], lengths)
    found = [
        math.acos(p @ q / np.linalg.norm(p) / np.linalg.norm(q))
        for p, q in ((b, c), (a, c), (a, b))
    ]
    np.testing.assert_allclose(found, angles)


@pytest.mark.parametrize(
    ("given", "sides"),
    [
        ((3.0,), (3.0, 3.0, 3.0)),
        ((3, 4, 5), (3.0, 4.0, 5.0)),
        (([3.0, 4.0, 5.0],), (3.0, 4.0, 5.0)),
        ((np.array([3.0, 4.0, 5.0]),), (3.0, 4.0, 5.0)),
        ((np.array(3.0),), (3.0, 3.0, 3.0)),
        ((np.array(3.0), 4.0, math.inf), (3.0, 4.0, math.inf)),
    ],
)
def test_ways_to_write_a_box(given: Any, sides: Any) -> None:
    assert md.CubicBoundary(*given).side_lengths() == sides


@pytest.mark.parametrize("cell", ["box", "rectangle", "triclinic"])
def test_numbers_of_numpy_are_plain_numbers(
    on: md.Backend, array: Callable[..., Any], cell: str
) -> None:
    """A row of an array holds numbers of a type, that of a box must not become that of positions."""
    boundary, vectors = CELLS[cell]
    box = type(boundary)(vectors if cell == "triclinic" else np.diag(vectors))
    separate = type(boundary)(list(vectors) if cell == "triclinic" else list(np.diag(vectors)))
    position = array(np.full((2, len(vectors)), 0.9), dtype="float32")
    for each in (box, separate):
        for part in each.nearest(
            [position[:, k] for k in range(each.dimensions)], xp=on.xp(position)
        ):
            assert on.is_array(part)
            assert on.dtype_name(part) == "float32"


def test_ways_to_write_a_triclinic_cell(array: Callable[..., Any]) -> None:
    for vectors in (SKEWED, tuple(map(tuple, SKEWED)), array(SKEWED), [array(r) for r in SKEWED]):
        np.testing.assert_allclose(md.TriclinicBoundary(vectors).cell_vectors(), SKEWED, rtol=1e-15)


def test_replacing_sides_and_vectors() -> None:
    assert md.RectangularBoundary(1.0, 2.0).replace(sides=(3.0, 4.0)).side_lengths() == (3.0, 4.0)
    assert isinstance(md.CubicBoundary(1.0).replace(sides=(2.0,)), md.CubicBoundary)
    larger = 2.0 * np.array(SKEWED)
    boundary = md.TriclinicBoundary(SKEWED).replace(vectors=larger)
    np.testing.assert_array_equal(boundary.cell_vectors(), larger)
    with pytest.raises(TypeError, match=r"replace takes `vectors`, got \['sides'\]"):
        boundary.replace(sides=(1.0, 1.0, 1.0))
    with pytest.raises(TypeError, match=r"replace takes `sides`, got \['side'\]"):
        md.CubicBoundary(1.0).replace(side=2.0)


@pytest.mark.parametrize("cell", ["box", "slab", "rectangle", "triclinic"])
def test_gradients_reach_the_box(on: md.Backend, array: Callable[..., Any], cell: str) -> None:
    """An image n cells away moves by n for each change of a cell vector."""
    boundary, vectors = CELLS[cell]
    start = np.random.default_rng(4).uniform(-3.0, 3.0, (20, len(vectors)))
    weights = np.random.default_rng(5).normal(size=start.shape)
    closed = ~np.isinf(np.diag(vectors))
    crossed = np.zeros_like(start)
    moved = nearest(boundary, array(start), on) - start
    cut = np.ix_(closed, closed)
    crossed[:, closed] = np.round(moved[:, closed] @ np.linalg.inv(vectors[cut]))
    assert abs(crossed).max() >= 1
    slope = np.einsum("na,nb->ab", crossed, weights)  # d(sum w x)/d(vectors)

    def loss(entries: Any) -> Any:
        if cell == "triclinic":
            box: md.Boundary = md.TriclinicBoundary(entries)
        else:
            sides = iter(entries)
            given = [next(sides) if each else math.inf for each in closed]
            box = type(boundary)(*given)
        near = box.displacement(array(0.0 * start), array(start))
        return (array(weights) * near).sum()

    if cell == "triclinic":
        found = np.array(md.grad(loss, backend=on)([list(row) for row in SKEWED]), dtype=float)
        np.testing.assert_allclose(np.tril(found), np.tril(slope), atol=1e-12)
    else:
        given = [float(length) for length in np.diag(vectors)[closed]]
        found = np.array([float(x) for x in md.grad(loss, backend=on)(given)])
        np.testing.assert_allclose(found, np.diag(slope)[closed], atol=1e-12)


def test_gradient_of_the_volume(on: md.Backend) -> None:
    def loss(lengths: Any) -> Any:
        angles = [1.2, 1.4, 1.1]
        skewed = md.TriclinicBoundary.from_lengths_angles(lengths, angles).volume()
        return skewed + md.CubicBoundary(*lengths).volume()

    lengths = [1.5, 2.5, 2.0]
    value, slope = md.value_and_grad(loss, backend=on)(lengths)
    # Each volume is proportional to each length.
    np.testing.assert_allclose([float(s) for s in slope], float(value) / np.array(lengths))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: md.CubicBoundary(), ValueError, r"takes one side or 3 \(nm\), got 0"),
        (lambda: md.CubicBoundary(1.0, 2.0), ValueError, r"takes one side or 3 \(nm\), got 2"),
        (lambda: md.RectangularBoundary(1, 2, 3), ValueError, "RectangularBoundary takes.*got 3"),
        (lambda: md.CubicBoundary(0.0), ValueError, r"`side` = 0.0 must be positive \(inf leaves"),
        (lambda: md.CubicBoundary(1.0, -2.0, 1.0), ValueError, "`side` = -2.0 must be positive"),
        (lambda: md.CubicBoundary(math.nan), ValueError, "`side` = nan must be positive"),
        (lambda: md.CubicBoundary("3"), TypeError, "`side` = '3' must be a number"),
        (lambda: md.CubicBoundary(None), TypeError, "`side` = None must be a number"),
        (
            lambda: md.CubicBoundary(np.eye(3)),
            TypeError,
            r"`side` is an array of shape \(3, 3\); it must be one number",
        ),
        (
            lambda: md.CubicBoundary(*[np.ones(3)] * 3),
            TypeError,
            r"`side` is an array of shape \(3,\)",
        ),
        (
            lambda: md.TriclinicBoundary(3.0),
            ValueError,
            "`vectors` = 3.0; it must be three rows of three numbers, nm",
        ),
        (lambda: md.TriclinicBoundary([3.0, 3.0, 3.0]), ValueError, "three rows of three"),
        (lambda: md.TriclinicBoundary([[3.0, 0.0], [0.0, 3.0]]), ValueError, "three rows of three"),
        (lambda: md.TriclinicBoundary(np.eye(2)), ValueError, r"has shape \(2, 2\).*three rows"),
        (lambda: md.TriclinicBoundary("abc"), TypeError, "`vectors` = 'abc' must be a number or"),
        (
            lambda: md.TriclinicBoundary([[3.0, 0.1, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]),
            ValueError,
            r"must be lower triangular: rotate the cell .*from_lengths_angles does it",
        ),
        (
            lambda: md.TriclinicBoundary([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]),
            ValueError,
            "must have positive diagonal entries",
        ),
        (
            lambda: md.TriclinicBoundary([[3.0, 0.0, 0.0], [math.nan, 3.0, 0.0], [0.0, 0.0, 3.0]]),
            ValueError,
            "nan.* must be finite",
        ),
        (
            lambda: md.TriclinicBoundary([[math.inf, 0, 0], [0, 3, 0], [0, 0, 3]]),
            ValueError,
            "must be finite; CubicBoundary can have open sides",
        ),
        (
            lambda: md.TriclinicBoundary.from_lengths_angles([1, 1, 1], [0.1, 0.1, 3.0]),
            ValueError,
            r"`angles` = \[0.1, 0.1, 3.0\] \(radian\) span no cell",
        ),
        (
            lambda: md.TriclinicBoundary.from_lengths_angles([1, 1, 1], [90.0, 90.0, 90.0]),
            ValueError,
            r"\(radian\) span no cell: each must lie between 0 and pi",
        ),
        (
            lambda: md.TriclinicBoundary.from_lengths_angles([1, 1, 1], np.ones((3, 1))),
            TypeError,
            "must be three plain numbers.*give `vectors` to differentiate",
        ),
    ],
)
def test_what_is_no_boundary(make: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
