"""What the arguments of a System must be, before anything in them is looked at."""

from __future__ import annotations

from typing import Any

from xpmd.atoms import Atoms
from xpmd.boundary import Boundary
from xpmd.exclusions import Exclusions
from xpmd.general import GeneralInteraction
from xpmd.module import Module
from xpmd.neighbor_finder import NeighborFinder
from xpmd.pairwise import PairwiseInteraction
from xpmd.specific import SpecificInteraction
from xpmd.units import UnitSystem

TYPES: dict[str, tuple[type, ...]] = {
    "atoms": (Atoms,),
    "boundary": (Boundary,),
    "interactions": (PairwiseInteraction, SpecificInteraction, GeneralInteraction),
    "neighbor_finder": (NeighborFinder,),
    "exclusions": (Exclusions,),
    "constraints": (Module,),
    "units": (UnitSystem,),
}


def several(given: Any) -> tuple[Any, ...]:
    """Return what was given as a tuple, one given alone included."""
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def check_parts(**parts: tuple[Any, ...]) -> None:
    """Raise `TypeError` for a value that is not an instance of what its argument takes."""
    for name, values in parts.items():
        for value in values:
            if isinstance(value, type):
                raise TypeError(
                    f"`{name}`: pass an instance, {value.__name__}(...), not the class."
                )
            if not isinstance(value, TYPES[name]):
                wanted = " or ".join(cls.__name__ for cls in TYPES[name])
                raise TypeError(f"`{name}` = {value!r} must be of the type {wanted}.")
