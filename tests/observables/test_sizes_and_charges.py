"""Sizes, straightness, order, dipoles and densities against closed forms and other definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xpmd as md
import xpmd_observables as obs
from xpmd_interactions import LennardJones

PROTEIN = Path(__file__).parents[2] / "../shared/data/molly/6mrr_nowater.pdb"


def test_radii_of_a_rod_a_ring_and_a_ball():
    n = 400
    rod = np.zeros((n, 3))
    rod[:, 0] = np.arange(n)
    np.testing.assert_allclose(obs.radius_of_gyration(rod), np.sqrt((n * n - 1) / 12))
    # sum_{i != j} 1/|i - j| = 2 (n H_{n-1} - (n - 1)).
    harmonic = np.sum(1 / np.arange(1, n))
    expected = n * n / (2 * (n * harmonic - (n - 1)))
    np.testing.assert_allclose(obs.hydrodynamic_radius(rod), expected, rtol=1e-12)
    angles = np.arange(n) * 2 * np.pi / n
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=-1)
    np.testing.assert_allclose(obs.radius_of_gyration(ring), 1.0)
    numbers = np.random.default_rng(0)
    points = numbers.uniform(-1, 1, size=(4000, 3))
    ball = points[np.sum(points**2, axis=1) < 1]
    # A uniform ball: sqrt(3/5) R, and mean 1/r = 6/(5 R) between its points.
    np.testing.assert_allclose(obs.radius_of_gyration(ball), np.sqrt(3 / 5), rtol=0.02)
    np.testing.assert_allclose(obs.hydrodynamic_radius(ball), 5 / 6, rtol=0.02)


def test_a_protein_is_a_little_larger_than_the_ball_of_its_volume():
    if not PROTEIN.exists():
        pytest.skip("../shared/data is absent: no protein to measure.")
    lines = [line for line in PROTEIN.read_text().splitlines() if line.startswith("ATOM")]
    coords = np.asarray([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in lines]) / 10
    backbone = [k for k, line in enumerate(lines) if line[12:16].strip() in ("N", "CA", "C", "O")]
    center = coords[backbone].mean(axis=0)
    by_definition = np.sqrt(np.mean(np.sum((coords[backbone] - center) ** 2, axis=1)))
    found = obs.radius_of_gyration(coords, atoms=backbone)
    np.testing.assert_allclose(found, by_definition, rtol=1e-12)
    # Of 68 residues: 0.22 nm N^0.38 (Skolnick; Arteca 1994).
    residues = len({line[22:26] for line in lines})
    assert found == pytest.approx(0.22 * residues**0.38, rel=0.1)
    distances = np.linalg.norm(coords[backbone][:, None] - coords[backbone][None], axis=-1)
    mean_inverse = np.mean(1 / distances[~np.eye(len(backbone), dtype=bool)])
    expected = 1 / (mean_inverse * (1 - 1 / len(backbone)))
    np.testing.assert_allclose(obs.hydrodynamic_radius(coords, atoms=backbone), expected)


def test_straightness_of_chains_across_the_boundary():
    # A straight chain, a right angle with sides 1 and 1, and a loop.
    chains = np.asarray(
        [
            [[0, 0, 0], [1, 0, 0], [2, 0, 0]],
            [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
            [[0, 0, 0], [1, 0, 0], [0, 0, 0]],
        ],
        dtype=float,
    )
    rows = np.arange(9).reshape(3, 3).tolist()
    split = (chains.reshape(-1, 3) + np.asarray([2.5, 2.5, 0.1])) % 3.0
    for coords, boundary in ((chains.reshape(-1, 3), None), (split, md.CubicBoundary(3.0))):
        found = obs.straightness(coords, rows, boundary=boundary)
        np.testing.assert_allclose(found, [1.0, np.sqrt(2) / 2, 0.0], atol=1e-15)


def test_order_of_segments():
    along = np.asarray([[0.0, 0, 0], [0, 0, 1], [0, 0, 2.5], [1, 1, 0], [1, 1, -1], [1, 1, -2]])
    chains = [[0, 1, 2], [3, 4, 5]]
    assert obs.segment_order(along, chains) == pytest.approx(1.0)
    assert obs.segment_order(along, chains, director=[0, 0, -3.0]) == pytest.approx(1.0)
    assert obs.segment_order(along, chains, director=[1.0, 0, 0]) == pytest.approx(-0.5)
    # One segment along each axis: no order, whatever the director.
    corner = np.asarray([[0.0, 0, 0], [1, 0, 0], [1, 2, 0], [1, 2, 3]])
    assert obs.segment_order(corner, [[0, 1, 2, 3]]) == pytest.approx(0.0, abs=1e-15)
    tilt = np.asarray([[0.0, 0, 0], [np.sin(0.4), 0, np.cos(0.4)]])
    found = obs.segment_order(tilt, [[0, 1]], director=[0.0, 0, 1])
    assert found == pytest.approx(1.5 * np.cos(0.4) ** 2 - 0.5)
    plane = np.asarray([[0.0, 0], [1, 0], [1, 1]])
    assert obs.segment_order(plane, [[0, 1]]) == pytest.approx(1.0)
    assert obs.segment_order(plane, [[0, 1, 2]]) == pytest.approx(0.0, abs=1e-15)
    # In the plane S is the mean of cos(2 theta).
    assert obs.segment_order(plane, [[0, 2]], director=[1.0, 0]) == pytest.approx(0.0, abs=1e-15)


def test_the_dipole_of_a_water_molecule(on, array):
    # TIP3P: 0.09572 nm, 104.52 degrees, +-0.834 e; 2.347 debye (Jorgensen et al. 1983).
    half = np.deg2rad(104.52) / 2
    bond = 0.09572
    coords = np.asarray(
        [
            [0.0, 0.0, 0.0],
            [bond * np.sin(half), bond * np.cos(half), 0],
            [-bond * np.sin(half), bond * np.cos(half), 0],
        ]
    )
    charge = [-0.834, 0.417, 0.417]
    found = obs.dipole_moment(array(coords + 3.0), charge=charge)
    np.testing.assert_allclose(on.to_numpy(found) * 48.0320, [0, 2.347, 0], atol=2e-3)
    one = obs.dipole_moment(coords, charge=[1.0, 0, 0], about="center_of_mass", mass=[16.0, 1, 1])
    np.testing.assert_allclose(one, -coords[1:].sum(axis=0) / 18, atol=1e-15)
    np.testing.assert_allclose(
        obs.dipole_moment(coords, charge=charge, atoms=[1]), 0.417 * coords[1]
    )


def gas(n=6, side=2.0):
    numbers = np.random.default_rng(1)
    return md.System(
        md.Atoms(mass=np.arange(1.0, n + 1), sigma=0.3, epsilon=0.4),
        numbers.uniform(0, side, size=(n, 3)),
        md.CubicBoundary(side),
        velocities=numbers.normal(size=(n, 3)),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.9))],
    )


def test_densities_energies_and_pressure_of_a_system():
    system = gas()
    assert obs.volume(system) == pytest.approx(8.0)
    assert obs.density(system) == pytest.approx(21 / 8)
    assert obs.number_density(system) == pytest.approx(6 / 8)
    assert obs.density(system.replace(atoms=md.Atoms(2.0, sigma=0.3, epsilon=0.4))) == 12 / 8
    kinetic = 0.5 * np.sum(np.arange(1.0, 7)[:, None] * system.velocities**2)
    assert obs.total_energy(system) == pytest.approx(kinetic + md.potential_energy(system))
    # P = 2 K/(3 V) - dU/dV, the volume changed with all positions.
    step = 1e-5

    def energy(scale):
        return md.potential_energy(
            system.replace(coords=system.coords * scale, boundary=md.CubicBoundary(2.0 * scale))
        )

    change = (energy(1 + step) - energy(1 - step)) / (8 * ((1 + step) ** 3 - (1 - step) ** 3))
    assert obs.scalar_pressure(system) == pytest.approx(2 * kinetic / 24 - change, rel=1e-7)


def test_units_in_the_docstrings():
    joule_per_mole, nanometer = 1 / 6.02214076e23, 1e-9
    pascal = 1e3 * joule_per_mole / nanometer**3
    assert f"{pascal / 1e5:.4f} bar" in obs.scalar_pressure.__doc__
    dalton = 1.66053906660e-27
    assert f"{dalton / nanometer**3:.6f} kg/m^3" in obs.density.__doc__
    debye = 1e-21 / 299792458
    assert f"{1.602176634e-19 * nanometer / debye:.4f} debye" in obs.dipole_moment.__doc__


OPEN = md.System(md.Atoms(1.0), np.zeros((2, 3)), md.CubicBoundary(2.0, np.inf, 2.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: obs.density(OPEN), "CubicBoundary has an open side, so it has no volume"),
        (lambda: obs.number_density(OPEN), "open side"),
        (lambda: obs.volume(OPEN), "open side"),
        (lambda: obs.hydrodynamic_radius(np.zeros((1, 3))), r"1 atom\(s\) have no distance"),
        (lambda: obs.dipole_moment(np.zeros((2, 3))), "needs `charge`"),
        (lambda: obs.dipole_moment(np.zeros((2, 3)), charge=[1.0]), r"`charge` has shape \(1,\)"),
        (lambda: obs.dipole_moment(np.zeros((2, 3)), charge=1.0, about="x"), "`about` = 'x' must"),
        (lambda: obs.straightness(np.zeros((3, 3)), [[0]]), r"`chains` has shape \(1, 1\)"),
        (
            lambda: obs.segment_order(np.zeros((3, 3)), [[0, 1]], director=[1.0, 0.0]),
            r"`director` has shape \(2,\); it must be \(3,\)",
        ),
        (lambda: obs.contacts(np.zeros(3), width=0.0), "`width` = 0.0 must be positive"),
    ],
)
def test_what_cannot_be_measured_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
