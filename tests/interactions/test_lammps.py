"""Energies, forces, pressure tensors and a trajectory against LAMMPS."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import xpmd as md
from oracles import lammps_reference as lammps
from oracles.molecules import CELLS, CUTOFF, Molecules, Numbers, chain_liquid
from slow_on_jax import slow_on_jax
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

pytestmark = pytest.mark.skipif(lammps.missing() is not None, reason=str(lammps.missing()))

#: A Lennard-Jones liquid of 108 atoms in reduced units, density 0.8442.
SIDE, REACH, STEPS, DT = (108 / 0.8442) ** (1 / 3), 2.5, 100, 0.005

# How LAMMPS spells our cutoffs.
STYLES: dict[str, tuple[str, tuple[str, ...], type[md.Cutoff]]] = {
    "distance": ("lj/cut", (), md.DistanceCutoff),
    "shifted_potential": ("lj/cut", ("shift yes",), md.ShiftedPotentialCutoff),
    "shifted_force": ("lj/smooth/linear", (), md.ShiftedForceCutoff),
}


@cache
def liquid() -> tuple[Molecules, Numbers]:
    """Return a disturbed face-centered lattice and velocities at T = 1.44 without drift."""
    rng = np.random.default_rng(108)
    corners = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    cells = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    coords = ((cells + corners) * SIDE / 3).reshape(-1, 3) + rng.normal(0.0, 0.05, (108, 3))
    velocities = rng.normal(0.0, 1.2, (108, 3))
    ones = np.ones(108)
    molecules = Molecules(
        coords=coords,
        vectors=np.diag([SIDE] * 3),
        mass=ones,
        charge=0 * ones,
        sigma=ones,
        epsilon=ones,
    )
    return molecules, velocities - velocities.mean(axis=0)


@cache
def liquid_reference(cutoff: str) -> list[lammps.Stage]:
    style, settings, _ = STYLES[cutoff]
    molecules, velocities = liquid()
    potential = lammps.lennard_jones(molecules, style, REACH, *settings)
    return lammps.run(
        molecules, velocities, [*potential, f"timestep {DT}", "run 0"], [f"run {STEPS}"]
    )


def liquid_system(on: md.Backend, cutoff: str, finder: md.NeighborFinder) -> md.System:
    molecules, velocities = liquid()
    return molecules.system(
        on,
        LennardJones(cutoff=STYLES[cutoff][2](REACH)),
        velocities=on.asarray(velocities, dtype="float64"),
        neighbor_finder=finder,
        units=md.units.reduced,
    )


@pytest.mark.parametrize("cutoff", STYLES)
def test_lennard_jones_liquid(cutoff: str, on: md.Backend) -> None:
    hold(liquid_system(on, cutoff, AllPairs()), liquid_reference(cutoff)[0])


def hold(system: md.System, expected: lammps.Stage) -> None:
    """Energy to 1e-12, forces and pressure tensor to 1e-11 of their largest component."""
    host = system.backend.to_numpy
    assert float(host(md.potential_energy(system))) == pytest.approx(expected.energy, rel=1e-12)
    for ours, theirs in [(md.forces, expected.f), (md.pressure, expected.pressure)]:
        error = np.abs(host(ours(system)) - theirs)
        assert error.max() < 1e-11 * np.abs(theirs).max()


@pytest.mark.parametrize("finder", [DistanceNeighborFinder, CellListNeighborFinder])
def test_hundred_steps(finder: type[md.CutoffNeighborFinder], on: md.Backend) -> None:
    """The list is rebuilt along the way: 0.02 is less than half the distance the atoms move."""
    start = liquid_system(on, "distance", finder(cutoff=REACH + 0.02))
    end = md.simulate(start, VelocityVerlet(dt=DT), STEPS)
    expected = liquid_reference("distance")[1]
    apart = on.to_numpy(end.coords) - expected.x
    apart -= SIDE * np.round(apart / SIDE)
    assert np.abs(apart).max() < 1e-11
    assert np.abs(on.to_numpy(end.velocities) - expected.v).max() < 1e-10


@cache
def chain_reference(cell: str) -> lammps.Stage:
    molecules = chain_liquid(cell)
    potential = lammps.lennard_jones(molecules, "lj/smooth/linear", CUTOFF)
    return lammps.run(molecules, np.zeros_like(molecules.coords), [*potential, "run 0"])[0]


@slow_on_jax
@pytest.mark.parametrize("cell", CELLS)
def test_pressure_of_chains(cell: str, on: md.Backend) -> None:
    """Bonds, angles, torsions and Lennard-Jones together, of which OpenMM gives no virial."""
    molecules = chain_liquid(cell)
    system = molecules.system(
        on,
        molecules.harmonic_bonds(),
        molecules.harmonic_angles(),
        molecules.periodic_torsions(),
        LennardJones(cutoff=md.ShiftedForceCutoff(CUTOFF)),
    )
    hold(system, chain_reference(cell))
