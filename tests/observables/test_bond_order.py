"""Bond-orientational order: published values of lattices, SciPy's harmonics, loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import sph_harm_y

import xpmd as md
import xpmd_observables as obs
from xpmd_observables.smooth_step import smooth_step
from xpmd_observables.spherical_harmonics import spherical_harmonics


def crystal(basis, sides, cells):
    origins = np.stack(np.meshgrid(*(np.arange(n) for n in cells), indexing="ij"), axis=-1)
    points = origins.reshape(-1, 1, len(cells)) + np.asarray(basis)
    return points.reshape(-1, len(cells)) * sides, np.asarray(sides) * cells


FCC = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
BCC = [[0, 0, 0], [0.5, 0.5, 0.5]]
HCP = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 5 / 6, 0.5], [0, 1 / 3, 0.5]]
# lattice: basis, sides of its right-angled cell, cells, range within which neighbors are, and
# q4, q6 as published (Steinhardt et al. 1983; Mickel et al., J. Chem. Phys. 138, 044501 (2013)).
LATTICES = {
    "fcc": (FCC, [1.0] * 3, (3, 3, 3), (0.75, 0.95), 0.1909, 0.5745),
    "bcc": (BCC, [1.0] * 3, (3, 3, 3), (1.05, 1.35), 0.0364, 0.5107),
    "hcp": (HCP, [1.0, np.sqrt(3), np.sqrt(8 / 3)], (4, 2, 2), (1.05, 1.35), 0.0972, 0.4848),
    "simple cubic": ([[0, 0, 0]], [1.0] * 3, (4, 4, 4), (1.05, 1.35), 0.7638, 0.3536),
}


# The two kinds of sites of hcp see different directions, so an average over both is another value.
@pytest.mark.parametrize(
    ("name", "average"),
    [
        (name, average)
        for name in LATTICES
        for average in ("none", "neighbors", "all")
        if name != "hcp" or average == "none"
    ],
)
def test_lattices_have_their_published_values(name, average):
    basis, sides, cells, (start, cutoff), q4, q6 = LATTICES[name]
    coords, box = crystal(basis, sides, cells)
    for degree, expected in ((4, q4), (6, q6)):
        found = obs.steinhardt(
            coords,
            degree=degree,
            start=start,
            cutoff=cutoff,
            average=average,
            boundary=md.CubicBoundary(*box),
        )
        np.testing.assert_allclose(found, expected, atol=6e-5)


def test_harmonics_are_those_of_scipy():
    x, y, z = (v := np.random.default_rng(0).normal(size=(3, 20))) / np.linalg.norm(v, axis=0)
    polar, azimuth = np.arccos(z), np.arctan2(y, x)
    for degree in (0, 1, 2, 3, 4, 6, 9):
        found = spherical_harmonics(degree, x, y, z)
        assert len(found) == 2 * degree + 1
        for m, each in zip(range(-degree, degree + 1), found, strict=True):
            complex_one = sph_harm_y(degree, abs(m), polar, azimuth) * (-1) ** m
            factor = 1.0 if m == 0 else np.sqrt(2.0)
            expected = factor * (complex_one.imag if m < 0 else complex_one.real)
            np.testing.assert_allclose(each, expected, atol=1e-12)


def by_loops(coords, degree, start, cutoff, sides):
    n = len(coords)
    means = np.zeros((n, 2 * degree + 1), dtype=complex)
    weights = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            away = coords[j] - coords[i]
            away -= np.round(away / sides) * sides
            r = np.linalg.norm(away)
            if i == j or r >= cutoff:
                continue
            t = min(max((r - start) / (cutoff - start), 0.0), 1.0)
            weights[i, j] = 1 - 6 * t**5 + 15 * t**4 - 10 * t**3
            polar, azimuth = np.arccos(away[2] / r), np.arctan2(away[1], away[0])
            for m in range(-degree, degree + 1):
                means[i, m + degree] += weights[i, j] * sph_harm_y(degree, m, polar, azimuth)
    totals = weights.sum(axis=1)
    q = means / totals[:, None]
    near = (q + weights @ q) / (1 + totals)[:, None]
    whole = means.sum(axis=0) / totals.sum()
    factor = 4 * np.pi / (2 * degree + 1)
    return [np.sqrt(factor * np.sum(np.abs(each) ** 2, axis=-1)) for each in (q, near, whole)]


@pytest.mark.parametrize("degree", [3, 6])
def test_a_liquid_agrees_with_loops(degree):
    sides = np.asarray([2.0, 2.2, 2.1])
    coords = np.random.default_rng(1).uniform(0, 1, size=(25, 3)) * sides
    expected = by_loops(coords, degree, 0.5, 0.9, sides)
    for average, values in zip(("none", "neighbors", "all"), expected, strict=True):
        found = obs.steinhardt(
            coords,
            degree=degree,
            start=0.5,
            cutoff=0.9,
            average=average,
            boundary=md.CubicBoundary(*sides),
        )
        # Odd degrees cancel in the sum over all bonds.
        np.testing.assert_allclose(found, values, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("k", "shape"), [(6, "triangular"), (4, "square")])
def test_lattices_of_the_plane_have_one(k, shape, on, array):
    if shape == "square":
        coords, box = crystal([[0, 0]], [1.0, 1.0], (4, 4))
    else:
        coords, box = crystal([[0, 0], [0.5, 0.5]], [1.0, np.sqrt(3)], (4, 3))
    settings = {"start": 1.1, "cutoff": 1.35, "boundary": md.RectangularBoundary(*box)}
    for average in ("none", "neighbors", "all"):
        found = on.jit(lambda x, a=average: obs.hexatic(x, k=k, average=a, **settings))(
            array(coords)
        )
        np.testing.assert_allclose(on.to_numpy(found), 1.0, atol=1e-12)
    other = on.jit(lambda x: obs.hexatic(x, k=10 - k, **settings))(array(coords))
    np.testing.assert_allclose(on.to_numpy(other), 0.0, atol=1e-12)


def test_a_turned_half_of_the_plane_cancels_the_other():
    hexagon = np.asarray([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3])
    star = np.concatenate([np.zeros((1, 2)), hexagon])
    turn = np.pi / 6
    turned = star @ np.asarray([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    coords = np.concatenate([star, turned + 20.0])
    settings = {"start": 1.1, "cutoff": 1.3}
    np.testing.assert_allclose(obs.hexatic(coords, **settings), 1.0, atol=1e-12)
    assert obs.hexatic(coords, average="all", **settings) < 1e-12


def test_slopes_in_the_plane(on, array):
    coords = np.random.default_rng(5).uniform(0, 1, size=(9, 2)) * 2.4

    def loss(x, sides):
        boundary = md.RectangularBoundary(sides[0], sides[1])
        found = obs.hexatic(x, cutoff=1.1, start=0.4, average="neighbors", boundary=boundary)
        return on.xp(found).sum(found * array(np.arange(9.0))), ()

    def plain(x, sides):
        boundary = md.RectangularBoundary(*sides)
        found = obs.hexatic(x, cutoff=1.1, start=0.4, average="neighbors", boundary=boundary)
        return np.sum(found * np.arange(9.0))

    sides = np.asarray([2.4, 2.5])
    _, slopes, _ = on.jit(lambda *xs: on.value_and_grad(loss, xs))(array(coords), array(sides))
    along, step = np.random.default_rng(6).normal(size=coords.shape), 1e-6
    moved = [plain(coords + sign * step * along, sides) for sign in (1, -1)]
    expected = (moved[0] - moved[1]) / (2 * step)
    np.testing.assert_allclose(np.sum(on.to_numpy(slopes[0]) * along), expected, rtol=1e-6)
    moved = [plain(coords, sides + sign * step * np.asarray([1.0, -2.0])) for sign in (1, -1)]
    found = np.sum(on.to_numpy(slopes[1]) * [1.0, -2.0])
    np.testing.assert_allclose(found, (moved[0] - moved[1]) / (2 * step), rtol=1e-6)


def test_an_atom_alone_and_an_atom_that_leaves():
    coords = np.asarray([[0.0, 0, 0], [0.5, 0, 0], [5.0, 0, 0]])
    found = obs.steinhardt(coords, cutoff=1.0)
    np.testing.assert_allclose(found, [1.0, 1.0, 0.0], atol=1e-12)
    # The step is smooth: value and first two derivatives at both ends.
    h = 1e-4
    for at, value in ((0.6, 1.0), (1.0, 0.0)):
        values = smooth_step(at + h * np.asarray([-1.0, 0.0, 1.0]), 0.6, 1.0, xp=np)
        np.testing.assert_allclose(values, value, atol=1e-9)
        assert abs(values[0] + values[2] - 2 * values[1]) / h**2 < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: obs.steinhardt(x, cutoff=1.2, boundary=md.CubicBoundary(2.0)), "over half the"),
        (lambda x: obs.steinhardt(x, cutoff=0.5, start=0.5), "`start` = 0.5 must be at least 0"),
        (lambda x: obs.steinhardt(x, cutoff=0.5, degree=-1), "`degree` = -1 must be"),
        (lambda x: obs.steinhardt(x, cutoff=0.5, average="some"), "'none', 'neighbors' or 'all'"),
        (lambda x: obs.steinhardt(x[:, :2], cutoff=0.5), "`hexatic` is for the plane"),
        (lambda x: obs.hexatic(x, cutoff=0.5), "`steinhardt` is for space"),
        (lambda x: obs.hexatic(x[:, :2], cutoff=0.5, k=0), "`k` = 0 must be"),
    ],
)
def test_settings_that_cannot_be_right_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((4, 3)))
