"""The dry protein 6mrr with ff99SB-ILDN, set up by OpenMM, term by term against OpenMM."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import xpmd as md
from oracles.molecules import Molecules, Numbers
from slow_on_jax import slow_on_jax
from xpmd_interactions.pairwise.coulomb import Coulomb
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

pytest.importorskip("openmm", reason="OpenMM is not installed")

import openmm
from openmm import app, unit

from oracles import openmm_reference as reference

DATA = Path(__file__).parents[3] / "shared" / "data" / "molly"
STRUCTURE, FORCE_FIELD = DATA / "6mrr_nowater.pdb", DATA / "ff99SBildn.xml"

pytestmark = pytest.mark.skipif(
    not (STRUCTURE.exists() and FORCE_FIELD.exists()),
    reason="../shared/data/molly with 6mrr_nowater.pdb and ff99SBildn.xml is not there",
)


class Protein(NamedTuple):
    """The molecule as arrays, OpenMM's forces by name, and which torsions follow three bonds."""

    molecules: Molecules
    forces: dict[str, openmm.Force]
    proper: Numbers


@cache
def protein() -> Protein:
    pdb = app.PDBFile(str(STRUCTURE))
    system = app.ForceField(str(FORCE_FIELD)).createSystem(
        pdb.topology, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False
    )
    # Copies, because OpenMM's own go when the System goes.
    forces = {type(force).__name__: copy.deepcopy(force) for force in system.getForces()}
    nonbonded = forces["NonbondedForce"]
    atoms = rows(nonbonded.getParticleParameters, nonbonded.getNumParticles())
    exceptions = rows(nonbonded.getExceptionParameters, nonbonded.getNumExceptions())
    special = exceptions[(exceptions[:, 2] != 0) | (exceptions[:, 4] != 0)]
    bonds = rows(
        forces["HarmonicBondForce"].getBondParameters, forces["HarmonicBondForce"].getNumBonds()
    )
    angles = rows(
        forces["HarmonicAngleForce"].getAngleParameters, forces["HarmonicAngleForce"].getNumAngles()
    )
    torsions = rows(
        forces["PeriodicTorsionForce"].getTorsionParameters,
        forces["PeriodicTorsionForce"].getNumTorsions(),
    )
    joined = {frozenset(pair) for pair in bonds[:, :2].astype(int).tolist()}
    proper = [
        all(frozenset(four[k : k + 2]) in joined for k in range(3))
        for four in torsions[:, :4].astype(int).tolist()
    ]
    molecules = Molecules(
        coords=np.asarray(pdb.getPositions(asNumpy=True).value_in_unit(unit.nanometer)),
        vectors=None,
        mass=rows(lambda k: [system.getParticleMass(k)], len(atoms))[:, 0],
        charge=atoms[:, 0],
        sigma=atoms[:, 1],
        epsilon=atoms[:, 2],
        bonds=bonds[:, :2].astype(int),
        bond_r0=bonds[:, 2],
        bond_k=bonds[:, 3],
        angles=angles[:, :3].astype(int),
        angle_theta0=angles[:, 3],
        angle_k=angles[:, 4],
        torsions=torsions[:, :4].astype(int),
        periodicity=torsions[:, 4],
        phase=torsions[:, 5],
        torsion_k=torsions[:, 6],
        exclusions=exceptions[:, :2].astype(int),
        special=special[:, :2].astype(int),
        special_charge=special[:, 2],
        special_sigma=special[:, 3],
        special_epsilon=special[:, 4],
    )
    return Protein(molecules, forces, np.array(proper))


def rows(parameters: Callable[[int], Any], count: int) -> Numbers:
    """Return the parameters of each term as plain numbers in OpenMM's units."""
    plain = unit.md_unit_system
    return np.array(
        [
            [x.value_in_unit_system(plain) if unit.is_quantity(x) else x for x in parameters(k)]
            for k in range(count)
        ],
        dtype=float,
    )


def torsions(proper: bool) -> PeriodicTorsion:
    molecules, _, is_proper = protein()
    m, kept = molecules, is_proper == proper
    return PeriodicTorsion(
        m.torsions[kept].tolist(),
        m.periodicity[kept].tolist(),
        m.phase[kept].tolist(),
        m.torsion_k[kept].tolist(),
    )


