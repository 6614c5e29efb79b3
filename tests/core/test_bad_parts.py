"""Parts that do not fit together are refused, and the ones that would are named."""

from __future__ import annotations

import math

import pytest

import xpmd as md
from four_atoms import COORDS, bonds, lennard_jones, system
from xpmd_interactions import Coulomb, HarmonicAngle, LennardJones
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

#: 3 nm along each axis, but two of its faces are only 2.19 nm apart.
TRICLINIC = md.TriclinicBoundary([[3.0, 0.0, 0.0], [2.8, 3.0, 0.0], [0.0, 0.0, 3.0]])

REACHES = {
    "cubic": (
        {"interactions": [lennard_jones(1.6)]},
        r"LennardJones: cutoff 1.6 nm is over half the smallest box width, 3.0 nm.*Use a larger box "
        "or a smaller cutoff",
    ),
    "triclinic": (
        {"interactions": [lennard_jones(1.4)], "boundary": TRICLINIC},
        r"cutoff 1.4 nm is over half the smallest box width, 2.19\d* nm",
    ),
    "one side": (
        {"boundary": md.CubicBoundary(3.0, 1.9, math.inf)},
        "cutoff 1.0 nm is over half the smallest box width, 1.9 nm",
    ),
    "finder": (
        {"neighbor_finder": DistanceNeighborFinder(cutoff=0.9)},
        "cutoff 1.0 nm is larger than the neighbor finder's 0.9 nm; pairs would be lost",
    ),
    "finder without cutoff": (
        {"interactions": [LennardJones()], "neighbor_finder": DistanceNeighborFinder(cutoff=1.0)},
        "LennardJones has no cutoff, so a neighbor list up to 1.0 nm would lose pairs: give it a "
        "cutoff or leave `neighbor_finder` out",
    ),
}


@pytest.mark.parametrize("case", REACHES)
def test_cutoffs_that_do_not_fit(case: str) -> None:
    changes, message = REACHES[case]
    with pytest.raises(ValueError, match=message):
        system(**changes)


def test_cutoffs_that_just_fit() -> None:
    assert system(interactions=[lennard_jones(1.5)]).n_atoms == 4
    assert system(interactions=[lennard_jones(1.09)], boundary=TRICLINIC).n_atoms == 4


LISTED_ATOMS = {
    "excluded twice": (
        {"exclusions": md.Exclusions([[0, 1], [2, 3], [1, 0]])},
        r"`exclusions`: pair \(1, 0\) is given twice; list each pair once",
    ),
    "excluded from itself": (
        {"exclusions": md.Exclusions([[2, 2]])},
        r"`exclusions`: pair \(2, 2\) names the same atom twice",
    ),
    "excluded out of range": (
        {"exclusions": md.Exclusions([[0, 4]])},
        r"`exclusions`: pair \(0, 4\) is out of range for 4 atoms",
    ),
    "excluded negative": (
        {"exclusions": md.Exclusions([[0, -1]])},
        r"`exclusions`: pair \(0, -1\) is out of range for 4 atoms",
    ),
    "excluded three": (
        {"exclusions": md.Exclusions([[0, 1, 2]])},
        r"`exclusions`: \[0.0, 1.0, 2.0\] must name two atoms, such as \[0, 1\]",
    ),
    "excluded flat": (
        {"exclusions": md.Exclusions([0, 1])},
        r"`exclusions`: 0.0 must name two atoms, such as \[0, 1\]",
    ),
    "bonded out of range": (
        {"interactions": [bonds(pairs=[[0, 1], [1, 4]])]},
        "HarmonicBond: `atoms` names atom 4, out of range for 4 atoms",
    ),
    "bonded negative": (
        {"interactions": [bonds(pairs=[[0, 1], [1, -2]])]},
        "HarmonicBond: `atoms` names atom -2, out of range for 4 atoms",
    ),
    "bonded to itself": (
        {"interactions": [bonds(pairs=[[0, 1], [2, 2]])]},
        r"HarmonicBond: `atoms` row \[2, 2\] names an atom twice",
    ),
    "angle there and back": (
        {"interactions": [HarmonicAngle(atoms=[[0, 1, 0]], k=1.0, theta0=1.0)]},
        r"HarmonicAngle: `atoms` row \[0, 1, 0\] names an atom twice",
    ),
}


