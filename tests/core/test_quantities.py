"""Quantities of openmm.unit and pint are accepted wherever a value enters, and converted there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from four_atoms import COORDS, atoms, bonds, system
from xpmd_interactions import HarmonicAngle, LennardJones, PeriodicTorsion
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

Quantity = Callable[[Any, str], Any]

#: Units in the words of openmm.unit; pint reads the same expressions.
NAMES = {
    "A": "angstrom",
    "fs": "femtosecond",
    "K": "kelvin",
    "kcal": "kilocalorie/mole",
    "u": "dalton",
    "e": "elementary_charge",
    "deg": "degree",
    "1/ps": "1/picosecond",
    "A/fs": "angstrom/femtosecond",
    "kcal/A": "kilocalorie/mole/angstrom",
    "kcal/A^2": "kilocalorie/mole/angstrom**2",
    "kcal/rad^2": "kilocalorie/mole/radian**2",
}


@pytest.fixture(scope="module")
def registry() -> Any:
    return pytest.importorskip("pint").UnitRegistry()


@pytest.fixture(params=["openmm", "pint"])
def of(request: pytest.FixtureRequest) -> Quantity:
    """Make a quantity of one library or the other."""
    if request.param == "pint":
        registry = request.getfixturevalue("registry")
        return lambda number, unit: registry.Quantity(number, NAMES[unit])
    library = pytest.importorskip("openmm.unit")

    def quantity(number: Any, unit: str) -> Any:
        found = library.dimensionless
        for k, factor in enumerate(NAMES[unit].split("/")):
            name, _, power = factor.partition("**")
            if name != "1":
                each = getattr(library, name) ** int(power or 1)
                found = found / each if k else found * each
        return library.Quantity(number, found)

    return quantity


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found, dtype=float), expected, rtol=1e-12)


def test_positions_velocities_and_box(of: Quantity) -> None:
    built = system(
        coords=of(10.0 * COORDS, "A"),
        velocities=of(COORDS, "A/fs"),
        boundary=md.CubicBoundary(of(30.0, "A"), 3.0, of(40.0, "A")),
    )
    close(built.coords, COORDS)
    close(built.velocities, 100.0 * COORDS)
    close(built.boundary.side_lengths(), [3.0, 3.0, 4.0])


def test_boxes(of: Quantity) -> None:
    cell = [[20.0, 0.0, 0.0], [3.0, 21.0, 0.0], [1.0, -2.0, 22.0]]
    expected = np.array(cell) / 10.0
    close(md.TriclinicBoundary(of(np.array(cell), "A")).cell_vectors(), expected)
    by_entry = [[of(entry, "A") for entry in row] for row in cell]
    close(md.TriclinicBoundary(by_entry).cell_vectors(), expected)
    close(md.CubicBoundary(of(np.array([20.0, 30.0, 40.0]), "A")).side_lengths(), [2.0, 3.0, 4.0])
    close(md.RectangularBoundary(of(20.0, "A")).side_lengths(), [2.0, 2.0])
    right = md.TriclinicBoundary.from_lengths_angles(
        [of(20.0, "A"), 3.0, of(40.0, "A")], [of(90.0, "deg")] * 3
    )
    np.testing.assert_allclose(right.cell_vectors(), np.diag([2.0, 3.0, 4.0]), atol=1e-15)


@pytest.mark.parametrize("as_list", [False, True])
def test_parameters_of_atoms(of: Quantity, as_list: bool) -> None:
    def values(numbers: list[float], unit: str) -> Any:
        if as_list:
            return [of(number, unit) for number in numbers]
        return of(np.array(numbers), unit)

    given = md.Atoms(
        mass=values([1.0, 2.0, 3.0, 4.0], "u"),
        sigma=values([3.0, 3.1, 3.2, 3.3], "A"),
        epsilon=of(0.1, "kcal"),
        charge=values([0.5, -0.5, 0.0, 1.0], "e"),
    )
    built = system(atoms=given).atoms
    close(built.mass, [1.0, 2.0, 3.0, 4.0])
    close(built.sigma, [0.3, 0.31, 0.32, 0.33])
    close(built.epsilon, 0.4184)
    close(built.charge, [0.5, -0.5, 0.0, 1.0])


def test_parameters_of_bonded_terms(of: Quantity) -> None:
    built = system(
        interactions=[
            bonds(k=of(100.0, "kcal/A^2"), r0=[of(4.0, "A"), of(5.0, "A")]),
            HarmonicAngle([[0, 1, 2]], k=of(1.0, "kcal/rad^2"), theta0=of(np.array([90.0]), "deg")),
            PeriodicTorsion([[0, 1, 2, 3]], periodicity=3, phase=of(180.0, "deg"), k=(1.0,)),
            md.SpecialPairs(
                [[0, 1]],
                LennardJones(),
                parameters={"sigma": of(3.0, "A"), "epsilon": of(np.array([0.1]), "kcal")},
            ),
        ]
    )
    bond, angle, torsion, special = built.specific
    close(bond.k, 41840.0)
    close(bond.r0, [0.4, 0.5])
    close(angle.k, 4.184)
    close(angle.theta0, [np.pi / 2])
    close(torsion.phase, np.pi)
    close(special.parameters["sigma"], 0.3)
    close(special.parameters["epsilon"], [0.4184])


def test_cutoffs_and_finders(of: Quantity) -> None:
    assert md.DistanceCutoff(of(9.0, "A")).distance == pytest.approx(0.9)
    assert md.ShiftedForceCutoff(of(9.0, "A")).distance == pytest.approx(0.9)
    switched = md.PolynomialCutoff(of(8.0, "A"), of(9.0, "A"))
    assert switched.activation == pytest.approx(0.8)
    assert switched.distance == pytest.approx(0.9)
    assert DistanceNeighborFinder(cutoff=of(11.0, "A")).cutoff == pytest.approx(1.1)


def test_simulators_and_thermostats(of: Quantity) -> None:
    thermostat = BerendsenThermostat(temperature=of(300.0, "K"), tau=of(100.0, "fs"))
    verlet = VelocityVerlet(dt=of(2.0, "fs"), coupling=thermostat)
    assert verlet.dt == pytest.approx(0.002)
    assert verlet.couplings[0].temperature == 300.0
    assert verlet.couplings[0].tau == pytest.approx(0.1)
    langevin = Langevin(of(1.0, "fs"), of(300.0, "K"), of(5.0, "1/ps"))
    assert langevin.dt == pytest.approx(0.001)
    assert langevin.friction == pytest.approx(5.0)


def test_minimizing(of: Quantity) -> None:
    built = system()
    given = md.minimize(built, step=of(0.1, "A"), tolerance=of(1.0, "kcal/A"), max_steps=3)
    plain = md.minimize(built, step=0.01, tolerance=41.84, max_steps=3)
    np.testing.assert_allclose(given.coords, plain.coords, rtol=1e-12)


def test_quantities_of_torch_keep_their_gradient() -> None:
    torch, unit = pytest.importorskip("torch"), pytest.importorskip("openmm.unit")
    sigma = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    built = system(
        coords=unit.Quantity(torch.tensor(10.0 * COORDS), unit.angstrom),
        atoms=atoms(sigma=unit.Quantity(sigma, unit.angstrom)),
    )
    assert built.backend.name == "torch"
    (2.0 * built.atoms.sigma).backward()
    assert float(sigma.grad) == pytest.approx(0.2)


WRONG = {
    "coords": lambda of: system(coords=of(COORDS, "u")),
    "velocities": lambda of: system(velocities=of(COORDS, "A")),
    "mass": lambda of: system(atoms=atoms(mass=of(1.0, "A"))),
    "sigma": lambda of: system(atoms=atoms(sigma=of(1.0, "K"))),
    "k": lambda of: system(interactions=[bonds(k=of(1.0, "kcal"))]),
    "side": lambda of: md.CubicBoundary(of(1.0, "fs")),
    "vectors": lambda of: md.TriclinicBoundary(of(np.eye(3), "fs")),
    "lengths": lambda of: md.TriclinicBoundary.from_lengths_angles([of(1.0, "fs")] * 3, [1] * 3),
    "distance": lambda of: md.DistanceCutoff(of(1.0, "fs")),
    "activation": lambda of: md.CubicSplineCutoff(of(1.0, "fs"), 2.0),
    "cutoff": lambda of: DistanceNeighborFinder(cutoff=of(1.0, "fs")),
    "dt": lambda of: VelocityVerlet(dt=of(1.0, "A")),
    "temperature": lambda of: Langevin(0.1, of(1.0, "A"), 1.0),
    "tau": lambda of: BerendsenThermostat(300.0, of(1.0, "A")),
    "tolerance": lambda of: md.minimize(system(), tolerance=of(1.0, "kcal")),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_dimension_names_the_argument(of: Quantity, name: str) -> None:
    with pytest.raises(TypeError, match=f"`{name}` has the unit .*; expected is a unit of"):
        WRONG[name](of)


def test_a_quantity_where_no_dimension_is_known(of: Quantity) -> None:
    class Soft(md.PairwiseInteraction):
        height: Any

        def energy(self, r: Any, *, xp: Any) -> Any:
            return self.height * (1.0 - r) ** 2

    with pytest.raises(TypeError, match=r"`height` = .* has a unit, but its class does not say"):
        system(interactions=[Soft(of(1.0, "kcal"))])


def test_reduced_units_take_plain_numbers(of: Quantity) -> None:
    with pytest.raises(ValueError, match="'reduced' takes plain numbers only"):
        system(coords=of(COORDS, "A"), units=md.units.reduced)
