"""The checks fit every kind of interaction and box: what is right passes in all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xpmd as md
import xpmd.testing
from xpmd_interactions import Coulomb, HarmonicBond, LennardJones


class Network(md.GeneralInteraction):
    """Forces along the distances between atoms, by a small network; there is no energy."""

    weights: dict
    needs_neighbors = False

    def forces(self, coords, system, neighbors, *, xp):
        gaps = system.boundary.displacement(coords[:, None, :], coords[None, :, :], xp=xp)
        squared = xp.sum(gaps * gaps, axis=-1)
        first, (bias, second) = self.weights["first"], self.weights["rest"]
        hidden = xp.tanh(squared[..., None] * first + bias)
        return xp.sum(xp.sum(hidden * second, axis=-1)[..., None] * gaps, axis=1)


RANDOM = np.random.default_rng(1)
LJ = LennardJones(cutoff=md.ShiftedForceCutoff(0.9))
GAS = {"atoms": md.Atoms(sigma=0.3, epsilon=0.2)}
SALT = {"atoms": md.Atoms(charge=[1.0, -1.0, 0.5, -0.5])}
CASES = {
    "forces without energy": (
        Network({"first": RANDOM.normal(size=4), "rest": list(RANDOM.normal(size=(2, 4)))}),
        {},
    ),
    "in the plane": (LJ, {**GAS, "boundary": md.RectangularBoundary(2.0, 2.2)}),
    "in a triclinic box": (
        LJ,
        {**GAS, "boundary": md.TriclinicBoundary([[2.0, 0, 0], [0.5, 2.1, 0], [-0.4, 0.3, 2.2]])},
    ),
    "with an open side": (Coulomb(), {**SALT, "boundary": md.CubicBoundary(2.0, 2.0, math.inf)}),
    "in open space": (Coulomb(), {**SALT, "boundary": md.CubicBoundary(math.inf)}),
    "special pairs": (
        md.SpecialPairs([[0, 1], [2, 3]], Coulomb(), 0.5),
        {**SALT, "exempt": {"coordinate": "two charges at one place have no energy"}},
    ),
    "in reduced units": (
        LennardJones(cutoff=md.ShiftedForceCutoff(2.5)),
        {"atoms": md.Atoms(sigma=1.0, epsilon=1.0)},
    ),
    "arrays for atoms": (LJ, {"atoms": md.Atoms(sigma=np.full(6, 0.3), epsilon=[0.2] * 6)}),
    "given places": (
        HarmonicBond(atoms=[[0, 1]], k=3.0, r0=0.2),
        {"coords": np.asarray([[0.0, 0.0, 0.0], [0.1, 0.2, 0.1]])},
    ),
}


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("case", CASES)
def test_what_is_right_passes(case):
    component, settings = CASES[case]
    report = xpmd.testing.check_interaction(
        component, **{"backends": ["numpy"], "n_atoms": 5, **settings}
    )
    virial = {"virial-numpy"} if case != "forces without energy" else set()
    assert {"force_gradients-numpy", "lattice_shift", "rotation", *virial} <= set(report.passed)
    exempt = [name for name, reason in report.skipped.items() if reason.startswith("exempt")]
    assert exempt == (["coordinate-numpy"] if "exempt" in settings else [])


def test_forces_without_energy_are_not_asked_for_one():
    component, settings = CASES["forces without energy"]
    names = {check.name for check in xpmd.testing.checks(component, backends=["numpy"], **settings)}
    assert not names & {"forces-numpy", "virial-numpy", "energy_gradients-numpy"}


def test_no_room_for_atoms():
    settings = {**GAS, "n_atoms": 60, "boundary": md.CubicBoundary(1.9)}
    checks = xpmd.testing.checks(LJ, backends=["numpy"], **settings)
    (check,) = [check for check in checks if check.name == "third_law"]
    with pytest.raises(ValueError, match=r"for 60 atoms .*: give `coords`, or another `length`"):
        check()
