"""Molecules as plain NumPy arrays, from which both xpmd and another program are set up."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

import xpmd as md
from xpmd_interactions.pairwise.coulomb import Coulomb
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.harmonic_angle import HarmonicAngle
from xpmd_interactions.specific.harmonic_bond import HarmonicBond
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

Numbers = np.ndarray[Any, np.dtype[Any]]

#: Cell vectors as rows, nm; the second is in the reduced form that OpenMM asks for.
CELLS = {
    "cubic": np.diag([3.0, 3.0, 3.0]),
    "triclinic": np.array([[3.1, 0.0, 0.0], [0.8, 3.0, 0.0], [-0.7, 0.9, 2.9]]),
}

#: Both list and cutoff fit half the smallest width of either cell, 1.33 nm.
CUTOFF, ACTIVATION, LIST_CUTOFF = 1.1, 0.8, 1.25


def _empty(atoms: int | None = None) -> Numbers:
    """Return no values, or no terms of so many atoms."""
    return np.zeros(0) if atoms is None else np.zeros((0, atoms), dtype=int)


@dataclass(frozen=True)
class Molecules:
    """Positions (nm), parameters of each atom, and the bonded terms, in nm, u, kJ/mol, e, radian."""

    coords: Numbers  # (n, 3)
    vectors: Numbers | None  # (3, 3), None without a box
    mass: Numbers
    charge: Numbers
    sigma: Numbers
    epsilon: Numbers
    bonds: Numbers = field(default_factory=partial(_empty, 2))
    bond_k: Numbers = field(default_factory=_empty)
    bond_r0: Numbers = field(default_factory=_empty)
    angles: Numbers = field(default_factory=partial(_empty, 3))
    angle_k: Numbers = field(default_factory=_empty)
    angle_theta0: Numbers = field(default_factory=_empty)
    torsions: Numbers = field(default_factory=partial(_empty, 4))
    periodicity: Numbers = field(default_factory=_empty)
    phase: Numbers = field(default_factory=_empty)
    torsion_k: Numbers = field(default_factory=_empty)
    exclusions: Numbers = field(default_factory=partial(_empty, 2))  # the special pairs among them
    special: Numbers = field(default_factory=partial(_empty, 2))
    special_charge: Numbers = field(default_factory=_empty)  # products of two charges
    special_sigma: Numbers = field(default_factory=_empty)
    special_epsilon: Numbers = field(default_factory=_empty)

    def boundary(self) -> md.Boundary:
        if self.vectors is None:
            return md.CubicBoundary(float("inf"))
        if np.count_nonzero(self.vectors) == 3:
            return md.CubicBoundary(*np.diag(self.vectors).tolist())
        return md.TriclinicBoundary(self.vectors.tolist())

    def system(self, on: md.Backend, *interactions: Any, **settings: Any) -> md.System:
        """Return these molecules on a backend, held together by the given interactions."""
        dtype = settings.pop("dtype", "float64")
        return md.System(
            md.Atoms(
                mass=self.mass.tolist(),
                charge=self.charge.tolist(),
                sigma=self.sigma.tolist(),
                epsilon=self.epsilon.tolist(),
            ),
            on.asarray(self.coords.astype(dtype), dtype=dtype),
            self.boundary(),
            interactions=interactions,
            exclusions=md.Exclusions(self.exclusions.tolist()) if len(self.exclusions) else None,
            **settings,
        )

    def harmonic_bonds(self) -> HarmonicBond:
        return HarmonicBond(self.bonds.tolist(), self.bond_k.tolist(), self.bond_r0.tolist())

    def harmonic_angles(self) -> HarmonicAngle:
        return HarmonicAngle(
            self.angles.tolist(), self.angle_k.tolist(), self.angle_theta0.tolist()
        )

    def periodic_torsions(self) -> PeriodicTorsion:
        return PeriodicTorsion(
            self.torsions.tolist(),
            self.periodicity.tolist(),
            self.phase.tolist(),
            self.torsion_k.tolist(),
        )

    def special_lennard_jones(self) -> md.SpecialPairs:
        return md.SpecialPairs(
            self.special.tolist(),
            LennardJones(),
            parameters={
                "sigma": self.special_sigma.tolist(),
                "epsilon": self.special_epsilon.tolist(),
            },
        )

    def special_coulomb(self) -> md.SpecialPairs:
        return md.SpecialPairs(
            self.special.tolist(), Coulomb(), parameters={"charge": self.special_charge.tolist()}
        )


@cache
def chain_liquid(cell: str) -> Molecules:
    """Return 20 chains of 6 different atoms in a periodic cell, each atom in an image of its own.

    Neighbors up to 1-3 are excluded and 1-4 pairs have their own parameters. All four-atom runs carry
    one torsion term, the first of each chain three of different periodicity.
    """
    rng = np.random.default_rng(2024)
    vectors, length = CELLS[cell], 6
    chains: list[Numbers] = []
    while len(chains) < 20:
        chain = rng.random(3) @ vectors + np.cumsum(_zigzag(rng, length), axis=0)
        placed = np.concatenate(chains) if chains else np.zeros((0, 3))
        if _nearest_distances(chain, placed, vectors).min(initial=1.0) > 0.28:
            chains.append(chain)
    coords = np.concatenate(chains)
    n = len(coords)
    coords = coords + rng.integers(-1, 2, (n, 3)) @ vectors
    starts = range(0, n, length)
    bonds, angles, torsions = (
        np.array([np.arange(s + k, s + k + size) for s in starts for k in range(length - size + 1)])
        for size in (2, 3, 4)
    )
    firsts = torsions[:: length - 3]
    torsions = np.concatenate([torsions, firsts, firsts])
    special = np.array([[s + k, s + k + 3] for s in starts for k in range(length - 3)])
    near = np.concatenate([bonds, angles[:, [0, 2]]])
    sigma, epsilon = rng.uniform(0.25, 0.35, n), rng.uniform(0.1, 1.0, n)
    charge = rng.normal(0.0, 0.4, n)
    charge -= charge.mean()
    first, second = special.T
    return Molecules(
        coords=coords,
        vectors=vectors,
        mass=rng.uniform(1.0, 30.0, n),
        charge=charge,
        sigma=sigma,
        epsilon=epsilon,
        bonds=bonds,
        bond_k=rng.uniform(1e5, 3e5, len(bonds)),
        bond_r0=rng.uniform(0.12, 0.16, len(bonds)),
        angles=angles,
        angle_k=rng.uniform(200.0, 500.0, len(angles)),
        angle_theta0=rng.uniform(1.7, 2.2, len(angles)),
        torsions=torsions,
        periodicity=rng.integers(1, 7, len(torsions)).astype(float),
        phase=rng.choice(np.radians([0.0, 180.0, 40.0]), len(torsions)),
        torsion_k=rng.uniform(0.2, 8.0, len(torsions)),
        exclusions=np.concatenate([near, special]),
        special=special,
        special_charge=charge[first] * charge[second] / 1.2,
        special_sigma=0.9 * (sigma[first] + sigma[second]) / 2,
        special_epsilon=np.sqrt(epsilon[first] * epsilon[second]) / 2,
    )


def _zigzag(rng: np.random.Generator, length: int) -> Numbers:
    """Return the steps of a chain with bonds near 0.15 nm and angles near 110 degrees."""
    steps = [_unit(rng.normal(size=3))]
    while len(steps) < length:
        sideways = _unit(np.cross(steps[-1], rng.normal(size=3)))
        steps.append(_unit(np.cos(1.2) * steps[-1] + np.sin(1.2) * sideways))
    return np.array(steps) * rng.uniform(0.14, 0.16, (length, 1))


def _unit(vector: Numbers) -> Numbers:
    unit: Numbers = vector / np.linalg.norm(vector)
    return unit


def _nearest_distances(one: Numbers, other: Numbers, vectors: Numbers) -> Numbers:
    """Return the smallest distance over 27 images, of every pair."""
    delta = (one[:, None] - other[None]) @ np.linalg.inv(vectors)
    delta -= np.round(delta)
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    moved = (delta[:, :, None] + images) @ vectors
    nearest: Numbers = np.linalg.norm(moved, axis=-1).min(axis=-1)
    return nearest
