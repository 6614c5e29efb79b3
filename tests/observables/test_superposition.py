"""RMSD, RMSF and their derivatives, against SciPy's rotations and differences."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import xpmd as md
import xpmd_observables as obs
from xpmd_observables.superposition import superposed

NUMBERS = np.random.default_rng(0)
COORDS = NUMBERS.normal(size=(9, 3))
OTHER = COORDS @ Rotation.random(rng=1).as_matrix().T + 3.0 + 0.3 * NUMBERS.normal(size=(9, 3))
MASS = NUMBERS.uniform(1, 5, size=9)
PROTEIN = Path(__file__).parents[2] / "../shared/data/gb99dms/trp-cage.pdb"


@functools.cache
def compiled(function: Callable[..., Any], library: str) -> Callable[..., Any]:
    """Return a function as one program where the library compiles: much faster than one by one."""
    return md.backend(library).jit(function)


@functools.cache
def with_slopes(function: Callable[..., Any], library: str) -> Callable[..., Any]:
    on = md.backend(library)
    return on.jit(lambda *xs: on.value_and_grad(lambda *ys: (function(*ys), ()), xs))


def weighted_rmsd(coords, reference, mass):
    return obs.rmsd(coords, reference, mass=mass)


def by_scipy(coords, reference, mass=None):
    weights = np.ones(len(coords)) if mass is None else mass
    one, other = (x - np.average(x, axis=0, weights=weights) for x in (coords, reference))
    _, root = Rotation.align_vectors(other, one, weights=weights)
    return root / np.sqrt(weights.sum())


def mirrored(coords):
    return coords * np.asarray([1.0, 1.0, -1.0])


SHAPES = {
    "in space": (COORDS, OTHER),
    "mirrored": (COORDS, mirrored(OTHER)),
    "its own mirror image": (COORDS, mirrored(COORDS)),
    "in a plane": (COORDS * [1, 1, 0], OTHER),
    "in two planes": (COORDS * [1, 1, 0], OTHER * [0, 1, 1]),
    "upside down": (COORDS * [1, 1, 0], COORDS * [-1, 1, 0]),
    "three atoms": (COORDS[:3], OTHER[:3]),
    "two atoms": (COORDS[:2], OTHER[:2]),
    "onto a line": (COORDS, np.arange(9.0)[:, None] * np.asarray([0.0, 0.0, 0.4])),
    "half a turn": (COORDS, COORDS * [-1, -1, 1]),
}


@pytest.mark.filterwarnings("ignore:Optimal rotation is not uniquely:UserWarning")
@pytest.mark.parametrize("case", SHAPES)
def test_rmsd_agrees_with_scipy(case, on, array):
    coords, reference = (np.asarray(x, dtype=float) for x in SHAPES[case])
    expected = by_scipy(coords, reference)
    found = compiled(obs.rmsd, on.name)(array(coords), array(reference))
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-7, atol=1e-12)


def test_rmsd_with_masses_and_of_some_atoms():
    found = obs.rmsd(COORDS, OTHER, mass=MASS)
    np.testing.assert_allclose(found, by_scipy(COORDS, OTHER, MASS), rtol=1e-12)
    chosen = [0, 2, 3, 7]
    expected = by_scipy(COORDS[chosen], OTHER[chosen], MASS[chosen])
    for reference in (OTHER, OTHER[chosen]):
        found = obs.rmsd(COORDS, reference, atoms=chosen, mass=MASS)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    plain = np.sqrt(np.mean(np.sum((COORDS - OTHER) ** 2, axis=1)))
    np.testing.assert_allclose(obs.rmsd(COORDS, OTHER, superpose=False), plain)


def test_structures_that_are_one_are_zero_apart(on, array):
    turned = COORDS @ Rotation.random(rng=5).as_matrix().T - 7.0
    value, (slope, _), _ = with_slopes(obs.rmsd, on.name)(array(COORDS), array(turned))
    assert float(on.to_numpy(value)) < 1e-14
    # At the kink the slope is that of one side or 0, never more than moving all atoms as one.
    assert np.linalg.norm(on.to_numpy(slope)) <= 1 / np.sqrt(9) + 1e-12


def test_a_protein_turned_and_shaken():
    if not PROTEIN.exists():
        pytest.skip("../shared/data is absent: no protein to turn.")
    lines = [line for line in PROTEIN.read_text().splitlines() if line.startswith("ATOM")]
    coords = np.asarray([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in lines]) / 10
    shaken = coords + 0.1 * np.random.default_rng(2).normal(size=coords.shape)
    turned = shaken @ Rotation.random(rng=3).as_matrix().T + [4.0, -2.0, 9.0]
    np.testing.assert_allclose(obs.rmsd(turned, coords), by_scipy(shaken, coords), rtol=1e-12)
    assert 0.15 < obs.rmsd(turned, coords) < 0.18


def test_rmsd_in_the_plane_leaves_mirror_images_apart(on, array):
    plane = COORDS[:, :2]
    angle = 2.5
    turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    of_both = compiled(obs.rmsd, on.name)
    found = of_both(array(plane @ turn.T + 1.0), array(plane))
    assert float(on.to_numpy(found)) < 1e-13
    mirror = plane * [1, -1]
    centered, other = (x - x.mean(axis=0) for x in (plane, mirror))
    angles = np.linspace(0, 2 * np.pi, 20001)
    cosine, sine = np.cos(angles), np.sin(angles)
    overlap = (
        np.sum(centered * other) * cosine
        + np.sum(centered[:, 0] * other[:, 1] - centered[:, 1] * other[:, 0]) * sine
    )
    best = np.sqrt((np.sum(centered**2) + np.sum(other**2) - 2 * overlap.max()) / 9)
    np.testing.assert_allclose(on.to_numpy(of_both(array(plane), array(mirror))), best, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Optimal rotation is not uniquely:UserWarning")
@pytest.mark.parametrize("case", ["in space", "mirrored", "in a plane", "onto a line", "two atoms"])
def test_slopes_by_structure_reference_and_masses(case, on, array):
    coords, reference = (np.asarray(x, dtype=float) for x in SHAPES[case])
    mass = MASS[: len(coords)]
    arguments = (coords, reference, mass)
    _, slopes, _ = with_slopes(weighted_rmsd, on.name)(*(array(x) for x in arguments))
    step = 1e-6
    for place, slope in enumerate(slopes):
        assert np.isfinite(on.to_numpy(slope)).all()
        if (case, place) == ("onto a line", 1):
            continue  # Off the line, one of many best rotations wins: a kink.
        along = np.random.default_rng(place).normal(size=arguments[place].shape)
        moved = []
        for sign in (1, -1):
            changed = list(arguments)
            changed[place] = arguments[place] + sign * step * along
            moved.append(by_scipy(*changed))
        expected = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(np.sum(on.to_numpy(slope) * along), expected, atol=2e-7)


def test_second_derivatives_follow_the_rotation(on, array):
    reference = array(OTHER)

    def slope(x):
        return on.vjp(lambda y: (obs.rmsd(y, reference),), x)[1]((array(1.0),))[0]

    def plain(x):
        numpy = md.backend("numpy")
        return numpy.vjp(lambda y: (obs.rmsd(y, OTHER),), x)[1]((1.0,))[0]

    along = np.random.default_rng(1).normal(size=COORDS.shape)
    step = 1e-5
    expected = (plain(COORDS + step * along) - plain(COORDS - step * along)) / (2 * step)

    # The gradient of (slope . along) is the same vector.
    def curved(x):
        return on.vjp(lambda y: (on.xp(y).sum(slope(y) * array(along)),), x)[1]((array(1.0),))[0]

    found = on.to_numpy(on.jit(curved)(array(COORDS)))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_superposed_structures_follow_with_their_derivative(on, array):
    share = array(MASS / MASS.sum())
    weight = np.random.default_rng(4).normal(size=COORDS.shape)

    def turned(x):
        xp = on.xp(x)
        found, _ = superposed(x, array(OTHER), share, backend=on, xp=xp)
        return xp.sum(array(weight) * found)

    def by_rotation(x):
        one, other = (y - np.average(y, axis=0, weights=MASS) for y in (x, OTHER))
        rotation, _ = Rotation.align_vectors(other, one, weights=MASS)
        return np.sum(weight * rotation.apply(one))

    value, (slope,), _ = with_slopes(turned, on.name)(array(COORDS))
    np.testing.assert_allclose(on.to_numpy(value), by_rotation(COORDS), rtol=1e-10)
    along, step = np.random.default_rng(5).normal(size=COORDS.shape), 1e-6
    expected = (by_rotation(COORDS + step * along) - by_rotation(COORDS - step * along)) / 2 / step
    np.testing.assert_allclose(np.sum(on.to_numpy(slope) * along), expected, rtol=1e-6)


def records(count=6):
    numbers = np.random.default_rng(6)
    frames = COORDS + 0.2 * numbers.normal(size=(count, 9, 3))
    turns = Rotation.random(count, rng=7).as_matrix()
    return np.einsum("tij,tnj->tni", turns, frames) + numbers.normal(size=(count, 1, 3))


def fluctuation_by_scipy(trajectory):
    centered = trajectory - trajectory.mean(axis=1, keepdims=True)
    turned = [Rotation.align_vectors(centered[0], x)[0].apply(x) for x in centered]
    return np.sqrt(np.mean(np.sum((turned - np.mean(turned, axis=0)) ** 2, axis=-1), axis=0))


def test_fluctuations_agree_with_scipy_and_differentiate(on, array):
    trajectory = records()
    weight = np.random.default_rng(8).normal(size=9)

    def loss(x):
        found = obs.fluctuation(x)
        return on.xp(found).sum(found * array(weight)), (found,)

    function = on.jit(lambda x: on.value_and_grad(loss, (x,)))
    _, (slope,), (found,) = function(array(trajectory))
    np.testing.assert_allclose(on.to_numpy(found), fluctuation_by_scipy(trajectory), rtol=1e-9)
    along, step = np.random.default_rng(9).normal(size=trajectory.shape), 1e-6
    moved = [
        np.sum(weight * fluctuation_by_scipy(trajectory + sign * step * along)) for sign in (1, -1)
    ]
    expected = (moved[0] - moved[1]) / (2 * step)
    np.testing.assert_allclose(np.sum(on.to_numpy(slope) * along), expected, rtol=1e-6)


def test_two_atoms_fluctuate_along_their_bond_alone(on, array):
    # The turn around the bond changes nothing, so its curvature must not be divided by.
    numbers = np.random.default_rng(11)
    ends = numbers.normal(size=(7, 2, 3))

    def by_length(x):
        return 2 * np.std(0.5 * np.linalg.norm(x[:, 1] - x[:, 0], axis=-1))

    def loss(x):
        return on.xp(x).sum(obs.fluctuation(x)), ()

    _, (slope,), _ = on.jit(lambda x: on.value_and_grad(loss, (x,)))(array(ends))
    along, step = numbers.normal(size=ends.shape), 1e-6
    expected = (by_length(ends + step * along) - by_length(ends - step * along)) / (2 * step)
    np.testing.assert_allclose(np.sum(on.to_numpy(slope) * along), expected, rtol=1e-6)


def test_a_reference_on_a_line_leaves_slopes_of_a_size(on, array):
    # Turns around the line cost nothing; a reference moved off it would fix them in no time.
    line = SHAPES["onto a line"][1]

    def loss(x, y):
        return on.xp(x).sum(obs.fluctuation(x, reference=y)), ()

    function = on.jit(lambda *xs: on.value_and_grad(loss, xs))
    _, slopes, _ = function(array(records()), array(line))
    for slope in slopes:
        assert np.abs(on.to_numpy(slope)).max() < 10.0


def test_fluctuations_as_the_records_stand_and_onto_a_reference():
    trajectory = records()
    away = trajectory - trajectory.mean(axis=0)
    expected = np.sqrt(np.mean(np.sum(away**2, axis=-1), axis=0))
    np.testing.assert_allclose(obs.fluctuation(trajectory, superpose=False), expected)
    # Onto the same structure turned as a whole, fluctuations are the same.
    turned = trajectory[0] @ Rotation.random(rng=1).as_matrix().T
    np.testing.assert_allclose(
        obs.fluctuation(trajectory, reference=turned), obs.fluctuation(trajectory), rtol=1e-9
    )
    np.testing.assert_allclose(
        obs.fluctuation(trajectory, atoms=[1, 2, 5], superpose=False), expected[[1, 2, 5]]
    )


def test_many_structures_at_once():
    trajectory = records()
    each = [obs.rmsd(x, OTHER) for x in trajectory]
    np.testing.assert_allclose(obs.rmsd(trajectory, OTHER), each, rtol=1e-12)
    each = [obs.radius_of_gyration(x, mass=MASS) for x in trajectory]
    np.testing.assert_allclose(obs.radius_of_gyration(trajectory, mass=MASS), each, rtol=1e-12)


def test_distances_do_not_tell_mirror_images_apart():
    distances = obs.distance_matrix(COORDS)
    assert obs.distance_rmsd(mirrored(COORDS), distances) < 1e-15
    d = np.linalg.norm(OTHER[:, None] - OTHER[None], axis=-1) - distances
    expected = np.sqrt(np.mean(d[~np.eye(9, dtype=bool)] ** 2))
    np.testing.assert_allclose(obs.distance_rmsd(OTHER, distances), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: obs.rmsd(COORDS, OTHER[:4]), r"`reference` has shape \(4, 3\); 9 atoms"),
        (lambda: obs.rmsd(COORDS, OTHER[:, :2]), r"`reference` has shape \(9, 2\)"),
        (lambda: obs.rmsd(COORDS, OTHER, mass=[1.0, 2.0]), r"`mass` has shape \(2,\)"),
        (lambda: obs.distance_rmsd(COORDS, OTHER), r"`reference` has shape \(9, 3\)"),
        (lambda: obs.distance_rmsd(COORDS[:1], [[0.0]]), "must name two or more"),
        (lambda: obs.fluctuation(COORDS), r"shape \(n_records, n_atoms, d\)"),
        (lambda: obs.rmsd(COORDS[:, :1], COORDS[:, :1]), "in 2 or 3 dimensions, not 1"),
    ],
)
def test_references_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
