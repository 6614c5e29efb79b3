"""A boundary says which image of an atom another atom sees, and where the box ends."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from xpmd.module import Module, flatten, unflatten

Array = Any


class Boundary(Module):
    """Base of the boundaries; lengths in nm.

    Displacements travel as one array per component, because an array of short vectors costs five
    times as much on every backend.
    """

    #: Up to how many times the smallest width `shortest_squared` is exact.
    list_limit: ClassVar[float] = 1.0

    @property
    def dimensions(self) -> int:
        """Number of dimensions of space."""
        raise NotImplementedError

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Which directions repeat."""
        raise NotImplementedError

    def nearest(self, displacement: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        """Return the components of the shortest image of a displacement."""
        raise NotImplementedError

    def shortest_squared(self, displacement: Sequence[Array], *, xp: Any) -> Array:
        """Return the squared length of the shortest image, exact at least up to the smallest width.

        `nearest` may be exact up to half of it only, which is enough for forces; a neighbor list
        reaches further.
        """
        first, *others = self.nearest(displacement, xp=xp)
        return sum((part * part for part in others), first * first)

    def fractional(self, position: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        """Return coordinates along the cell vectors: 1 is a whole vector, open directions stay nm."""
        raise NotImplementedError

    def shift(
        self, position: Sequence[Array], images: Sequence[Array | None], *, xp: Any
    ) -> tuple[Array, ...]:
        """Move a position back by whole numbers of cell vectors, `None` for open directions."""
        raise NotImplementedError

    def volume(self) -> Array:
        """Return the volume in nm^d."""
        raise NotImplementedError

    def cell_vectors(self) -> list[list[float]] | None:
        """Return the cell vectors as rows of numbers; `None` if a side is open or unknown now."""
        raise NotImplementedError

    def side_lengths(self) -> tuple[float, ...]:
        """Return the extent along each axis as numbers, `inf` where open."""
        raise NotImplementedError

    def widths(self) -> tuple[float, ...]:
        """Return the distances between opposite faces as numbers, `inf` where open or unknown."""
        raise NotImplementedError

    def array_widths(self) -> list[Array | None]:
        """Return the widths as arrays, known or not, `None` where open.

        The gradient of a fractional coordinate is as long as one over the width.
        """
        axes = range(self.dimensions)
        # fractional() wants no more of a position than arithmetic, so plain numbers will do.
        slopes: list[Any] = [
            self.fractional([1.0 if a == b else 0.0 for b in axes], xp=None) for a in axes
        ]
        return [
            sum(slopes[a][k] ** 2 for a in axes) ** -0.5 if repeats else None
            for k, repeats in enumerate(self.periodic)
        ]

    def wrap(self, coords: Array, *, xp: Any) -> Array:
        """Return coordinates `(n, d)` moved into the cell by whole cell vectors."""
        position = [coords[..., k] for k in range(self.dimensions)]
        images = [
            xp.floor(part) if repeats else None
            for part, repeats in zip(self.fractional(position, xp=xp), self.periodic, strict=True)
        ]
        return xp.stack(self.shift(position, images, xp=xp), axis=-1)

    def displacement(self, start: Array, end: Array, *, xp: Any = None) -> Array:
        """Return end - start under the minimum image.

        Args:
            start, end: positions `(..., d)`, nm.
            xp: namespace of the arrays; found from them if left out.
        """
        if xp is None:
            from xpmd.backend import backend_of

            return _displacements(backend_of(start, end), *flatten(self), start, end)
        difference = end - start
        parts = [difference[..., k] for k in range(self.dimensions)]
        return xp.stack(self.nearest(parts, xp=xp), axis=-1)


def _displacements(
    backend: Any, leaves: Sequence[Any], spec: Any, start: Array, end: Array
) -> Array:
    """Return end - start in a box, as one compiled function where the backend compiles."""
    if backend.capabilities.jit:
        return _compiled_displacements(backend, spec)(start, end, *leaves)
    # A derivative may be taken with respect to the box and not the positions.
    box = (side for side in leaves if backend.is_array(side))
    xp = backend.xp(start, end, *box)
    boundary: Boundary = unflatten(spec, leaves)
    return boundary.displacement(start, end, xp=xp)


@functools.lru_cache(maxsize=64)
def _compiled_displacements(backend: Any, spec: Any) -> Callable[..., Array]:
    def displaced(start: Array, end: Array, *leaves: Array) -> Array:
        boundary: Boundary = unflatten(spec, leaves)
        return boundary.displacement(start, end, xp=backend.xp(start, end, *leaves))

    compiled: Callable[..., Array] = backend.jit(displaced)
    return compiled


class StrainedBoundary(Boundary):
    """A boundary deformed by a small strain, x -> x (1 + strain), right to first order in it.

    Exists to take the derivative of an energy with respect to strain, for any boundary.
    """

    base: Boundary
    strain: Array

    @property
    def dimensions(self) -> int:
        return self.base.dimensions

    @property
    def periodic(self) -> tuple[bool, ...]:
        return self.base.periodic

    def _deform(self, parts: Sequence[Array], sign: float) -> tuple[Array, ...]:
        axes = range(len(parts))
        return tuple(
            parts[b] + sum(sign * parts[a] * self.strain[a, b] for a in axes) for b in axes
        )

    def nearest(self, displacement: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        return self._deform(self.base.nearest(self._deform(displacement, -1.0), xp=xp), 1.0)

    def fractional(self, position: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        return self.base.fractional(self._deform(position, -1.0), xp=xp)

    def shift(
        self, position: Sequence[Array], images: Sequence[Array | None], *, xp: Any
    ) -> tuple[Array, ...]:
        return self._deform(self.base.shift(self._deform(position, -1.0), images, xp=xp), 1.0)

    def volume(self) -> Array:
        trace = sum(self.strain[a, a] for a in range(self.dimensions))
        return self.base.volume() * (1.0 + trace)

    def cell_vectors(self) -> list[list[float]] | None:
        return self.base.cell_vectors()

    def side_lengths(self) -> tuple[float, ...]:
        return self.base.side_lengths()

    def widths(self) -> tuple[float, ...]:
        return self.base.widths()