def torsion_force(proper: bool) -> openmm.Force:
    kept = openmm.PeriodicTorsionForce()
    everything = protein().forces["PeriodicTorsionForce"]
    for k, is_proper in enumerate(protein().proper):
        if is_proper == proper:
            kept.addTorsion(*everything.getTorsionParameters(k))
    return kept


def nonbonded(*, charges: bool, lennard_jones: bool) -> openmm.Force:
    """Return OpenMM's nonbonded force, exceptions included, with charges or wells set to zero."""
    force = copy.deepcopy(protein().forces["NonbondedForce"])
    for k in range(force.getNumParticles()):
        q, sigma, epsilon = force.getParticleParameters(k)
        force.setParticleParameters(k, q * charges, sigma, epsilon * lennard_jones)
    for k in range(force.getNumExceptions()):
        i, j, q, sigma, epsilon = force.getExceptionParameters(k)
        force.setExceptionParameters(k, i, j, q * charges, sigma, epsilon * lennard_jones)
    return force


TERMS: dict[str, tuple[Callable[[Molecules], Any], Callable[[], openmm.Force]]] = {
    "bonds": (
        lambda m: [m.harmonic_bonds()],
        lambda: protein().forces["HarmonicBondForce"],
    ),
    "angles": (
        lambda m: [m.harmonic_angles()],
        lambda: protein().forces["HarmonicAngleForce"],
    ),
    "proper_torsions": (lambda m: [torsions(True)], lambda: torsion_force(True)),
    "improper_torsions": (lambda m: [torsions(False)], lambda: torsion_force(False)),
    "lennard_jones": (
        lambda m: [LennardJones(), m.special_lennard_jones()],
        lambda: nonbonded(charges=False, lennard_jones=True),
    ),
    "coulomb": (
        lambda m: [Coulomb(), m.special_coulomb()],
        lambda: nonbonded(charges=True, lennard_jones=False),
    ),
    "exceptions": (
        lambda m: [m.special_lennard_jones(), m.special_coulomb()],
        lambda: reference.special_force(protein().molecules, charges=True, lennard_jones=True),
    ),
}


@cache
def term_reference(term: str) -> reference.Evaluated:
    return reference.evaluate(protein().molecules, [TERMS[term][1]()])


@cache
def total_reference() -> reference.Evaluated:
    return reference.evaluate(protein().molecules, list(protein().forces.values()))


def test_what_openmm_made_of_it() -> None:
    """The sizes of the molecule, so that no term below is compared while it is empty."""
    m, _, proper = protein()
    assert len(m.mass) == 1170
    assert abs(m.charge.sum() - round(m.charge.sum())) < 1e-9
    # Several terms on the same four atoms, and both kinds of torsions.
    assert len(np.unique(m.torsions, axis=0)) < len(m.torsions)
    assert proper.any()
    assert not proper.all()
    # 1-4 pairs of ff99SB: charges over 1.2, wells halved.
    i, j = m.special.T
    np.testing.assert_allclose(m.special_charge, m.charge[i] * m.charge[j] / 1.2, rtol=1e-6)
    np.testing.assert_allclose(m.special_epsilon, np.sqrt(m.epsilon[i] * m.epsilon[j]) / 2)


@pytest.mark.parametrize("term", TERMS)
def test_terms(term: str) -> None:
    hold_term(term, md.backend("numpy"))


@pytest.mark.slow
@pytest.mark.parametrize("term", TERMS)
def test_terms_on_every_backend(term: str, on: md.Backend) -> None:
    hold_term(term, on)


def hold_term(term: str, on: md.Backend) -> None:
    molecules = protein().molecules
    reference.hold(molecules.system(on, *TERMS[term][0](molecules)), term_reference(term))


@slow_on_jax
def test_total(on: md.Backend) -> None:
    m = protein().molecules
    system = m.system(
        on,
        m.harmonic_bonds(),
        m.harmonic_angles(),
        m.periodic_torsions(),
        LennardJones(),
        Coulomb(),
        m.special_lennard_jones(),
        m.special_coulomb(),
    )
    reference.hold(system, total_reference())
