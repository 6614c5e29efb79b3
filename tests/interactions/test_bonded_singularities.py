"""Bonded terms where their coordinate has no derivative, and the sign of a dihedral angle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xpmd as md
from slow_on_jax import slow_on_jax
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.harmonic_angle import HarmonicAngle
from xpmd_interactions.specific.harmonic_bond import HarmonicBond
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

OPEN = md.CubicBoundary(float("inf"))


def system(on: md.Backend, coords: Any, *interactions: Any, **settings: Any) -> md.System:
    return md.System(
        md.Atoms(sigma=0.3, epsilon=0.2),
        on.asarray(np.asarray(coords, dtype=float), dtype="float64"),
        OPEN,
        interactions=interactions,
        **settings,
    )


def held(on: md.Backend, coords: Any, interaction: Any) -> tuple[float, Any]:
    of = system(on, coords, interaction)
    return float(on.to_numpy(md.potential_energy(of))), on.to_numpy(md.forces(of))


# A singular term on atoms 0, 1, ... and a good one on the others: what each makes, what the sum must be.
GOOD_FOUR = [[5.0, 5.1, 5.0], [5.0, 5.0, 5.2], [5.1, 5.0, 5.0], [5.3, 5.2, 5.1]]
SINGULAR: dict[str, tuple[Any, Any, float]] = {
    "bond_of_length_0": (
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], *GOOD_FOUR],
        lambda k, x: HarmonicBond([[0, 1], [2, 3]], k, x),
        2,
    ),
    "angle_of_0": (
        [[0.1, 0.0, 0.0], [0.0, 0.0, 0.0], [0.2, 0.0, 0.0], *GOOD_FOUR],
        lambda k, x: HarmonicAngle([[0, 1, 2], [3, 4, 5]], k, x),
        3,
    ),
    "angle_of_pi": (
        [[0.1, 0.2, 0.3], [0.0, 0.0, 0.0], [-0.1, -0.2, -0.3], *GOOD_FOUR],
        lambda k, x: HarmonicAngle([[0, 1, 2], [3, 4, 5]], k, x),
        3,
    ),
    "angle_without_arm": (
        [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [-0.1, -0.2, -0.3], *GOOD_FOUR],
        lambda k, x: HarmonicAngle([[0, 1, 2], [3, 4, 5]], k, x),
        3,
    ),
    "torsion_with_collinear_arm": (
        [[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.2, 0.0, 0.0], [0.3, 0.1, 0.0], *GOOD_FOUR],
        lambda k, x: PeriodicTorsion([[0, 1, 2, 3], [4, 5, 6, 7]], 2.0, x, k),
        4,
    ),
    "torsion_with_other_arm_collinear": (
        [[0.0, 0.1, 0.0], [0.1, 0.0, 0.0], [0.2, 0.0, 0.0], [0.3, 0.0, 0.0], *GOOD_FOUR],
        lambda k, x: PeriodicTorsion([[0, 1, 2, 3], [4, 5, 6, 7]], 2.0, x, k),
        4,
    ),
    "torsion_on_a_line": (
        [[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.2, 0.0, 0.0], [0.3, 0.0, 0.0], *GOOD_FOUR],
        lambda k, x: PeriodicTorsion([[0, 1, 2, 3], [4, 5, 6, 7]], 2.0, x, k),
        4,
    ),
    "torsion_around_no_bond": (
        [[0.0, 0.0, 0.1], [0.1, 0.0, 0.0], [0.1, 0.0, 0.0], [0.3, 0.1, 0.0], *GOOD_FOUR],
        lambda k, x: PeriodicTorsion([[0, 1, 2, 3], [4, 5, 6, 7]], 2.0, x, k),
        4,
    ),
}
ALONE = {2: HarmonicBond, 3: HarmonicAngle, 4: lambda a, k, x: PeriodicTorsion(a, 2.0, x, k)}


@slow_on_jax
@pytest.mark.parametrize("name", SINGULAR)
def test_good_terms_beside_a_singular_one(name: str, on: md.Backend) -> None:
    """The singular term exerts no force, and leaves those of the good one as they are alone."""
    coords, term, size = SINGULAR[name]
    energy, forces = held(on, coords, term(3.0, 0.4))
    _, alone = held(on, GOOD_FOUR, ALONE[size]([list(range(size))], 3.0, 0.4))
    singular = len(coords) - len(GOOD_FOUR)
    assert math.isfinite(energy)
    assert not forces[:singular].any()
    assert np.abs(alone).max() > 0.1
    np.testing.assert_allclose(forces[singular:], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SINGULAR)
def test_gradients_through_a_singular_term(name: str, on: md.Backend) -> None:
    """First and second derivatives stay finite, and those of the good term are not disturbed."""
    coords, term, size = SINGULAR[name]
    singular = len(coords) - len(GOOD_FOUR)
    weights = np.random.default_rng(1).normal(size=(len(coords), 3))

    def loss(p: dict[str, Any], build: Any, w: Any) -> Any:
        of = md.System(md.Atoms(), p["coords"], OPEN, interactions=[build(p["k"], p["x"])])
        forces = md.forces(of)
        xp = on.xp(forces)
        return md.potential_energy(of) + xp.sum(on.asarray(w, dtype="float64") * forces)

    def gradient(coords: Any, build: Any, w: Any) -> dict[str, Any]:
        start = {"k": [3.0, 3.0], "x": [0.4, 0.4], "coords": coords}
        p = {
            key: on.asarray(np.asarray(v, dtype=float), dtype="float64") for key, v in start.items()
        }
        found = md.grad(lambda q: loss(q, build, w))(p)
        return {key: on.to_numpy(value) for key, value in found.items()}

    both = gradient(coords, term, weights)
    rows = [list(range(size)), list(range(size))]
    twice = gradient(GOOD_FOUR, lambda k, x: ALONE[size](rows, k, x), weights[singular:])
    for key, value in both.items():
        assert np.isfinite(value).all(), key
    np.testing.assert_allclose(both["k"][1], twice["k"][1], rtol=1e-10)
    np.testing.assert_allclose(both["x"][1], twice["x"][1], rtol=1e-10)
    np.testing.assert_allclose(2 * both["coords"][singular:], twice["coords"], rtol=1e-9, atol=1e-9)


def test_energies_where_the_coordinate_is_still_known(on: md.Backend) -> None:
    """A bond of length 0 and angles of 0 and pi have an energy, and it is the formula's."""
    zero = held(on, SINGULAR["bond_of_length_0"][0], HarmonicBond([[0, 1]], 3.0, 0.4))[0]
    assert zero == pytest.approx(0.5 * 3.0 * 0.4**2, rel=1e-15)
    for name, theta in (("angle_of_0", 0.0), ("angle_of_pi", math.pi)):
        energy = held(on, SINGULAR[name][0], HarmonicAngle([[0, 1, 2]], 3.0, 0.4))[0]
        assert energy == pytest.approx(0.5 * 3.0 * (theta - 0.4) ** 2, rel=1e-14)


