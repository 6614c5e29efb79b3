"""Energies and forces from OpenMM's Reference platform, which computes in double precision."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import openmm
import pytest
from openmm import unit

import xpmd as md
from oracles.molecules import CUTOFF, Molecules, Numbers

#: 1/(4 pi eps0) as OpenMM has it, kJ mol^-1 nm e^-2, for the expressions given to custom forces.
COULOMB_CONSTANT = 138.93545764438198


class Evaluated(NamedTuple):
    """Energy, kJ/mol, and forces `(n, 3)`, kJ/mol/nm."""

    energy: float
    forces: Numbers


def evaluate(molecules: Molecules, forces: Sequence[openmm.Force]) -> Evaluated:
    """Return what the given forces amount to at the molecules' coordinates."""
    system = openmm.System()
    for mass in molecules.mass:
        system.addParticle(float(mass))
    if molecules.vectors is not None:
        system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*row) for row in molecules.vectors))
    for force in forces:
        system.addForce(copy.deepcopy(force))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(molecules.coords)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    found = state.getForces(asNumpy=True)
    per_length = unit.kilojoule_per_mole / unit.nanometer
    return Evaluated(float(energy), np.asarray(found.value_in_unit(per_length)))


def hold(system: md.System, expected: Evaluated) -> None:
    """Assert energies to 1e-10 of themselves and forces to 1e-9 of the largest component."""
    on = system.backend
    energy = float(on.to_numpy(md.potential_energy(system)))
    assert energy == pytest.approx(expected.energy, rel=1e-10)
    error = np.abs(on.to_numpy(md.forces(system)) - expected.forces)
    assert error.max() < 1e-9 * np.abs(expected.forces).max()


def bond_force(m: Molecules) -> openmm.Force:
    force = openmm.HarmonicBondForce()
    for pair, k, r0 in zip(m.bonds.tolist(), m.bond_k, m.bond_r0, strict=True):
        force.addBond(*pair, r0, k)
    return _periodic(force, m)


def angle_force(m: Molecules) -> openmm.Force:
    force = openmm.HarmonicAngleForce()
    for triple, k, theta0 in zip(m.angles.tolist(), m.angle_k, m.angle_theta0, strict=True):
        force.addAngle(*triple, theta0, k)
    return _periodic(force, m)


def torsion_force(m: Molecules) -> openmm.Force:
    force = openmm.PeriodicTorsionForce()
    rows = zip(m.torsions.tolist(), m.periodicity, m.phase, m.torsion_k, strict=True)
    for four, n, phase, k in rows:
        force.addTorsion(*four, int(n), phase, k)
    return _periodic(force, m)


def _periodic(force: Any, m: Molecules) -> openmm.Force:
    force.setUsesPeriodicBoundaryConditions(m.vectors is not None)
    return force


def nonbonded_force(
    m: Molecules, *, charges: bool, lennard_jones: bool, special: bool, switch: float | None = None
) -> openmm.Force:
    """Return a NonbondedForce: without a box without cutoff, else Lennard-Jones only.

    Args:
        special: whether the exceptions keep their interaction; otherwise they are exclusions.
        switch: where OpenMM's switching function begins, nm.
    """
    force = openmm.NonbondedForce()
    force.setUseDispersionCorrection(False)
    if m.vectors is None:
        force.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    else:
        assert not charges, "OpenMM would add a reaction field"
        force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
        force.setExceptionsUsePeriodicBoundaryConditions(True)
        force.setCutoffDistance(CUTOFF)
    if switch is not None:
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(switch)
    for q, sigma, epsilon in zip(m.charge, m.sigma, m.epsilon, strict=True):
        force.addParticle(q if charges else 0.0, sigma, epsilon if lennard_jones else 0.0)
    for i, j in m.exclusions.tolist():
        force.addException(i, j, 0.0, 1.0, 0.0)
    if special:
        rows = zip(
            m.special.tolist(), m.special_charge, m.special_sigma, m.special_epsilon, strict=True
        )
        for (i, j), q, sigma, epsilon in rows:
            parameters = (q if charges else 0.0, sigma, epsilon if lennard_jones else 0.0)
            force.addException(i, j, *parameters, True)
    return force


def special_force(m: Molecules, *, charges: bool, lennard_jones: bool) -> openmm.Force:
    """Return the special pairs alone, as a CustomBondForce."""
    force = openmm.CustomBondForce(
        "constant*q/r + 4*epsilon*((sigma/r)^12 - (sigma/r)^6)",
    )
    force.addGlobalParameter("constant", COULOMB_CONSTANT)
    for name in ("q", "sigma", "epsilon"):
        force.addPerBondParameter(name)
    rows = zip(
        m.special.tolist(), m.special_charge, m.special_sigma, m.special_epsilon, strict=True
    )
    for (i, j), q, sigma, epsilon in rows:
        values = [q if charges else 0.0, sigma, epsilon if lennard_jones else 0.0]
        force.addBond(i, j, values)
    return _periodic(force, m)


def pair_force(m: Molecules, expression: str, *, switch: float | None = None) -> openmm.Force:
    """Return a pair energy written out in r, q1, q2, sigma1, ..., cut at the cutoff, as given."""
    force = openmm.CustomNonbondedForce(expression)
    for name in ("q", "sigma", "epsilon"):
        force.addPerParticleParameter(name)
    if m.vectors is None:
        force.setNonbondedMethod(openmm.CustomNonbondedForce.NoCutoff)
    else:
        force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
        force.setCutoffDistance(CUTOFF)
    if switch is not None:
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(switch)
    for values in zip(m.charge, m.sigma, m.epsilon, strict=True):
        force.addParticle(list(values))
    for i, j in m.exclusions.tolist():
        force.addExclusion(i, j)
    return force