@pytest.mark.parametrize("case", LISTED_ATOMS)
def test_lists_of_atoms_that_cannot_be(case: str) -> None:
    changes, message = LISTED_ATOMS[case]
    with pytest.raises(ValueError, match=message):
        system(**changes)


MISSING = {
    "atoms": (
        {"atoms": md.Atoms(sigma=0.3)},
        ValueError,
        r"LennardJones needs the atom parameters \['epsilon'\]; these atoms have \['mass', "
        r"'sigma'\]. Give them as Atoms\(epsilon=...\)",
    ),
    "special pairs": (
        {"interactions": [md.SpecialPairs([[0, 1]], Coulomb())]},
        ValueError,
        r"Coulomb needs the atom parameters \['charge'\]; these atoms have",
    ),
    "special parameter": (
        {"interactions": [md.SpecialPairs([[0, 1]], LennardJones(), parameters={"sigm": 0.3})]},
        ValueError,
        r"`parameters` \['sigm'\] are not among those of LennardJones: \['sigma', 'epsilon'\]",
    ),
    "unknown": ({"temperature": 300.0}, TypeError, "unexpected keyword argument 'temperature'"),
    "number for a cutoff": (
        {"interactions": [LennardJones(cutoff=1.2)]},
        TypeError,
        r"LennardJones: `cutoff` = 1.2 must be a cutoff, such as md.DistanceCutoff\(1.0\)",
    ),
    "number for a boundary": (
        {"boundary": 3.0},
        TypeError,
        "`boundary` = 3.0 must be of the type Boundary",
    ),
    "pairs for exclusions": (
        {"exclusions": [[0, 1]]},
        TypeError,
        r"`exclusions` = \[\[0, 1\]\] must be of the type Exclusions",
    ),
    "simulator for an interaction": (
        {"interactions": [VelocityVerlet(dt=0.1)]},
        TypeError,
        "`interactions` = VelocityVerlet.* must be of the type PairwiseInteraction or Specific",
    ),
    "name for units": (
        {"units": "molar"},
        TypeError,
        "`units` = 'molar' must be of the type UnitSystem",
    ),
    "special interaction": (
        {"interactions": [md.SpecialPairs([[0, 1]], bonds())]},
        TypeError,
        r"(?s)SpecialPairs: `interaction` = HarmonicBond.* must be a pairwise interaction",
    ),
    "class for atoms": (
        {"atoms": md.Atoms},
        TypeError,
        r"`atoms`: pass an instance, Atoms\(...\), not the class",
    ),
    "class for an interaction": (
        {"interactions": LennardJones},
        TypeError,
        r"`interactions`: pass an instance, LennardJones\(...\), not the class",
    ),
    "class in a list": (
        {"interactions": [LennardJones]},
        TypeError,
        r"`interactions`: pass an instance, LennardJones\(...\), not the class",
    ),
    "class for a finder": (
        {"neighbor_finder": DistanceNeighborFinder},
        TypeError,
        r"`neighbor_finder`: pass an instance, DistanceNeighborFinder\(...\), not the class",
    ),
    "class for exclusions": (
        {"exclusions": md.Exclusions},
        TypeError,
        r"`exclusions`: pass an instance, Exclusions\(...\), not the class",
    ),
    "class for a cutoff": (
        {"interactions": [LennardJones(cutoff=md.DistanceCutoff)]},
        TypeError,
        r"`cutoff`: pass an instance, DistanceCutoff\(...\), not the class",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_parts_that_are_missing_or_of_the_wrong_kind(case: str) -> None:
    changes, error, message = MISSING[case]
    with pytest.raises(error, match=message):
        system(**changes)


def test_what_nobody_can_replace() -> None:
    with pytest.raises(TypeError, match=r"unknown \['coord'\]; possible are \('atoms', 'coords'"):
        system().replace(coord=COORDS)
