"""A liquid of chain molecules against OpenMM's Reference platform, term by term and together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from oracles.molecules import ACTIVATION, CELLS, CUTOFF, LIST_CUTOFF, Molecules, chain_liquid
from xpmd_interactions.pairwise.coulomb import Coulomb
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder

pytest.importorskip("openmm", reason="OpenMM is not installed")

from oracles import openmm_reference as reference

FINDERS: dict[str, Callable[[], md.NeighborFinder]] = {
    "all_pairs": AllPairs,
    "distance": lambda: DistanceNeighborFinder(cutoff=LIST_CUTOFF),
    "cell_list": lambda: CellListNeighborFinder(cutoff=LIST_CUTOFF),
}

# Energies in the language of OpenMM's custom forces: V and dV/dr at a distance x.
MIXED = "sigma=0.5*(sigma1+sigma2); epsilon=sqrt(epsilon1*epsilon2)"
POTENTIALS: dict[str, tuple[Any, Callable[[str], str], Callable[[str], str]]] = {
    "lennard_jones": (
        LennardJones,
        lambda x: f"4*epsilon*((sigma/{x})^12 - (sigma/{x})^6)",
        lambda x: f"24*epsilon*((sigma/{x})^6 - 2*(sigma/{x})^12)/{x}",
    ),
    "coulomb": (
        Coulomb,
        lambda x: f"{reference.COULOMB_CONSTANT}*q1*q2/{x}",
        lambda x: f"-{reference.COULOMB_CONSTANT}*q1*q2/{x}^2",
    ),
}
CUTOFFS: dict[str, md.Cutoff] = {
    "distance": md.DistanceCutoff(CUTOFF),
    "shifted_potential": md.ShiftedPotentialCutoff(CUTOFF),
    "shifted_force": md.ShiftedForceCutoff(CUTOFF),
    "cubic_spline": md.CubicSplineCutoff(ACTIVATION, CUTOFF),
    "polynomial": md.PolynomialCutoff(ACTIVATION, CUTOFF),
}


def expression(potential: str, cutoff: str) -> str:
    """Return the energy of a pair within reach, with mixing and constants, for a custom force."""
    _, value, slope = POTENTIALS[potential]
    energy = {
        "distance": value("r"),
        "shifted_potential": f"{value('r')} - {value('rc')}",
        "shifted_force": f"{value('r')} - {value('rc')} - (r - rc)*({slope('rc')})",
        "cubic_spline": f"select(step(ra - r), {value('r')}, (2*t^3 - 3*t^2 + 1)*({value('ra')})"
        f" + (t^3 - 2*t^2 + t)*(rc - ra)*({slope('ra')}))",
        "polynomial": value("r"),  # switched by OpenMM itself
    }[cutoff]
    return f"{energy}; t=(r - ra)/(rc - ra); ra={ACTIVATION}; rc={CUTOFF}; {MIXED}"


@cache
def pair_reference(cell: str, potential: str, cutoff: str) -> reference.Evaluated:
    molecules = chain_liquid(cell)
    switch = ACTIVATION if cutoff == "polynomial" else None
    force = reference.pair_force(molecules, expression(potential, cutoff), switch=switch)
    return reference.evaluate(molecules, [force])


def torsions_in_columns(m: Molecules) -> PeriodicTorsion:
    """Return the same torsions with one row for each four atoms, missing terms of height 0."""
    rows, row_of = np.unique(m.torsions, axis=0, return_inverse=True)
    row_of = row_of.reshape(-1)  # NumPy 2.0 gives it an axis more
    columns = np.zeros((3, len(rows), np.bincount(row_of).max()))
    for row in range(len(rows)):
        terms = np.flatnonzero(row_of == row)
        columns[:, row, : len(terms)] = m.periodicity[terms], m.phase[terms], m.torsion_k[terms]
    assert columns.shape[2] == 3
    return PeriodicTorsion(rows.tolist(), *columns.tolist())


BONDED: dict[str, tuple[Callable[[Molecules], Any], Callable[[Molecules], Any]]] = {
    "bonds": (Molecules.harmonic_bonds, reference.bond_force),
    "angles": (Molecules.harmonic_angles, reference.angle_force),
    "torsions": (Molecules.periodic_torsions, reference.torsion_force),
    "torsions_in_columns": (torsions_in_columns, reference.torsion_force),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("term", BONDED)
def test_bonded_terms(term: str, cell: str, on: md.Backend) -> None:
    molecules = chain_liquid(cell)
    ours, theirs = BONDED[term]
    reference.hold(
        molecules.system(on, ours(molecules)),
        reference.evaluate(molecules, [theirs(molecules)]),
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("switch", [None, ACTIVATION], ids=["cut", "switched"])
def test_lennard_jones_with_openmm_switch(switch: float | None, cell: str, on: md.Backend) -> None:
    molecules = chain_liquid(cell)
    force = reference.nonbonded_force(
        molecules, charges=False, lennard_jones=True, special=False, switch=switch
    )
    cutoff = md.DistanceCutoff(CUTOFF) if switch is None else md.PolynomialCutoff(switch, CUTOFF)
    reference.hold(
        molecules.system(on, LennardJones(cutoff=cutoff)), reference.evaluate(molecules, [force])
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize("potential", POTENTIALS)
def test_cutoffs(potential: str, cutoff: str, cell: str, on: md.Backend) -> None:
    interaction = POTENTIALS[potential][0](cutoff=CUTOFFS[cutoff])
    reference.hold(
        chain_liquid(cell).system(on, interaction), pair_reference(cell, potential, cutoff)
    )


@pytest.mark.parametrize("cell", CELLS)
def test_special_pairs(cell: str, on: md.Backend) -> None:
    molecules = chain_liquid(cell)
    special = (molecules.special_lennard_jones(), molecules.special_coulomb())
    force = reference.special_force(molecules, charges=True, lennard_jones=True)
    reference.hold(molecules.system(on, *special), reference.evaluate(molecules, [force]))


@pytest.mark.parametrize("cell", CELLS)
def test_special_pairs_by_weight(cell: str, on: md.Backend) -> None:
    """The charges of 1-4 pairs are those of the atoms over 1.2, and their wells half as deep."""
    molecules = chain_liquid(cell)
    sigma = {"sigma": molecules.special_sigma.tolist()}
    special = (
        md.SpecialPairs(molecules.special.tolist(), LennardJones(), 0.5, parameters=sigma),
        md.SpecialPairs(molecules.special.tolist(), Coulomb(), 1 / 1.2),
    )
    force = reference.special_force(molecules, charges=True, lennard_jones=True)
    reference.hold(molecules.system(on, *special), reference.evaluate(molecules, [force]))


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("cell", CELLS)
def test_all_terms_together(cell: str, finder: str, on: md.Backend) -> None:
    molecules = chain_liquid(cell)
    system = molecules.system(
        on,
        molecules.harmonic_bonds(),
        molecules.harmonic_angles(),
        molecules.periodic_torsions(),
        LennardJones(cutoff=CUTOFFS["polynomial"]),
        Coulomb(cutoff=CUTOFFS["shifted_force"]),
        molecules.special_lennard_jones(),
        molecules.special_coulomb(),
        neighbor_finder=FINDERS[finder](),
    )
    reference.hold(system, together(cell))


@cache
def together(cell: str) -> reference.Evaluated:
    """Return all terms; Lennard-Jones and its 1-4 pairs by one NonbondedForce with exceptions."""
    molecules = chain_liquid(cell)
    return reference.evaluate(
        molecules,
        [
            reference.bond_force(molecules),
            reference.angle_force(molecules),
            reference.torsion_force(molecules),
            reference.nonbonded_force(
                molecules, charges=False, lennard_jones=True, special=True, switch=ACTIVATION
            ),
            reference.pair_force(molecules, expression("coulomb", "shifted_force")),
            reference.special_force(molecules, charges=True, lennard_jones=False),
        ],
    )
