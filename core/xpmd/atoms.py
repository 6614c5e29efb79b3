"""Atoms: the parameters of each atom, whatever the interactions ask for."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from xpmd.module import Module

Array = Any


class Atoms(Module):
    """Per-atom parameters, `Atoms(mass=10.0, sigma=0.3, epsilon=0.2)`.

    Args:
        mass: u, a scalar or `(n,)`.
        parameters: any others by name, scalars or `(n,)`: `charge` (e), `sigma` (nm), `epsilon`
            (kJ/mol), or what a third-party interaction declares in `atom_parameters`.
    """

    mass: Array
    parameters: dict[str, Array]

    units: ClassVar[dict[str, str]] = {
        "mass": "mass",
        "charge": "charge",
        "sigma": "length",
        "epsilon": "energy",
    }

    def __init__(self, mass: Any = 1.0, **parameters: Any) -> None:
        object.__setattr__(self, "mass", mass)
        # Sorted, so that the order of keyword arguments does not make a new structure.
        object.__setattr__(self, "parameters", dict(sorted(parameters.items())))

    def replace(self, **changes: Any) -> Self:
        """Return atoms with some parameters changed or added."""
        return type(self)(**{"mass": self.mass, **self.parameters, **changes})

    def __getattr__(self, name: str) -> Any:
        parameters = self.__dict__.get("parameters", {})
        if name in parameters:
            return parameters[name]
        raise AttributeError(
            f"These atoms have no parameter `{name}`; they have {['mass', *parameters]}. "
            f"Give it as Atoms({name}=...)."
        )
