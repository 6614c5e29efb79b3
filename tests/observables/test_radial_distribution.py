"""g(r) against its definition, the ideal gas, and itself along both ways of finding pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

import xpmd as md
import xpmd.observables.close_pairs as close_pairs_module
from xpmd.observables.close_pairs import close_pairs
from xpmd.observables.positions import positions

SIDES = np.asarray([2.0, 2.3, 2.1])
COORDS = np.random.default_rng(0).uniform(0, 1, size=(40, 3)) * SIDES


def box(array=np.asarray):
    return md.CubicBoundary(*(array(side) for side in SIDES))


def by_definition(coords, sides, r, width, first, second):
    """Sum Gaussians over all pairs and divide by the smoothed shells."""
    d = len(sides)
    away = coords[second][None] - coords[first][:, None]
    away -= np.round(away / sides) * sides
    distance = np.linalg.norm(away, axis=-1)
    distance = distance[np.asarray(first)[:, None] != np.asarray(second)[None]]

    def kernel(x):
        return np.exp(-0.5 * (x / width) ** 2) / (width * np.sqrt(2 * np.pi))

    def surface(x):
        return 4 * np.pi * x * x if d == 3 else 2 * np.pi * x

    counts = np.asarray([kernel(at - distance).sum() for at in r])
    shells = [quad(lambda x, at=at: surface(x) * kernel(at - x), 0, at + 9 * width)[0] for at in r]
    return np.prod(sides) * counts / len(distance) / np.asarray(shells)


@pytest.mark.parametrize("width", [None, 0.02, 0.15])
@pytest.mark.parametrize("groups", [None, ([0, 1, 2, 3, 4], [3, 4, 5, 6]), (range(9), range(9))])
def test_agrees_with_its_definition(width, groups):
    first, second = groups or (range(40), range(40))
    settings = {} if groups is None else {"first": first, "second": second}
    r, g = md.radial_distribution(COORDS, box(), r_max=0.9, n_bins=30, width=width, **settings)
    expected = by_definition(COORDS, SIDES, r, width or 0.06, list(first), list(second))
    # The kernel is Gaussian to a few parts in 1e5 of its height.
    np.testing.assert_allclose(g, expected, atol=5e-5 * expected.max())


def test_agrees_with_its_definition_in_the_plane():
    boundary = md.RectangularBoundary(*SIDES[:2])
    r, g = md.radial_distribution(COORDS[:, :2], boundary, r_max=0.9, n_bins=30)
    everyone = list(range(40))
    expected = by_definition(COORDS[:, :2], SIDES[:2], r, 0.06, everyone, everyone)
    np.testing.assert_allclose(g, expected, atol=5e-5 * expected.max())


@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_ideal_gas_has_one_everywhere(dimensions):
    numbers = np.random.default_rng(1)
    sides = np.asarray([2.0, 2.4, 2.2])[:dimensions]
    kind = md.RectangularBoundary if dimensions == 2 else md.CubicBoundary
    found = []
    for _ in range(12):
        coords = numbers.uniform(0, 1, size=(600, dimensions)) * sides
        # Shells end before half the box, where smoothing would see that its corners are missing.
        found.append(md.radial_distribution(coords, kind(*sides), r_max=0.8, n_bins=16)[1])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    # Also at distances of the order of the width, thanks to the smoothed shell.
    assert np.all(np.abs(mean - 1) < 4.5 * error + 0.002)
    assert np.all(error < [0.25] + [0.06] * 15)


def test_the_coordination_number_of_a_crystal():
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    r, g = md.radial_distribution(
        1.0 * cells, md.CubicBoundary(4.0), r_max=1.2, n_bins=240, width=0.03
    )
    # 6 neighbors at 1, but n - 1 of n atoms make the density around one.
    count = np.sum(4 * np.pi * r**2 * g) * (r[1] - r[0]) * 63 / 64
    assert count == pytest.approx(6.0, rel=2e-3)


def test_both_ways_of_finding_pairs_agree(on, array, monkeypatch):
    expected = md.radial_distribution(COORDS, box(), r_max=0.9, n_bins=10)[1]
    if on.capabilities.dynamic_shapes:
        # Several blocks of rows, the last one not full.
        monkeypatch.setattr(close_pairs_module, "BLOCK", 130)
    else:
        pairs = close_pairs(positions(array(COORDS), box(array)), 0.5)
        assert pairs.first is None
        assert pairs.mask is not None
    _, found = on.jit(lambda x: md.radial_distribution(x, box(array), r_max=0.9, n_bins=10))(
        array(COORDS)
    )
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-11)


def test_single_precision_stays(on, array):
    side = array(2.0, dtype="float32")
    r, g = on.jit(
        lambda x: md.radial_distribution(x, md.CubicBoundary(side), r_max=0.9, n_bins=10)
    )(array(COORDS, dtype="float32"))
    assert on.dtype_name(r) == on.dtype_name(g) == "float32"


def test_its_second_derivative_is_continuous_and_right():
    on = md.backend("numpy")
    direction = np.random.default_rng(3).normal(size=COORDS.shape)
    weight = np.random.default_rng(4).normal(size=12)

    def slope(coords):
        def loss(coords):
            return np.sum(weight * md.radial_distribution(coords, box(), r_max=0.9, n_bins=12)[1])

        return on.value_and_grad(lambda x: (loss(x), ()), (coords,))[1][0]

    step = 1e-5
    expected = (slope(COORDS + step * direction) - slope(COORDS - step * direction)) / (2 * step)
    _, (found,) = on.jvp(lambda x: (slope(x),), (COORDS,), (direction,))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r_max": 1.1}, "`r_max` = 1.1 nm is over half the smallest box width, 2 nm"),
        ({"r_max": 0.0}, "`r_max` = 0.0 must be positive"),
        ({"r_max": 0.5, "n_bins": 0}, "`n_bins` = 0 must be positive"),
        ({"r_max": 0.5, "width": -1.0}, "`width` = -1.0 must be positive"),
        ({"r_max": 0.5, "first": [1, 1]}, "`first` names an atom twice"),
        ({"r_max": 0.5, "first": [1], "second": [1]}, "hold no pair of different atoms"),
        ({"r_max": 0.5, "first": [40]}, "`first` names atom 40"),
    ],
)
def test_settings_that_cannot_be_right_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        md.radial_distribution(COORDS, box(), **settings)


@pytest.mark.parametrize("boundary", [None, md.CubicBoundary(2.0, 2.0, np.inf)])
def test_an_open_box_has_no_density(boundary):
    with pytest.raises(ValueError, match="needs a density, so a closed box"):
        md.radial_distribution(COORDS, boundary, r_max=0.5)