@pytest.mark.parametrize("bend", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("straight", [True, False])
def test_almost_collinear_angles_keep_their_digits(
    bend: float, straight: bool, on: md.Backend
) -> None:
    """V = k/2 (theta - pi)^2 of a chain bent by little: an arccos would give 0 below 1e-8."""
    arm = 0.15 * np.array([math.cos(bend), math.sin(bend), 0.0])
    coords = [[-0.1 if straight else 0.1, 0.0, 0.0], [0.0, 0.0, 0.0], arm]
    rest = math.pi if straight else 0.0
    angle = HarmonicAngle([[0, 1, 2]], 2.0, rest)
    energy, forces = held(on, coords, angle)
    # pi itself is rounded, by 1.2e-16.
    assert math.sqrt(energy) == pytest.approx(bend, rel=1e-12, abs=1e-15)
    # Torque k bend on each arm: force k bend / length, across the arm.
    assert np.linalg.norm(forces[0]) == pytest.approx(2.0 * bend / 0.1, rel=1e-6)
    assert np.linalg.norm(forces[2]) == pytest.approx(2.0 * bend / 0.15, rel=1e-6)


def test_excluded_atoms_at_the_same_place(on: md.Backend) -> None:
    """An excluded pair at r = 0 leaves energy, forces and gradients of the others as they were."""
    coords = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.35, 1.0, 1.0]])

    def loss(p: dict[str, Any], skip: bool) -> Any:
        excluded = md.Exclusions([[0, 1]]) if skip else None
        of = md.System(
            md.Atoms(sigma=p["sigma"], epsilon=0.2),
            p["coords"],
            OPEN,
            interactions=[LennardJones()],
            exclusions=excluded,
        )
        forces = md.forces(of)
        return md.potential_energy(of) + on.xp(forces).sum(forces[:, 0] * forces[:, 0])

    def value_and_gradient(x: Any, skip: bool) -> Any:
        p = {"sigma": on.asarray(0.3, dtype="float64"), "coords": on.asarray(x, dtype="float64")}
        value, gradient = md.value_and_grad(lambda q: loss(q, skip))(p)
        return [on.to_numpy(each) for each in (value, gradient["sigma"], gradient["coords"])]

    value, sigma, place = value_and_gradient(coords, True)
    assert np.isfinite(place).all()
    # Twice the energy of one pair; the force on atom 2 is twice, those on 0 and 1 once that of the pair.
    r, s6 = 0.35, (0.3 / 0.35) ** 6
    energy, force = 0.8 * (s6 * s6 - s6), 4.8 / r * (2 * s6 * s6 - s6)
    assert value == pytest.approx(2 * energy + 6 * force**2, rel=1e-12)
    by_sigma = 0.8 / 0.3 * (12 * s6 * s6 - 6 * s6)
    force_by_sigma = 4.8 / r / 0.3 * (24 * s6 * s6 - 6 * s6)
    assert sigma == pytest.approx(2 * by_sigma + 12 * force * force_by_sigma, rel=1e-12)
    np.testing.assert_allclose(place[0], place[1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(place.sum(axis=0), 0.0, atol=1e-9)


class Dihedral(md.SpecificInteraction):
    """V = phi, to read the angle."""

    def energy(self, dihedral: Any, *, xp: Any) -> Any:
        return dihedral


@pytest.mark.parametrize("degrees", [-170.0, -60.0, 0.0, 30.0, 90.0, 179.0])
def test_dihedral_sign(degrees: float, on: md.Backend) -> None:
    """IUPAC: looking along the middle bond, the front bond turns clockwise to cover the rear one.

    One looks along z, from atom 1 to atom 2, with x to the right; then y points down, and a turn from
    x to y is clockwise.
    """
    phi = math.radians(degrees)
    front, rear = [0.1, 0.0, 0.0], [0.1 * math.cos(phi), 0.1 * math.sin(phi), 0.15]
    coords = [front, [0.0, 0.0, 0.0], [0.0, 0.0, 0.15], rear]
    angle, forces = held(on, coords, Dihedral([[0, 1, 2, 3]]))
    assert angle == pytest.approx(phi, abs=1e-15)
    # V = phi falls as atom 3 turns back: its force is -1/0.1 along the sense of growing phi.
    growing = np.array([-math.sin(phi), math.cos(phi), 0.0])
    np.testing.assert_allclose(forces[3], -growing / 0.1, atol=1e-12)
    # Read from the other end the angle is the same, and in a mirror its negative.
    assert held(on, coords, Dihedral([[3, 2, 1, 0]]))[0] == pytest.approx(phi, abs=1e-15)
    mirrored = np.array(coords) * [1.0, -1.0, 1.0]
    assert held(on, mirrored, Dihedral([[0, 1, 2, 3]]))[0] == pytest.approx(-phi, abs=1e-15)
