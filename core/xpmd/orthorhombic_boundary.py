"""Boundaries with right angles: a box in three dimensions, a rectangle in two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from xpmd.boundary import Boundary
from xpmd.concrete import concrete, concrete_numbers, plain_number, require_scalar
from xpmd.module import static
from xpmd.units import magnitude

Array = Any


class OrthorhombicBoundary(Boundary):
    """Right-angled cell; a side of `inf` leaves its direction open."""

    sides: tuple[Array, ...]
    open_sides: tuple[bool, ...] = static()

    n_sides: ClassVar[int] = 3
    list_limit: ClassVar[float] = math.inf

    def __init__(self, *sides: Any) -> None:
        name, wanted = type(self).__name__, self.n_sides
        sides = tuple(magnitude(side, "length", name="side") for side in sides)
        if len(sides) == 1 and len(getattr(sides[0], "shape", ())) == 1:
            sides = tuple(sides[0][k] for k in range(sides[0].shape[0]))
        elif len(sides) == 1 and isinstance(sides[0], (list, tuple)):
            sides = tuple(sides[0])
        if len(sides) == 1:
            sides = sides * wanted
        if len(sides) != wanted:
            raise ValueError(f"{name} takes one side or {wanted} (nm), got {len(sides)}.")
        for side in sides:
            require_scalar("side", side)
        sides = tuple(plain_number(side) for side in sides)
        known = [concrete(side) for side in sides]
        for length in concrete_numbers(known):
            if not length > 0:
                raise ValueError(
                    f"{name}: `side` = {length} must be positive (inf leaves it open)."
                )
        object.__setattr__(self, "sides", sides)
        opened = tuple(length is not None and math.isinf(length) for length in known)
        object.__setattr__(self, "open_sides", opened)

    def replace(self, **changes: Any) -> Self:
        """Return a boundary of the same kind with other `sides`."""
        if set(changes) != {"sides"}:
            raise TypeError(f"{type(self).__name__}.replace takes `sides`, got {sorted(changes)}.")
        return type(self)(*changes["sides"])

    @property
    def dimensions(self) -> int:
        return self.n_sides

    @property
    def periodic(self) -> tuple[bool, ...]:
        return tuple(not opened for opened in self.open_sides)

    def nearest(self, displacement: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        # Products with inverses: a division of every pair would cost some of them half their time.
        return tuple(
            part if opened else part - xp.round(part * (1.0 / side)) * side
            for part, side, opened in zip(displacement, self.sides, self.open_sides, strict=True)
        )

    def fractional(self, position: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        return tuple(
            part if opened else part * (1.0 / side)
            for part, side, opened in zip(position, self.sides, self.open_sides, strict=True)
        )

    def shift(
        self, position: Sequence[Array], images: Sequence[Array | None], *, xp: Any
    ) -> tuple[Array, ...]:
        return tuple(
            part if image is None else part - image * side
            for part, image, side in zip(position, images, self.sides, strict=True)
        )

    def volume(self) -> Array:
        product = self.sides[0]
        for side in self.sides[1:]:
            product = product * side
        return product

    def cell_vectors(self) -> list[list[float]] | None:
        lengths = self.side_lengths()
        if any(math.isinf(length) for length in lengths):
            return None
        axes = range(self.n_sides)
        return [[lengths[a] if a == b else 0.0 for b in axes] for a in axes]

    def side_lengths(self) -> tuple[float, ...]:
        known = [concrete(side) for side in self.sides]
        return tuple(math.inf if length is None else float(length) for length in known)

    def widths(self) -> tuple[float, ...]:
        return self.side_lengths()


class CubicBoundary(OrthorhombicBoundary):
    """Box in three dimensions: `CubicBoundary(3.0)` or `CubicBoundary(3.0, 4.0, math.inf)`, nm."""

    n_sides: ClassVar[int] = 3

    # Type checkers would otherwise take the fields for arguments.
    def __init__(self, *sides: Any) -> None:
        super().__init__(*sides)


class RectangularBoundary(OrthorhombicBoundary):
    """Rectangle in two dimensions: `RectangularBoundary(4.0, 5.0)`, nm."""

    n_sides: ClassVar[int] = 2

    # Type checkers would otherwise take the fields for arguments.
    def __init__(self, *sides: Any) -> None:
        super().__init__(*sides)
