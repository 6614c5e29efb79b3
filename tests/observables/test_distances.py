"""Distances, groups and whole molecules against loops over images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import xpmd as md
import xpmd_observables as obs

VECTORS = np.asarray([[2.0, 0.0, 0.0], [0.6, 1.8, 0.0], [-0.5, 0.4, 2.2]])
COORDS = np.random.default_rng(0).uniform(-3, 3, size=(7, 3))


def shortest(a, b, vectors):
    """Return the length of the shortest image of b - a, by trying all of them."""
    images = itertools.product(range(-4, 5), repeat=len(vectors))
    return min(np.linalg.norm(b - a + np.asarray(n) @ vectors) for n in images)


@pytest.mark.parametrize(
    ("boundary", "vectors"),
    [
        (md.CubicBoundary(2.0, 2.4, 1.9), np.diag([2.0, 2.4, 1.9])),
        (md.TriclinicBoundary(VECTORS), VECTORS),
    ],
)
def test_distances_are_those_of_the_nearest_images(boundary, vectors):
    # Only where an image is nearer than half the smallest width is it sure to be found.
    half = 0.5 * min(boundary.widths())
    matrix = obs.distance_matrix(COORDS, boundary=boundary)
    pairs = list(itertools.combinations(range(7), 2))
    listed = obs.pair_distances(COORDS, pairs, boundary=boundary)
    compared = 0
    for found, (i, j) in zip(listed, pairs, strict=True):
        assert matrix[i, j] == matrix[j, i] == found
        expected = shortest(COORDS[i], COORDS[j], vectors)
        if expected < half:
            compared += 1
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert compared >= 4
    assert np.all(np.diagonal(matrix) == 0)


def test_distances_in_open_space_and_between_groups():
    first, second = [0, 3], [1, 2, 6]
    expected = np.linalg.norm(COORDS[first][:, None] - COORDS[second][None], axis=-1)
    found = obs.distance_matrix(COORDS, first=first, second=second)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    for measure, value in (("nearest", expected.min()), ("farthest", expected.max())):
        found = obs.group_distance(COORDS, first, second, measure=measure)
        np.testing.assert_allclose(found, value, rtol=1e-14)
    mass = np.arange(1.0, 8.0)
    centers = [np.average(COORDS[g], axis=0, weights=mass[g]) for g in (first, second)]
    found = obs.group_distance(COORDS, first, second, mass=mass)
    np.testing.assert_allclose(found, np.linalg.norm(centers[1] - centers[0]), rtol=1e-14)
    np.testing.assert_allclose(obs.center_of_mass(COORDS, mass=mass, atoms=first), centers[0])


def test_a_group_split_by_the_boundary_has_its_center_at_the_boundary():
    coords = np.asarray([[0.1, 1.0, 1.0], [2.9, 1.0, 1.0], [1.0, 1.0, 1.0]])
    found = obs.group_distance(coords, [0, 1], [2], boundary=md.CubicBoundary(3.0))
    np.testing.assert_allclose(found, 1.0)


def test_angles_and_dihedrals_across_the_boundary():
    side = 4.0
    # A right angle, and the dihedral of 60 degrees, turned around the z axis.
    points = np.asarray(
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5 * np.sqrt(3), 1.0]]
    )
    split = (points + np.asarray([3.5, 3.8, 3.6])) % side
    for coords, boundary in ((points, None), (split, md.CubicBoundary(side))):
        angle = obs.bond_angles(coords, [[0, 1, 2]], boundary=boundary)
        np.testing.assert_allclose(angle, [np.pi / 2])
        # IUPAC: positive if the far bond is turned clockwise, looking along the middle bond.
        dihedral = obs.dihedral_angles(coords, [[0, 1, 2, 3]], boundary=boundary)
        np.testing.assert_allclose(dihedral, [np.pi / 3])


TREE = [[0, 1], [1, 2], [1, 3], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    "boundary", [md.CubicBoundary(1.5, 1.7, np.inf), md.TriclinicBoundary(VECTORS)]
)
def test_a_split_molecule_is_made_whole(boundary, on, array):
    steps = np.random.default_rng(1).uniform(-0.35, 0.35, size=(7, 3))
    coords = steps.copy()
    for one, other in TREE:
        coords[other] = coords[one] + steps[other]
    split = array(np.asarray(boundary.wrap(coords, xp=md.backend("numpy").xp(coords))))
    found = on.to_numpy(obs.whole(split, TREE, boundary=boundary))
    for one, other in TREE:
        np.testing.assert_allclose(found[other] - found[one], steps[other], atol=1e-12)
    # Without bonds the atoms are a chain.
    chain = np.cumsum(steps, axis=0)
    split = array(np.asarray(boundary.wrap(chain, xp=md.backend("numpy").xp(chain))))
    found = on.to_numpy(obs.whole(split, boundary=boundary))
    np.testing.assert_allclose(np.diff(found, axis=0), steps[1:], atol=1e-12)


def test_a_system_stays_a_system_when_it_is_made_whole():
    system = md.System(
        md.Atoms(mass=1.0), np.asarray([[0.1, 1.0, 1.0], [2.9, 1.0, 1.0]]), md.CubicBoundary(3.0)
    )
    assert obs.radius_of_gyration(system) == pytest.approx(1.4)
    made = obs.whole(system, [[0, 1]])
    assert isinstance(made, md.System)
    assert obs.radius_of_gyration(made) == pytest.approx(0.1)


def test_what_open_space_and_single_atoms_give():
    one = np.zeros((1, 3))
    assert obs.radius_of_gyration(one) == 0
    assert obs.whole(one, boundary=md.CubicBoundary(1.0)) is one
    assert obs.distance_matrix(one).tolist() == [[0.0]]
    assert obs.whole(COORDS) is COORDS
    with pytest.raises(ValueError, match=r"holds 1 atom\(s\); a separation needs two"):
        md.mean_min_separation(one)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: obs.pair_distances(COORDS, [[0, 7]]), "`pairs` names atom 7; .* atoms 0 to 6"),
        (lambda: obs.pair_distances(COORDS, [[0, -1]]), "names atom -1"),
        (lambda: obs.pair_distances(COORDS, [0, 1]), "`pairs` .* must be rows"),
        (lambda: obs.pair_distances(COORDS, [[0, 1, 2]]), r"`pairs` has shape \(1, 3\)"),
        (lambda: obs.bond_angles(COORDS, [[0, 1]]), r"`triples` .* must be \(m, 3\)"),
        (lambda: obs.whole(COORDS, [0, 1], boundary=md.CubicBoundary(1.0)), "must be pairs"),
        (lambda: obs.whole(COORDS, [[0, 9]], boundary=md.CubicBoundary(1.0)), "names atom 9"),
        (lambda: obs.group_distance(COORDS, [0], [1], measure="mean"), "'center', 'nearest' or"),
        (lambda: obs.group_distance(COORDS, [0], [1], mass=np.ones(3)), r"`mass` has shape \(3,\)"),
        (
            lambda: obs.distance_matrix(COORDS, boundary=md.RectangularBoundary(1.0, 1.0)),
            r"RectangularBoundary needs \(n_atoms, 2\)",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_neither_a_system_nor_coordinates():
    system = md.System(md.Atoms(), COORDS, md.CubicBoundary(9.0))
    with pytest.raises(TypeError, match="must be a System or coordinates"):
        obs.distance_matrix([1.0, 2.0])
    with pytest.raises(TypeError, match="`boundary` was given beside a System"):
        obs.distance_matrix(system, boundary=md.CubicBoundary(9.0))
