"""The triclinic boundary: a cell of three vectors in lower triangular form."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, Self

from xpmd.boundary import Boundary
from xpmd.concrete import concrete, plain_number, require_numbers
from xpmd.units import magnitude

Array = Any


class TriclinicBoundary(Boundary):
    """Cell of three vectors a, b, c as the rows of a lower triangular matrix, nm.

    The shortest image is found by whole vectors, c first, then b, then a. That is exact for every
    distance below half the smallest width, which a System asks of every cutoff.
    """

    # ax, bx, by, cx, cy, cz
    entries: tuple[Array, Array, Array, Array, Array, Array]

    def __init__(self, vectors: Any) -> None:
        vectors = magnitude(vectors, "length", name="vectors")
        require_numbers("vectors", vectors)
        rows = _rows(vectors)
        known = concrete(rows)
        if known is not None:
            _check(known)
        entries = tuple(plain_number(rows[a][b]) for a in range(3) for b in range(a + 1))
        object.__setattr__(self, "entries", entries)

    @classmethod
    def from_lengths_angles(cls, lengths: Sequence[float], angles: Sequence[float]) -> Self:
        """Build the cell from side lengths (nm) and the angles bc, ac, ab (radian).

        Gradients reach the lengths; the angles are plain numbers.
        """
        a, b, c = (magnitude(length, "length", name="lengths") for length in lengths)
        known = [magnitude(angle, "angle", name="angles") for angle in angles]
        if not all(isinstance(angle, numbers.Real) for angle in known):
            raise TypeError(
                f"`angles` = {angles!r} must be three plain numbers (radian); give `vectors` to "
                "differentiate with respect to the shape of the cell."
            )
        alpha, beta, gamma = (float(angle) for angle in known)
        across, x, y = math.sin(gamma), math.cos(beta), math.nan
        if all(0.0 < angle < math.pi for angle in known):
            y = (math.cos(alpha) - x * math.cos(gamma)) / across
        if not x * x + y * y < 1.0:
            raise ValueError(
                f"`angles` = {angles!r} (radian) span no cell: each must lie between 0 and pi and "
                "below the sum of the other two, and together they must stay below 2 pi."
            )
        z = math.sqrt(1.0 - x * x - y * y)
        return cls([[a, 0.0, 0.0], [b * math.cos(gamma), b * across, 0.0], [c * x, c * y, c * z]])

    def replace(self, **changes: Any) -> Self:
        """Return a triclinic boundary with other `vectors`."""
        if set(changes) != {"vectors"}:
            raise TypeError(f"TriclinicBoundary.replace takes `vectors`, got {sorted(changes)}.")
        return type(self)(changes["vectors"])

    @property
    def dimensions(self) -> int:
        return 3

    @property
    def periodic(self) -> tuple[bool, ...]:
        return (True, True, True)

    def nearest(self, displacement: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        *_, cx, cy, cz = self.entries
        x, y, z = displacement
        # Products with inverses: a division of every pair would cost some of them half their time.
        along_c = xp.round(z * (1.0 / cz))
        return self._nearest_in_plane((x - along_c * cx, y - along_c * cy, z - along_c * cz), xp=xp)

    def shortest_squared(self, displacement: Sequence[Array], *, xp: Any) -> Array:
        # An image within the smallest width lies on one of the two nearest lattice planes along c, and
        # there on one of the two nearest rows along b.
        ax, bx, by, cx, cy, cz = self.entries
        x, y, z = self.nearest(displacement, xp=xp)
        side = xp.sign(z)
        found: Array = None
        for on_plane in (
            (x, y, z),
            self._nearest_in_plane((x - side * cx, y - side * cy, z - side * cz), xp=xp),
        ):
            u, v, w = on_plane
            row = xp.sign(v)
            for p, q in ((u, v), (u - row * bx, v - row * by)):
                p = p - xp.round(p * (1.0 / ax)) * ax
                squared = p * p + q * q + w * w
                found = squared if found is None else xp.where(squared < found, squared, found)
        return found

    def _nearest_in_plane(self, displacement: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        """Return the displacement shortened along b, then a."""
        ax, bx, by, *_ = self.entries
        x, y, z = displacement
        along_b = xp.round(y * (1.0 / by))
        x, y = x - along_b * bx, y - along_b * by
        return x - xp.round(x * (1.0 / ax)) * ax, y, z

    def fractional(self, position: Sequence[Array], *, xp: Any) -> tuple[Array, ...]:
        ax, bx, by, cx, cy, cz = self.entries
        x, y, z = position
        w = z / cz
        v = (y - w * cy) / by
        return (x - v * bx - w * cx) / ax, v, w

    def shift(
        self, position: Sequence[Array], images: Sequence[Array | None], *, xp: Any
    ) -> tuple[Array, ...]:
        ax, bx, by, cx, cy, cz = self.entries
        x, y, z = position
        u, v, w = images
        return x - u * ax - v * bx - w * cx, y - v * by - w * cy, z - w * cz

    def volume(self) -> Array:
        return self.entries[0] * self.entries[2] * self.entries[5]

    def cell_vectors(self) -> list[list[float]] | None:
        known = concrete(list(self.entries))
        if known is None:
            return None
        ax, bx, by, cx, cy, cz = known
        return [[ax, 0.0, 0.0], [bx, by, 0.0], [cx, cy, cz]]

    def side_lengths(self) -> tuple[float, ...]:
        known = concrete(list(self.entries))
        return (math.inf,) * 3 if known is None else (known[0], known[2], known[5])

    def widths(self) -> tuple[float, ...]:
        vectors = self.cell_vectors()
        if vectors is None:
            return (math.inf,) * 3
        a, b, c = vectors
        volume = a[0] * b[1] * c[2]
        return tuple(volume / math.hypot(*_cross(p, q)) for p, q in ((b, c), (c, a), (a, b)))


def _cross(p: Sequence[float], q: Sequence[float]) -> tuple[float, float, float]:
    return p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]


def _rows(vectors: Any) -> list[list[Any]]:
    """Return three vectors, given as nested lists, a list of arrays or one array, as numbers."""
    shape = getattr(vectors, "shape", None)
    if shape is not None:
        if tuple(shape) != (3, 3):
            raise ValueError(f"`vectors` has shape {tuple(shape)}; {_WANTED}.")
        return [[vectors[a, b] for b in range(3)] for a in range(3)]
    sizes = [_length(row) for row in vectors] if isinstance(vectors, (list, tuple)) else []
    if sizes != [3, 3, 3]:
        raise ValueError(f"`vectors` = {vectors!r}; {_WANTED}.")
    return [[row[k] for k in range(3)] for row in vectors]


_WANTED = "it must be three rows of three numbers, nm"


def _length(row: Any) -> int:
    return len(row) if isinstance(row, (list, tuple)) else int((*getattr(row, "shape", ()), 0)[0])


def _check(rows: list[list[float]]) -> None:
    if not all(math.isfinite(entry) for row in rows for entry in row):
        raise ValueError(f"`vectors` = {rows} must be finite; CubicBoundary can have open sides.")
    if rows[0][1] or rows[0][2] or rows[1][2]:
        raise ValueError(
            f"`vectors` = {rows} must be lower triangular: rotate the cell so that a lies on x and "
            "b in the xy plane (from_lengths_angles does it)."
        )
    if not all(rows[k][k] > 0 for k in range(3)):
        raise ValueError(f"`vectors` = {rows} must have positive diagonal entries.")
