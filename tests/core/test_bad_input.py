"""Numbers that cannot be right are refused: what was given, what is possible, what to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from four_atoms import COORDS, atoms, bonds, system
from xpmd_interactions import Coulomb, HarmonicAngle, LennardJones, MullerBrown
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat


def spoiled(value: Any, bad: float, where: Any) -> Any:
    changed = np.array(value, dtype=float)
    changed[where] = bad
    return changed


NOT_FINITE = {
    "coords": lambda bad: {"coords": spoiled(COORDS, bad, (2, 1))},
    "velocities": lambda bad: {"velocities": spoiled(np.zeros((4, 3)), bad, (2, 1))},
    "mass": lambda bad: {"atoms": atoms(mass=spoiled(np.ones(4), bad, 2))},
    "sigma": lambda bad: {"atoms": atoms(sigma=spoiled(np.ones(4), bad, 2))},
    "HarmonicBond.k": lambda bad: {"interactions": [bonds(k=spoiled(np.ones(2), bad, 1))]},
    "HarmonicBond.r0": lambda bad: {"interactions": [bonds(r0=bad)]},
    "Coulomb.constant": lambda bad: {
        "atoms": atoms(charge=0.0),
        "interactions": [Coulomb(constant=bad)],
    },
    "MullerBrown.A": lambda bad: {"interactions": [MullerBrown(A=(1.0, 1.0, bad, 1.0))]},
}
PLACES = {"coords": [2, 1], "velocities": [2, 1], "mass": [2], "sigma": [2], "HarmonicBond.k": [1]}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", NOT_FINITE)
def test_numbers_that_are_not_finite(field: str, bad: float) -> None:
    place = rf" at index \[{', '.join(map(str, PLACES[field]))}\]" if field in PLACES else ""
    message = rf"`{field}` has a value that is not finite \({bad}\){place}\."
    with pytest.raises(ValueError, match=message):
        system(**NOT_FINITE[field](bad))


@pytest.mark.parametrize("field", ["coords", "velocities", "mass", "sigma", "HarmonicBond.k"])
def test_every_backend_looks_for_them(
    on: md.Backend, array: Callable[..., Any], field: str
) -> None:
    changes = NOT_FINITE[field](math.nan)
    for key, value in changes.items():
        if isinstance(value, np.ndarray):
            changes[key] = array(value)
    changes = {"coords": array(COORDS), **changes}
    if field in ("mass", "sigma"):
        changes["atoms"] = atoms(**{field: array([1.0, 1.0, math.nan, 1.0])})
    if field == "HarmonicBond.k":
        changes["interactions"] = [bonds(k=array([1.0, math.nan]))]
    with pytest.raises(ValueError, match=f"`{field}` has a value that is not finite"):
        system(**changes)


SHAPES = {
    "coords flat": (
        {"coords": np.zeros(12)},
        r"`coords` has shape \(12,\); CubicBoundary needs \(n_atoms, 3\)",
    ),
    "coords 2D": (
        {"coords": np.zeros((4, 2))},
        r"`coords` has shape \(4, 2\); CubicBoundary needs \(n_atoms, 3\)",
    ),
    "coords 3D": (
        {"boundary": md.RectangularBoundary(3.0)},
        r"`coords` has shape \(4, 3\); RectangularBoundary needs \(n_atoms, 2\)",
    ),
    "velocities": (
        {"velocities": np.zeros((3, 3))},
        r"`velocities` has shape \(3, 3\), `coords` has \(4, 3\); they must agree",
    ),
    "mass": (
        {"atoms": atoms(mass=np.ones(3))},
        r"`mass` has shape \(3,\); give a scalar or one value for each of the 4 atoms",
    ),
    "mass column": ({"atoms": atoms(mass=np.ones((4, 1)))}, r"`mass` has shape \(4, 1\)"),
    "epsilon": ({"atoms": atoms(epsilon=np.ones(5))}, r"`epsilon` has shape \(5,\)"),
    "bonds": (
        {"interactions": [bonds(pairs=[0, 1])]},
        r"HarmonicBond: `atoms` has shape \(2,\); it must be \(terms, atoms\)",
    ),
    "bonds of three": (
        {"interactions": [bonds(pairs=[[0, 1, 2]])]},
        r"HarmonicBond: `atoms` has shape \(1, 3\); it must have 2 atoms in each row",
    ),
    "angles of two": (
        {"interactions": [HarmonicAngle(atoms=[[0, 1]], k=1.0, theta0=1.0)]},
        r"HarmonicAngle: `atoms` has shape \(1, 2\); it must have 3 atoms in each row",
    ),
    "k": (
        {"interactions": [bonds(k=[1.0, 2.0, 3.0])]},
        r"`k` has shape \(3,\); give a scalar or one value for each of the 2 rows of `atoms`",
    ),
    "weight": (
        {"interactions": [md.SpecialPairs([[0, 1]], LennardJones(), weight=[1.0, 0.5])]},
        r"SpecialPairs: `weight` has shape \(2,\); give a scalar or one value for each of the 1 row",
    ),
    "special pairs of three": (
        {"interactions": [md.SpecialPairs([[0, 1, 2]], LennardJones())]},
        r"SpecialPairs: `atoms` has shape \(1, 3\); it must list pairs",
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_shapes_that_do_not_fit(case: str) -> None:
    changes, message = SHAPES[case]
    with pytest.raises(ValueError, match=message):
        system(**changes)


def test_shapes_of_a_potential_of_positions() -> None:
    class Pull(md.SpecificInteraction):
        def energy(self, x_i: Any, x_j: Any, *, boundary: Any, xp: Any) -> Any:
            return xp.sum((x_i - x_j) ** 2, axis=-1)

    message = r"Pull: `atoms` has shape \(1, 3\); it must have 2 atoms in each row"
    with pytest.raises(ValueError, match=message):
        system(interactions=[Pull([[0, 1, 2]])])

    class Five(md.SpecificInteraction):
        def energy(self, q: Any, *, xp: Any) -> Any:
            return q**2

    message = r"Five: 5 atoms a term have no distance or angle; write energy\(x_i, "
    five = np.zeros((5, 3)) + np.arange(5)[:, None]
    with pytest.raises(ValueError, match=message):
        system(coords=five, interactions=[Five([range(5)])])


NO_NUMBERS = {
    "coords": ({"coords": "abc"}, "`coords` = 'abc' cannot be made an array of numbers"),
    "ragged": (
        {"coords": [[0.0, 0.0, 0.0], [1.0, 1.0]]},
        r"`coords` = .* cannot be made an array of numbers",
    ),
    "complex": (
        {"coords": COORDS + 0j},
        "`coords` is an array of complex128; it must be real",
    ),
    "mass": ({"atoms": atoms(mass=None)}, "`mass` = None must be a number or an array of numbers"),
    "k": (
        {"interactions": [bonds(k=None)]},
        "HarmonicBond: `k` = None must be a number or one value a row of `atoms`",
    ),
    "fraction of an atom": (
        {"interactions": [bonds(pairs=[[0, 1.5]])]},
        r"`atoms` = \[\[0, 1.5\]\] must hold whole numbers: they name atoms",
    ),
    "fraction in an array": (
        {"interactions": [bonds(pairs=np.array([[0.0, 1.5]]))]},
        "`atoms` = .* must hold whole numbers",
    ),
    "ragged bonds": (
        {"interactions": [bonds(pairs=[[0, 1], [2]])]},
        r"`atoms` = \[\[0, 1\], \[2\]\] cannot be made an array of integers",
    ),
    "fraction excluded": (
        {"exclusions": md.Exclusions([[0, 1.5]])},
        r"`exclusions`: \[0.0, 1.5\] must hold whole numbers",
    ),
    "nothing excluded": (
        {"exclusions": md.Exclusions(None)},
        r"`exclusions` = None must be pairs of atoms, such as \[\[0, 1\], \[1, 2\]\]",
    ),
}


@pytest.mark.parametrize("case", NO_NUMBERS)
def test_what_holds_no_numbers(case: str) -> None:
    changes, message = NO_NUMBERS[case]
    with pytest.raises(TypeError, match=message):
        system(**changes)


SIGNS = {
    "negative mass": (lambda: system(atoms=atoms(mass=-1.0)), "`mass` = -1.0 must be positive"),
    "zero mass": (
        lambda: system(atoms=atoms(mass=[1.0, 1.0, 0.0, 1.0])),
        "`mass` = 0.0 of atom 2 must be positive",
    ),
    "negative sigma": (
        lambda: system(atoms=atoms(sigma=[0.3, -0.3, 0.3, 0.3])),
        "`sigma` = -0.3 of atom 1 must be zero or positive",
    ),
    "zero dt": (lambda: VelocityVerlet(dt=0.0), "`dt` = 0.0 must be finite and positive"),
    "negative dt": (lambda: Langevin(-0.1, 300.0, 1.0), "`dt` = -0.1 must be finite and positive"),
    "dt NaN": (lambda: VelocityVerlet(dt=math.nan), "`dt` = nan must be finite and positive"),
    "temperature": (
        lambda: Langevin(0.1, -300.0, 1.0),
        "`temperature` = -300.0 must be finite and zero or positive",
    ),
    "friction": (
        lambda: Langevin(0.1, 300.0, -1.0),
        "`friction` = -1.0 must be finite and zero or positive",
    ),
    "thermostat": (
        lambda: RescaleThermostat(temperature=-1.0),
        "`temperature` = -1.0 must be finite and zero or positive",
    ),
    "tau": (
        lambda: BerendsenThermostat(temperature=300.0, tau=0.0),
        "`tau` = 0.0 must be finite and positive",
    ),
    "negative tau": (
        lambda: AndersenThermostat(temperature=300.0, tau=-1.0),
        "`tau` = -1.0 must be finite and positive",
    ),
    "cutoff": (lambda: md.DistanceCutoff(-1.0), "`distance` = -1.0 must be finite and positive"),
    "shifted cutoff": (lambda: md.ShiftedForceCutoff(0.0), "`distance` = 0.0 must be finite and"),
    "finder": (
        lambda: DistanceNeighborFinder(cutoff=-1.0),
        "`cutoff` = -1.0 must be finite and positive",
    ),
    "drift removal": (
        lambda: VelocityVerlet(dt=0.1, remove_cm_motion=-1),
        "`remove_cm_motion` = -1 must be a whole number, zero or positive",
    ),
    "step": (
        lambda: md.minimize(system(), step=0.0),
        "`step` = 0.0 must be finite and positive",
    ),
    "tolerance": (
        lambda: md.minimize(system(), tolerance=-1.0),
        "`tolerance` = -1.0 must be finite and positive",
    ),
}


@pytest.mark.parametrize("case", SIGNS)
def test_signs(case: str) -> None:
    call, message = SIGNS[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_a_negative_well_is_worth_a_warning() -> None:
    with pytest.warns(UserWarning, match="`epsilon` = -0.2 of atom 3 is negative") as caught:
        system(atoms=atoms(epsilon=[0.2, 0.2, 0.2, -0.2]))
    assert caught[0].filename == __file__


def test_settings_that_are_no_number() -> None:
    with pytest.raises(TypeError, match="`dt` = 'fast' must be a number"):
        VelocityVerlet(dt="fast")
    with pytest.raises(TypeError, match="`dt` = None must be a number"):
        VelocityVerlet(dt=None)
    message = r"`dt` is \[0.1, 0.2\]; it must be one number"
    with pytest.raises(TypeError, match=message):
        VelocityVerlet(dt=[0.1, 0.2])
    message = r"`distance` is an array of shape \(3,\); it must be one number"
    with pytest.raises(TypeError, match=message):
        md.ShiftedForceCutoff(np.ones(3))
