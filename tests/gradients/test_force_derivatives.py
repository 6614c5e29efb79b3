"""The derivatives of the forces against those of the plain formula for the forces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd.force_derivatives import force_jvp, force_vjp
from xpmd.force_field import total_forces
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import neighbors_of
from xpmd_interactions import Coulomb, HarmonicAngle, HarmonicBond, LennardJones, PeriodicTorsion
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder

N_ATOMS = 12


class Tether(md.SpecificInteraction):
    """k/2 |x_i - x_j|^2 in terms of positions."""

    k: Any

    def energy(self, x_i: Any, x_j: Any, *, boundary: Any, xp: Any) -> Any:
        return 0.5 * self.k * xp.sum((x_i - x_j) ** 2, axis=-1)


class Trap(md.GeneralInteraction):
    """k/2 sum |x - c|^4, with a center that is a parameter."""

    k: Any
    center: Any

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        squared = xp.sum((coords - self.center) ** 2, axis=-1)
        return 0.5 * self.k * xp.sum(system.atoms.charge**2 * squared * squared)


class Wind(md.GeneralInteraction):
    """A force that has no energy."""

    strength: Any
    needs_neighbors = False

    def forces(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        turned = xp.stack([coords[:, 1], -coords[:, 0], coords[:, 2]], axis=-1)
        return self.strength * xp.sin(turned)


BONDS = [[0, 1], [1, 2], [2, 3]]
BOXES = {
    "cubic": lambda: md.CubicBoundary(2.0, 2.2, 2.4),
    "open": lambda: md.CubicBoundary(2.0, float("inf"), 2.4),
    "triclinic": lambda: md.TriclinicBoundary([[2.1, 0.0, 0.0], [0.4, 2.2, 0.0], [-0.3, 0.5, 2.3]]),
}
FINDERS = {
    "all pairs": lambda: None,
    "distance": lambda: DistanceNeighborFinder(cutoff=0.95),
    "cells": lambda: CellListNeighborFinder(cutoff=0.95),
}


def everything(array: Any, box: str = "cubic", finder: str = "all pairs") -> md.System:
    """Return a System with an interaction of every kind, across the boundary."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    coords = 0.6 * grid[:N_ATOMS] + rng.uniform(-0.08, 0.08, (N_ATOMS, 3)) - 0.1
    charge = rng.uniform(-0.5, 0.5, N_ATOMS)
    lennard_jones = LennardJones(cutoff=md.ShiftedForceCutoff(0.8))
    return md.System(
        atoms=md.Atoms(
            mass=10.0,
            sigma=array(rng.uniform(0.3, 0.4, N_ATOMS)),
            epsilon=0.7,
            charge=array(charge),
        ),
        coords=array(coords),
        boundary=BOXES[box](),
        interactions=[
            lennard_jones,
            Coulomb(cutoff=md.PolynomialCutoff(0.6, 0.9)),
            HarmonicBond(atoms=BONDS, k=100.0, r0=[0.5, 0.6, 0.7]),
            HarmonicAngle(atoms=[[0, 1, 2], [1, 2, 3]], k=10.0, theta0=1.9),
            PeriodicTorsion(atoms=[[0, 1, 2, 5]], periodicity=3, phase=0.4, k=2.0),
            Tether(atoms=[[4, 11]], k=3.0),
            md.SpecialPairs(atoms=[[0, 3]], interaction=LennardJones(), weight=0.5),
            Trap(k=0.1, center=[1.0, 0.9, 0.8]),
            Wind(strength=0.3),
        ],
        exclusions=md.Exclusions.from_bonds(BONDS),
        neighbor_finder=FINDERS[finder](),
    )


