"""Which leaf of a System is which, and which of them a derivative is wanted for.

Forces are a function of the coordinates and of the leaves of a System. Every interaction adds to the
cotangents of the leaves it uses; here they find their places.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from xpmd.module import flatten, unflatten

Array = Any
Arrays = tuple[Any, ...]


class LeafMap:
    """The leaves of a System by number, and which of them a derivative is wanted for.

    Args:
        system: the System; its coordinates and velocities are no parameters of the forces.
        wanted: one flag a leaf; all float leaves if left out.

    Attributes:
        leaves: the leaves.
        numbers: the System with the number of each leaf in its place.
        wanted: one flag a leaf.
    """

    def __init__(self, system: Any, wanted: Sequence[bool] | None = None) -> None:
        self.leaves, self.spec = flatten(system)
        name = system.backend.dtype_name
        is_float = tuple("float" in name(leaf) for leaf in self.leaves)
        flags = is_float if wanted is None else tuple(wanted)
        self.numbers, self.wanted = _numbered(self.spec, is_float, flags)

    def __len__(self) -> int:
        return len(self.leaves)

    def part(self, component: Any, numbers: Any) -> Part:
        """Return the wanted leaves of a component of the System.

        Args:
            component: the component, or a tuple of several.
            numbers: the same component of `self.numbers`.
        """
        leaves, spec = flatten(component)
        places, _ = flatten(numbers)
        wanted = [k for k, place in enumerate(places) if self.wanted[place]]
        return Part(
            tuple(leaves[k] for k in wanted), tuple(places[k] for k in wanted), leaves, spec, wanted
        )


@functools.lru_cache(maxsize=64)
def _numbered(
    spec: Any, is_float: tuple[bool, ...], flags: tuple[bool, ...]
) -> tuple[Any, tuple[bool, ...]]:
    """Return a System with numbers for leaves, and which of them are wanted; the same every step."""
    numbers = unflatten(spec, list(range(len(is_float))))
    outside = {numbers.coords, numbers.velocities}
    wanted = tuple(
        flag and floating and k not in outside
        for k, (flag, floating) in enumerate(zip(flags, is_float, strict=True))
    )
    return numbers, wanted


class Part(NamedTuple):
    """The wanted leaves of one component."""

    values: Arrays
    places: tuple[int, ...]
    leaves: list[Any]
    spec: Any
    wanted: list[int]

    def with_values(self, values: Sequence[Array]) -> Any:
        """Return the component with its wanted leaves replaced."""
        leaves = list(self.leaves)
        for k, value in zip(self.wanted, values, strict=True):
            leaves[k] = value
        return unflatten(self.spec, leaves)


class Cotangents:
    """A sum of cotangents for each leaf; `None` where nothing was added."""

    def __init__(self, size: int) -> None:
        self.values: list[Array | None] = [None] * size

    def add(self, place: int, value: Array | None) -> None:
        """Add a cotangent of the leaf at a place."""
        if value is None:
            return
        old = self.values[place]
        self.values[place] = value if old is None else old + value

    def add_all(self, places: Sequence[int], values: Sequence[Array | None]) -> None:
        """Add cotangents of several leaves."""
        for place, value in zip(places, values, strict=True):
            self.add(place, value)
