"""Unit systems, and the conversion of quantities at the edge: inside, every number is plain.

A dimension is written as a small expression: a name, or a product of powers of names such as
"energy/length^2" (the force constant of a bond), "energy/angle^2" (that of an angle) or
"energy*length^6/charge^2". The names are "length", "time", "mass", "energy", "temperature",
"charge", "angle", and for short "velocity", "force", "pressure", "inverse_time",
"dimensionless". Angles are in radian in every system; a pressure is an energy over a volume.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

Powers = dict[str, int]

_BASE = ("length", "time", "mass", "energy", "temperature", "charge", "angle")
_DERIVED: dict[str, Powers] = {
    "velocity": {"length": 1, "time": -1},
    "force": {"energy": 1, "length": -1},
    "pressure": {"energy": 1, "length": -3},
    "inverse_time": {"time": -1},
    "dimensionless": {},
    "1": {},
}
_AVOGADRO_NUMBER = 6.02214076e23  # exact, by the definition of the mole


@dataclass(frozen=True, slots=True)
class UnitSystem:
    """The units that the plain numbers of a system are in, and the constants in these units.

    Args:
        name: what the system is called.
        boltzmann: k_B, energy over temperature.
        coulomb_constant: 1 / (4 pi epsilon_0), energy times length over charge squared.
        length, time, mass, energy, temperature, charge: names of the units.
    """

    name: str
    boltzmann: float
    coulomb_constant: float
    length: str
    time: str
    mass: str
    energy: str
    temperature: str
    charge: str

    def unit(self, dimension: str) -> str:
        """Return the name of the unit of a dimension: "kJ/mol/nm^2" for "energy/length^2"."""
        powers = _parse(dimension)
        above = [_power(self._name(base), n) for base, n in powers.items() if n > 0]
        below = ["/" + _power(self._name(base), -n) for base, n in powers.items() if n < 0]
        return ("*".join(above) or "1") + "".join(below)

    def _name(self, base: str) -> str:
        return "rad" if base == "angle" else str(getattr(self, base))


molar = UnitSystem(
    name="molar",
    boltzmann=0.008314462618,
    coulomb_constant=138.935457644,
    length="nm",
    time="ps",
    mass="u",
    energy="kJ/mol",
    temperature="K",
    charge="e",
)
"""nm, ps, u, kJ/mol, K, e: the default."""

reduced = UnitSystem(
    name="reduced",
    boltzmann=1.0,
    coulomb_constant=1.0,
    length="sigma",
    time="tau",
    mass="m",
    energy="epsilon",
    temperature="epsilon/k_B",
    charge="q",
)
"""Lennard-Jones units: every number is a ratio, and k_B = 1."""

# The units of `molar` in the words of the two libraries. Mass is left out: it is chosen below.
_PINT_UNITS = {
    "length": "nanometer",
    "time": "picosecond",
    "energy": "kilojoule/mole",
    "temperature": "kelvin",
    "charge": "elementary_charge",
    "angle": "radian",
}
_OPENMM_UNITS = {
    "length": "nanometer",
    "time": "picosecond",
    "mass": "dalton",
    "energy": "kilojoule_per_mole",
    "temperature": "kelvin",
    "charge": "elementary_charge",
    "angle": "radian",
}


def magnitude(value: Any, dimension: str, units: UnitSystem = molar, *, name: str = "value") -> Any:
    """Turn a quantity into plain numbers in a unit system; pass plain numbers untouched.

    Energies per particle (J, kB T) and per mole (kJ/mol) are told apart by their amount of
    substance and brought to the system's; masses in u and in g/mol are the same number.

    Args:
        value: a number or array of any library, an `openmm.unit.Quantity`, a `pint.Quantity`, or
            a list or tuple of these.
        dimension: an expression such as "length" or "energy/length^2".
        units: the system to convert to. `reduced` takes plain numbers only.
        name: what an error calls the value.

    Returns:
        `value` itself if there is nothing to convert, else numbers or an array of the same kind.
    """
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [magnitude(part, dimension, units, name=name) for part in value]
        untouched = all(new is old for new, old in zip(parts, value, strict=True))
        return value if untouched else parts
    library = _library(value)
    if library is None:
        return value
    number = {"pint": "magnitude", "openmm": "value_in_unit"}.get(library)
    if number is None or not hasattr(value, number):
        raise TypeError(
            f"`{name}` = {value} ({type(value).__module__}.{type(value).__qualname__}) must be a "
            f"plain number in {units.unit(dimension)}, an openmm.unit.Quantity or a pint.Quantity"
        )
    if units.name != molar.name:
        raise ValueError(
            f"`{name}` = {value} has a unit, and the unit system '{units.name}' takes plain "
            f"numbers only: give it in {units.unit(dimension)}, or use the unit system 'molar'"
        )
    powers = _parse(dimension)
    convert = _convert_pint if library == "pint" else _convert_openmm
    converted = convert(value, powers)
    if converted is None:
        unit = value.units if library == "pint" else value.unit
        raise TypeError(
            f"`{name}` has the unit {unit}; expected is a unit of {dimension}, "
            f"such as {units.unit(dimension)}"
        )
    return converted


def is_quantity(value: Any) -> bool:
    """Return whether a value is a quantity of a library of units, not a plain number or array."""
    return not isinstance(value, (int, float)) and _library(value) is not None


def _library(value: Any) -> str | None:
    """Return the library of units that a value is from; `None` for plain numbers and arrays."""
    # The types of the bases too, because both libraries may be subclassed.
    for base in type(value).__mro__:
        package, _, rest = base.__module__.partition(".")
        if package == "pint":
            return "pint"
        if package == "openmm" and rest.startswith("unit"):
            return "openmm"
        if package in ("astropy", "unyt", "quantities"):
            # They pass for plain arrays, and their unit would be lost in silence.
            return package
    return None


def _parse(dimension: str) -> Powers:
    """Return the powers of the base dimensions in an expression such as "energy/length^2"."""
    return dict(_parse_cached(dimension))


@lru_cache(maxsize=256)
def _parse_cached(dimension: str) -> tuple[tuple[str, int], ...]:
    powers: Powers = {}
    factors = re.split(r"([*/])", dimension.replace(" ", "").replace("**", "^"))
    for operation, factor in zip(["*", *factors[1::2]], factors[::2], strict=True):
        base, caret, exponent = factor.partition("^")
        if base in _BASE:
            content: Powers = {base: 1}
        elif base in _DERIVED:
            content = _DERIVED[base]
        else:
            known = [*_BASE, *(key for key in _DERIVED if key != "1")]
            raise ValueError(
                f"`dimension` = {dimension!r} has the unknown name {base!r}; known are {known}"
            )
        if caret and not re.fullmatch(r"-?\d+", exponent):
            raise ValueError(f"`dimension` = {dimension!r} must have whole exponents")
        sign = int(exponent or "1") * (1 if operation == "*" else -1)
        for key, power in content.items():
            powers[key] = powers.get(key, 0) + sign * power
    return tuple((key, power) for key, power in powers.items() if power)


def _power(name: str, exponent: int) -> str:
    if exponent == 1:
        return name
    return f"({name})^{exponent}" if "/" in name else f"{name}^{exponent}"


def _scaled(numbers: Any, factor: float) -> Any:
    # Both libraries multiply powers of ten, and 1 angstrom comes as 0.09999999999999999 nm.
    short = float(f"{factor:.12g}")
    if abs(short - factor) <= 1e-15 * abs(factor):
        factor = short
    if factor == 1.0:
        return numbers
    if isinstance(numbers, (list, tuple)):
        return [_scaled(part, factor) for part in numbers]
    return numbers * factor


def _amounts(powers: Powers) -> set[int]:
    """Return the powers of the mole a dimension may come with: per particle, per mole, mixed."""
    energy, mass = powers.get("energy", 0), powers.get("mass", 0)
    return {0, -energy, -mass, -energy - mass}


def _convert_pint(value: Any, powers: Powers) -> Any:
    """Return the plain numbers of a `pint.Quantity`; `None` if its dimension is another."""
    # An isolated use of a private name: the registry has no public one, and only units of the
    # value's own registry can be compared with it.
    registry = value._REGISTRY
    n_moles = value.dimensionality.get("[substance]", 0)
    if n_moles not in _amounts(powers):
        return None
    # The dalton and the gram per mole differ by 1e-9 since 2019, and "u" means both. The one that
    # makes the moles cancel is taken, so that neither 12 dalton nor 12 g/mol is altered.
    per_mole = -powers.get("energy", 0)
    molar_mass = n_moles == per_mole - powers.get("mass", 0)
    names = {**_PINT_UNITS, "mass": "gram/mole" if molar_mass else "dalton"}
    target = registry.Unit("")
    for base, power in powers.items():
        target = target * registry.Unit(names[base]) ** power
    surplus = n_moles - target.dimensionality.get("[substance]", 0)
    one = registry.Quantity(1.0, value.units)
    if surplus:
        one = one * registry.Quantity(_AVOGADRO_NUMBER, "1/mole") ** surplus
    if one.dimensionality != target.dimensionality:
        return None
    if not surplus and registry.Quantity(0.0, value.units).to(target).magnitude != 0.0:
        # A scale with a zero of its own, such as degrees Celsius.
        return value.to(target).magnitude
    return _scaled(value.magnitude, one.to(target).magnitude)


def _convert_openmm(value: Any, powers: Powers) -> Any:
    """Return the plain numbers of an `openmm.unit.Quantity`; `None` if its dimension is another."""
    known = import_module("openmm.unit")
    amounts = {item.name: power for item, power in value.unit.iter_base_dimensions()}
    n_moles = amounts.get("amount", 0)
    if n_moles not in _amounts(powers):
        return None
    target = known.dimensionless
    for base, power in powers.items():
        target = target * getattr(known, _OPENMM_UNITS[base]) ** power
    # In OpenMM the dalton is the gram per mole.
    surplus = int(n_moles + powers.get("energy", 0) + powers.get("mass", 0))
    source = value.unit * known.mole**-surplus if surplus else value.unit
    if not source.is_compatible(target):
        return None
    # The public ways to the number copy or convert it.
    return _scaled(value._value, source.conversion_factor_to(target) * _AVOGADRO_NUMBER**surplus)


def convert_fields(component: Any, dimensions: Mapping[str, str]) -> None:
    """Turn the quantities among the fields of a component that is being made into plain numbers.

    Args:
        component: a frozen dataclass, in its `__post_init__`.
        dimensions: by the names of fields; those that the component lacks are passed over.
    """
    for name, dimension in dimensions.items():
        if name in component._dynamic_names:
            value = magnitude(getattr(component, name), dimension, name=name)
            object.__setattr__(component, name, value)