def plain_forces(system: md.System, neighbors: Any) -> Any:
    """Return the forces as a function of coordinates and float leaves, and these leaves."""
    backend = system.backend
    leaves, spec = flatten(system)
    places = [k for k, leaf in enumerate(leaves) if "float" in backend.dtype_name(leaf)]

    def forces(coords: Any, *values: Any) -> tuple[Any]:
        changed = list(leaves)
        for place, value in zip(places, values, strict=True):
            changed[place] = value
        xp = backend.xp(coords, *values)
        return (total_forces(unflatten(spec, changed), coords, neighbors, xp=xp),)

    return forces, places, tuple(leaves[k] for k in places)


def close(on: md.Backend, found: Any, wanted: Any, name: str, scale: float = 1.0) -> None:
    np.testing.assert_allclose(
        on.to_numpy(found), on.to_numpy(wanted), rtol=1e-11, atol=1e-11 * scale, err_msg=name
    )


@pytest.mark.parametrize(
    ("box", "finder"),
    [(box, "all pairs") for box in BOXES] + [("cubic", "distance"), ("triclinic", "cells")],
)
def test_vjp_is_that_of_the_forces(on: md.Backend, array: Any, box: str, finder: str) -> None:
    system = everything(array, box, finder)
    neighbors, _ = neighbors_of(system)
    w = array(np.random.default_rng(6).standard_normal((N_ATOMS, 3)))
    forces, response, found = force_vjp(system, system.coords, neighbors, w)
    function, places, values = plain_forces(system, neighbors)
    (wanted,), pull = on.vjp(function, system.coords, *values)
    of_coords, *of_values = pull((w,))
    scale = float(abs(on.to_numpy(wanted)).max())
    close(on, forces, wanted, "forces", scale)
    close(on, response, of_coords, "J^T w", scale)
    seen = 0
    for place, cotangent in zip(places, of_values, strict=True):
        mine = found[place]
        if mine is None:
            assert not on.to_numpy(cotangent).any(), place
        else:
            assert mine.shape == cotangent.shape
            close(on, mine, cotangent, f"leaf {place}", scale)
            seen += 1
    assert seen > 15


@pytest.mark.parametrize(("box", "finder"), [("cubic", "all pairs"), ("triclinic", "distance")])
def test_jvp_is_the_transpose_of_the_vjp(on: md.Backend, array: Any, box: str, finder: str) -> None:
    """w . (J dx + dF/dp dp) = (J^T w) . dx + ((dF/dp)^T w) . dp, for random directions."""
    system = everything(array, box, finder)
    neighbors, _ = neighbors_of(system)
    rng = np.random.default_rng(7)
    w, direction = (rng.standard_normal((N_ATOMS, 3)) for _ in range(2))
    forces, response, found = force_vjp(system, system.coords, neighbors, array(w))
    leaves, _ = flatten(system)
    tangents = [
        None if each is None else rng.standard_normal(leaf.shape)
        for leaf, each in zip(leaves, found, strict=True)
    ]
    same, moved = force_jvp(
        system,
        system.coords,
        neighbors,
        array(direction),
        [None if each is None else array(each) for each in tangents],
    )
    scale = float(abs(on.to_numpy(forces)).max())
    close(on, same, forces, "forces", scale)
    left = (w * on.to_numpy(moved)).sum()
    right = (on.to_numpy(response) * direction).sum() + sum(
        (on.to_numpy(one) * other).sum()
        for one, other in zip(found, tangents, strict=True)
        if other is not None
    )
    assert left == pytest.approx(right, rel=1e-11)


def test_only_wanted_leaves_get_a_cotangent(on: md.Backend, array: Any) -> None:
    system = everything(array)
    neighbors, _ = neighbors_of(system)
    leaves, spec = flatten(system)
    numbers = unflatten(spec, list(range(len(leaves))))
    sigma = numbers.atoms.sigma
    wanted = [k == sigma for k in range(len(leaves))]
    w = array(np.ones((N_ATOMS, 3)))
    *_, every = force_vjp(system, system.coords, neighbors, w)
    *_, found = force_vjp(system, system.coords, neighbors, w, wanted)
    assert [k for k, each in enumerate(found) if each is not None] == [sigma]
    close(on, found[sigma], every[sigma], "sigma")
