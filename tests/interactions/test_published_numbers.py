"""Energies and forces against the numbers that the tests of Molly.jl print, on every backend.

Source: JuliaMolSim/Molly.jl, test/interactions.jl, version 0.23.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions.general.muller_brown import MullerBrown
from xpmd_interactions.pairwise.coulomb import Coulomb
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.harmonic_angle import HarmonicAngle
from xpmd_interactions.specific.harmonic_bond import HarmonicBond
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

# Printed to 10 digits; Coulomb's constant there is rounded to 138.93545764.
PRINTED, ROUNDED_CONSTANT = 1e-9, 1e-5


def evaluate(
    on: md.Backend, interaction: Any, coords: Any, boundary: md.Boundary | None = None
) -> tuple[float, Any]:
    """Return energy and forces of atoms with q = 1, sigma = 0.3, epsilon = 0.2."""
    system = md.System(
        md.Atoms(charge=1.0, sigma=0.3, epsilon=0.2),
        on.asarray(np.asarray(coords, dtype=float), dtype="float64"),
        md.CubicBoundary(2.0) if boundary is None else boundary,
        interactions=[interaction],
    )
    return float(on.to_numpy(md.potential_energy(system))), on.to_numpy(md.forces(system))


# Distance, force, energy, tolerance.
PAIRS: dict[str, tuple[Any, float, float, float, float]] = {
    "lennard_jones_near": (LennardJones(), 0.3, 16.0, 0.0, PRINTED),
    "lennard_jones_far": (LennardJones(), 0.4, -1.375509739, -0.1170417309, PRINTED),
    "coulomb_near": (Coulomb(), 0.3, 1543.727311, 463.1181933, ROUNDED_CONSTANT),
    "coulomb_far": (Coulomb(), 0.4, 868.3466125, 347.338645, ROUNDED_CONSTANT),
    **{
        name: (LennardJones(cutoff=cutoff), 0.7, force, energy, PRINTED)
        for name, cutoff, force, energy in [
            ("no_cutoff", md.NoCutoff(), -0.04196301990, -0.00492640193),
            ("distance", md.DistanceCutoff(0.8), -0.04196301990, -0.00492640193),
            ("potential", md.ShiftedPotentialCutoff(0.8), -0.04196301990, -0.00270785727),
            ("force", md.ShiftedForceCutoff(0.8), -0.02537033587, -0.00104858887),
            ("cubic", md.CubicSplineCutoff(0.6, 0.8), -0.06201171875, -0.00312500000),
            ("polynomial", md.PolynomialCutoff(0.6, 0.8), -0.06716652806, -0.00246320097),
        ]
    },
}


@pytest.mark.parametrize("case", PAIRS)
def test_two_atoms(case: str, on: md.Backend) -> None:
    interaction, r, force, energy, tolerance = PAIRS[case]
    found, forces = evaluate(on, interaction, [[1.0, 1.0, 1.0], [1.0 + r, 1.0, 1.0]])
    assert found == pytest.approx(energy, abs=tolerance)
    np.testing.assert_allclose(forces, [[-force, 0, 0], [force, 0, 0]], rtol=0, atol=tolerance)


@pytest.mark.parametrize("r", [0.95, 1.0])
@pytest.mark.parametrize(
    "cutoff",
    [
        md.DistanceCutoff(0.8),
        md.ShiftedPotentialCutoff(0.8),
        md.ShiftedForceCutoff(0.8),
        md.CubicSplineCutoff(0.6, 0.8),
        md.PolynomialCutoff(0.6, 0.8),
    ],
    ids=lambda cutoff: type(cutoff).__name__,
)
def test_nothing_beyond_the_cutoff(cutoff: md.Cutoff, r: float, on: md.Backend) -> None:
    energy, forces = evaluate(on, LennardJones(cutoff=cutoff), [[1.0] * 3, [1.0 + r, 1.0, 1.0]])
    assert energy == 0.0
    assert not forces.any()


@pytest.mark.parametrize(
    ("rule", "first", "second", "mixed"),
    [
        (md.mixing.lorentz, 0.3, 0.2, 0.25),
        (md.mixing.lorentz, 0.2, 0.1, 0.15),
        (md.mixing.geometric, 0.3, 0.2, 0.2449489742783178),
        (md.mixing.geometric, 0.2, 0.1, 0.14142135623730953),
        (md.mixing.sixth_power, 0.3, 0.2, 0.271044458112581),
        (md.mixing.fender_halsey, 0.2, 0.1, 0.13333333333333333),
    ],
)
def test_mixing_rules(
    rule: Any, first: float, second: float, mixed: float, on: md.Backend, array: Any
) -> None:
    a, b = array([first]), array([second])
    assert float(on.to_numpy(rule(a, b, xp=on.xp(a, b)))[0]) == pytest.approx(mixed, rel=1e-14)


CORNERS = [[1.0, 1.0, 1.0], [1.3, 1.0, 1.0], [1.4, 1.0, 1.0], [1.0, 1.2, 1.2]]


@pytest.mark.parametrize(
    ("interaction", "energy", "forces"),
    [
        (HarmonicBond([[0, 1]], 300000.0, 0.2), 1500.0, {0: (30000, 0, 0), 1: (-30000, 0, 0)}),
        (HarmonicBond([[0, 2]], 100000.0, 0.6), 2000.0, {0: (-20000, 0, 0), 2: (20000, 0, 0)}),
        (
            HarmonicAngle([[0, 1, 3]], 300.0, 0.8),
            0.2908039228,
            {
                0: (0.0, -31.1343284689, -31.1343284689),
                1: (-21.9771730369, 14.6514486912, 14.6514486912),
                3: (21.9771730369, 16.4828797777, 16.4828797777),
            },
        ),
    ],
    ids=["bond", "long_bond", "angle"],
)
def test_bonds_and_angles(
    interaction: Any, energy: float, forces: dict[int, Any], on: md.Backend
) -> None:
    found, found_forces = evaluate(on, interaction, CORNERS)
    expected = np.zeros((4, 3))
    for atom, force in forces.items():
        expected[atom] = force
    assert found == pytest.approx(energy, abs=PRINTED)
    np.testing.assert_allclose(found_forces, expected, rtol=1e-12, atol=PRINTED)


FOUR = [[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.2, 0.1, 0.0], [0.3, 0.1, 0.1]]


def test_three_torsion_terms_on_four_atoms(on: md.Backend) -> None:
    torsion = PeriodicTorsion(
        [[0, 1, 2, 3]], [[1.0, 2.0, 3.0]], [[0.0, np.pi / 2, np.pi]], [[10.0, 5.0, 2.0]]
    )
    energy, forces = evaluate(on, torsion, FOUR)
    assert energy == pytest.approx(4.587951202894674, abs=1e-13)
    norms = [139.51649514944324, 188.90622744571394, 98.65305980755139, 80.54988603092418]
    np.testing.assert_allclose(np.linalg.norm(forces, axis=1), norms, rtol=1e-12)


def test_improper_torsion(on: md.Backend) -> None:
    energy, _ = evaluate(on, PeriodicTorsion([[0, 1, 2, 3]], 2.0, np.pi, 15.0), FOUR)
    assert energy == pytest.approx(20.0, abs=1e-13)


def test_mueller_brown_minima(on: md.Backend) -> None:
    """Two minima of the surface, where forces vanish, and the depth of one."""
    boundary = md.RectangularBoundary(float("inf"), float("inf"))
    shallow = [[0.6234994049304005, 0.028037758528718367]]
    middle = [[-0.05001082299878202, 0.46669410487256247]]
    energy, forces = evaluate(on, MullerBrown(), shallow, boundary)
    assert energy == pytest.approx(-108.166724117, abs=PRINTED)
    assert np.abs(forces).max() < 1e-9
    _, forces = evaluate(on, MullerBrown(), middle, boundary)
    assert np.abs(forces).max() < 1e-9
