"""The triclinic boundary: a cell of three vectors in lower triangular form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from xpmd.boundary import Boundary
from xpmd.concrete import concrete
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
        vectors = magnitude(vectors, "length")
        known = concrete(vectors)
        if known is not None:
            _check(known)
        rows = [
            (vectors[k] if isinstance(vectors, (list, tuple)) else vectors[k, :]) for k in range(3)
        ]
        entries = tuple(rows[a][b] for a in range(3) for b in range(a + 1))
        object.__setattr__(self, "entries", entries)

    @classmethod
    def from_lengths_angles(cls, lengths: Sequence[float], angles: Sequence[float]) -> Self:
        """Build the cell from side lengths (nm) and the angles bc, ac, ab (radian)."""
        (a, b, c), (alpha, beta, gamma) = lengths, angles
        cx = c * math.cos(beta)
        cy = c * (math.cos(alpha) - math.cos(beta) * math.cos(gamma)) / math.sin(gamma)
        cz = math.sqrt(c * c - cx * cx - cy * cy)
        return cls([[a, 0.0, 0.0], [b * math.cos(gamma), b * math.sin(gamma), 0.0], [cx, cy, cz]])

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
        ax, bx, by, cx, cy, cz = self.entries
        x, y, z = displacement
        along_c = xp.round(z / cz)
        x, y, z = x - along_c * cx, y - along_c * cy, z - along_c * cz
        along_b = xp.round(y / by)
        x, y = x - along_b * bx, y - along_b * by
        return x - xp.round(x / ax) * ax, y, z

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


def _check(rows: Any) -> None:
    if not (isinstance(rows, list) and [len(row) for row in rows] == [3, 3, 3]):
        raise ValueError(f"`vectors` must be three rows of three numbers (nm), got {rows}.")
    if rows[0][1] or rows[0][2] or rows[1][2]:
        raise ValueError(
            f"`vectors` = {rows} must be lower triangular: rotate the cell so that a lies on x and "
            "b in the xy plane (from_lengths_angles does it)."
        )
    if not all(rows[k][k] > 0 and math.isfinite(rows[k][k]) for k in range(3)):
        raise ValueError(f"`vectors` = {rows} must have positive, finite diagonal entries.")
