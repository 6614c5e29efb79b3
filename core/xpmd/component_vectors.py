"""Products of vectors that are kept as one array a component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Array = Any
Vector = Sequence[Array]


def dot(p: Vector, q: Vector) -> Array:
    """Return p . q."""
    total = p[0] * q[0]
    for a, b in zip(p[1:], q[1:], strict=True):
        total = total + a * b
    return total


def cross(p: Vector, q: Vector) -> Vector:
    """Return p x q, in the plane its one component."""
    if len(p) == 2:
        return [p[0] * q[1] - p[1] * q[0]]
    return [
        p[1] * q[2] - p[2] * q[1],
        p[2] * q[0] - p[0] * q[2],
        p[0] * q[1] - p[1] * q[0],
    ]
