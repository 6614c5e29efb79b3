"""Quantities become plain numbers, at the edge, and only where they mean what is expected."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpmd.units
from xpmd.units import magnitude, molar, reduced

# Same value, written for either library, with its dimension and its number in `molar`.
SHARED_CASES = [
    (3.0, "nanometer", "length", 3.0),
    (1.0, "angstrom", "length", 0.1),
    (2.0, "femtosecond", "time", 0.002),
    (300.0, "kelvin", "temperature", 300.0),
    (12.0, "dalton", "mass", 12.0),
    (12.0, "gram/mole", "mass", 12.0),
    (1.0, "elementary_charge", "charge", 1.0),
    (1.0, "coulomb", "charge", 1.0 / 1.602176634e-19),
    (90.0, "degree", "angle", math.pi / 2),
    (1.0, "kilocalorie/mole", "energy", 4.184),
    (1.0, "joule", "energy", 6.02214076e20),
    (1.0, "kilocalorie/mole/angstrom**2", "energy/length^2", 418.4),
    (1.0, "kilojoule/mole/degree**2", "energy/angle^2", (180.0 / math.pi) ** 2),
    (1.0, "joule/nanometer**2", "energy/length^2", 6.02214076e20),
    (1.0, "angstrom/femtosecond", "velocity", 100.0),
    (1.0, "kilocalorie/mole/angstrom", "force", 41.84),
    (1.0, "bar", "pressure", 0.0602214076),
    (5.0, "1/picosecond", "inverse_time", 5.0),
    (1.0, "kilocalorie*angstrom**6/mole", "energy*length^6", 4.184e-6),
    (1.0, "joule/gram", "energy/mass", 1e-3),
]

BOTH = ["pint", "openmm"]


@pytest.fixture(scope="module")
def registry() -> Any:
    return pytest.importorskip("pint").UnitRegistry()


def quantity(library: str, number: Any, unit: str, registry: Any) -> Any:
    if library == "pint":
        return registry.Quantity(number, unit)
    known = pytest.importorskip("openmm.unit")
    names = {name: getattr(known, name) for name in dir(known)}
    inverse = unit.startswith("1/")
    made = eval(unit.removeprefix("1/"), {"__builtins__": {}}, names)
    return known.Quantity(number, made**-1 if inverse else made)


@pytest.fixture(params=BOTH)
def make(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("pint" if request.param == "pint" else "openmm.unit")
    registry = request.getfixturevalue("registry") if request.param == "pint" else None
    return lambda number, unit: quantity(request.param, number, unit, registry)


def test_the_constants() -> None:
    assert molar.boltzmann == 0.008314462618
    assert molar.coulomb_constant == 138.935457644
    assert (reduced.boltzmann, reduced.coulomb_constant) == (1.0, 1.0)


def test_the_names_of_units() -> None:
    assert molar.unit("energy/length^2") == "kJ/mol/nm^2"
    assert molar.unit("energy/angle^2") == "kJ/mol/rad^2"
    assert molar.unit("velocity") == "nm/ps"
    assert molar.unit("inverse_time") == "1/ps"
    assert molar.unit("dimensionless") == "1"
    assert molar.unit("energy^2") == "(kJ/mol)^2"
    assert reduced.unit("pressure") == "epsilon/sigma^3"


def test_a_system_is_frozen() -> None:
    with pytest.raises(AttributeError):
        molar.boltzmann = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("value", [1, 2.5, np.float32(3.0), np.arange(3), [1.0, 2.0], (1, 2), None])
@pytest.mark.parametrize("units", [molar, reduced])
def test_plain_numbers_pass_untouched(value: Any, units: Any) -> None:
    assert magnitude(value, "length", units) is value


def test_arrays_that_carry_gradients_pass_untouched() -> None:
    torch = pytest.importorskip("torch")
    value = torch.ones(3, requires_grad=True)
    assert magnitude(value, "length") is value


@pytest.mark.parametrize(("number", "unit", "dimension", "expected"), SHARED_CASES)
def test_conversion(make: Any, number: float, unit: str, dimension: str, expected: float) -> None:
    # Grams differ by 1e-9 with the choice between the dalton and g/mol.
    assert magnitude(make(number, unit), dimension) == pytest.approx(expected, rel=2e-9)


def test_units_of_the_system_are_exact(make: Any) -> None:
    for unit, dimension in (
        ("nanometer", "length"),
        ("picosecond", "time"),
        ("dalton", "mass"),
        ("gram/mole", "mass"),
        ("kilojoule/mole", "energy"),
        ("kelvin", "temperature"),
        ("elementary_charge", "charge"),
        ("radian", "angle"),
    ):
        assert magnitude(make(0.7, unit), dimension) == 0.7
    assert magnitude(make(1.0, "angstrom"), "length") == 0.1


def test_arrays_in_quantities(make: Any) -> None:
    result = magnitude(make(np.array([1.0, 2.0, 3.0]), "angstrom"), "length")
    assert isinstance(result, np.ndarray)
    np.testing.assert_allclose(result, [0.1, 0.2, 0.3], rtol=1e-15)


def test_gradients_pass_a_conversion(make: Any) -> None:
    torch = pytest.importorskip("torch")
    value = torch.ones(3, dtype=torch.float64, requires_grad=True)
    try:
        given = make(value, "angstrom")
    except Exception as error:
        pytest.skip(f"the library of units refuses tensors: {error}")
    magnitude(given, "length").sum().backward()
    np.testing.assert_allclose(value.grad.numpy(), 0.1)


def test_lists_of_quantities(make: Any) -> None:
    assert magnitude([make(1.0, "angstrom"), 2.0], "length") == [0.1, 2.0]
    assert magnitude(((make(1.0, "angstrom"),), (1.0,)), "length") == [[0.1], (1.0,)]


def test_thermal_energy_of_a_particle(make: Any) -> None:
    expected = molar.boltzmann * 300.0
    value = make(1.380649e-23 * 300.0, "joule")
    assert magnitude(value, "energy") == pytest.approx(expected, rel=1e-9)


def test_pint_boltzmann_constant(registry: Any) -> None:
    value = 300.0 * registry.kelvin * registry.boltzmann_constant
    assert magnitude(value, "energy") == pytest.approx(molar.boltzmann * 300.0, rel=1e-9)


def test_pint_degrees_celsius(registry: Any) -> None:
    assert magnitude(registry.Quantity(25.0, "degC"), "temperature") == pytest.approx(298.15)
    values = magnitude(registry.Quantity(np.array([0.0, 25.0]), "degC"), "temperature")
    np.testing.assert_allclose(values, [273.15, 298.15])


def test_pint_quantities_of_the_application_registry() -> None:
    pint = pytest.importorskip("pint")
    assert magnitude(pint.Quantity(5.0, "angstrom"), "length") == pytest.approx(0.5)


def test_openmm_lists_of_vectors() -> None:
    openmm = pytest.importorskip("openmm")
    unit = openmm.unit
    vectors = [openmm.Vec3(1.0, 2.0, 3.0), openmm.Vec3(4.0, 5.0, 6.0)]
    np.testing.assert_allclose(
        magnitude(unit.Quantity(vectors, unit.angstrom), "length"),
        [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],
    )
    assert magnitude(unit.Quantity(vectors, unit.nanometer), "length") == vectors
    assert magnitude(vectors, "length") is vectors


def test_dimensionless(make: Any, registry: Any) -> None:
    assert magnitude(registry.Quantity(3.0, ""), "dimensionless") == 3.0
    with pytest.raises(TypeError):
        magnitude(make(3.0, "nanometer"), "dimensionless")


@pytest.mark.parametrize(
    ("unit", "dimension"),
    [
        ("nanometer", "energy"),
        ("kelvin", "energy"),
        ("kilojoule/mole", "energy/length^2"),
        ("nanometer/mole", "length"),
        ("kilojoule/mole**2", "energy"),
        ("nanometer", "inverse_time"),
    ],
)
def test_wrong_dimensions_are_refused(make: Any, unit: str, dimension: str) -> None:
    with pytest.raises(TypeError) as caught:
        magnitude(make(1.0, unit), dimension, name="epsilon")
    message = str(caught.value)
    assert message.startswith("`epsilon` has the unit ")
    assert molar.unit(dimension) in message


def test_reduced_units_take_plain_numbers_only(make: Any) -> None:
    with pytest.raises(ValueError, match=r"`dt` = .* takes plain numbers only: give it in tau"):
        magnitude(make(1.0, "picosecond"), "time", reduced, name="dt")


def test_a_unit_without_a_number_is_refused(registry: Any) -> None:
    with pytest.raises(TypeError, match="must be a plain number in nm"):
        magnitude(registry.nanometer, "length")
    openmm_unit = pytest.importorskip("openmm.unit")
    with pytest.raises(TypeError, match="must be a plain number in nm"):
        magnitude(openmm_unit.nanometer, "length")


def test_quantities_of_other_libraries_are_refused() -> None:
    # They are NumPy arrays by inheritance, and their unit would be lost in silence.
    foreign = type("Quantity", (np.ndarray,), {"__module__": "astropy.units.quantity"})
    with pytest.raises(TypeError, match=r"pint\.Quantity"):
        magnitude(np.ones(2).view(foreign), "length")


@pytest.mark.parametrize(
    "dimension", ["lenth", "length^x", "length^", "", "energy//length", "length^1.5"]
)
def test_unknown_dimensions_are_refused(make: Any, dimension: str) -> None:
    with pytest.raises(ValueError, match="`dimension`"):
        magnitude(make(1.0, "nanometer"), dimension)


def test_no_library_of_units_is_imported() -> None:
    core = Path(xpmd.units.__file__ or "").parents[1]
    code = (
        f"import sys; sys.path.insert(0, {str(core)!r}); from xpmd.units import magnitude; "
        "magnitude([1.0], 'length'); assert not {'pint', 'openmm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
