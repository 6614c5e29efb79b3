"""Distances, angles and dihedrals of bonded atoms, with their derivatives.

Each is a function of a few displacement vectors, the arms. The derivative with respect to an arm gives
both the forces at its ends and its share of the virial.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from xpmd.component_vectors import cross, dot

Array = Any
Vector = Sequence[Array]


class Arm(NamedTuple):
    """A displacement from one atom of a term to another, and d(coordinate)/d(displacement)."""

    start: int
    end: int
    vector: Vector
    slope: Vector


def distance(points: Sequence[Vector], boundary: Any, *, xp: Any) -> tuple[Array, list[Arm]]:
    """Return r = |x_1 - x_0| and its arm; the slope is zero at r = 0."""
    d = _between(points[0], points[1], boundary, xp)
    squared = dot(d, d)
    r = _safe_sqrt(squared, xp)
    inverse = _safe_inverse(r, xp)
    return r, [Arm(0, 1, d, [part * inverse for part in d])]


def angle(points: Sequence[Vector], boundary: Any, *, xp: Any) -> tuple[Array, list[Arm]]:
    """Return the angle at the middle atom, atan2(|u x v|, u.v), radian.

    Close to 0 and pi this keeps the digits that arccos loses. The slope is zero for collinear atoms.
    """
    u = _between(points[1], points[0], boundary, xp)
    v = _between(points[1], points[2], boundary, xp)
    uu, vv, uv = dot(u, u), dot(v, v), dot(u, v)
    normal = cross(u, v)
    area = _safe_sqrt(dot(normal, normal), xp)
    inverse = _safe_inverse(area, xp)
    along_u, along_v = inverse * _safe_inverse(uu, xp), inverse * _safe_inverse(vv, xp)
    slope_u = [(a * uv - b * uu) * along_u for a, b in zip(u, v, strict=True)]
    slope_v = [(b * uv - a * vv) * along_v for a, b in zip(u, v, strict=True)]
    # An arm of no length makes no angle; 0 is as good, and has a derivative where atan2(0, 0) has none.
    cosine = xp.where((area > 0) | (uv != 0), uv, xp.ones_like(uv))
    return xp.atan2(area, cosine), [Arm(1, 0, u, slope_u), Arm(1, 2, v, slope_v)]


def dihedral(points: Sequence[Vector], boundary: Any, *, xp: Any) -> tuple[Array, list[Arm]]:
    """Return the dihedral angle in (-pi, pi], IUPAC sign, radian.

    Derivatives after Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996); zero where three of the
    atoms are collinear.
    """
    f = _between(points[1], points[0], boundary, xp)
    g = _between(points[2], points[1], boundary, xp)
    h = _between(points[2], points[3], boundary, xp)
    a, b = cross(f, g), cross(h, g)
    aa, bb = dot(a, a), dot(b, b)
    length = _safe_sqrt(dot(g, g), xp)
    per_length = _safe_inverse(length, xp)
    valid = (aa > 0) & (bb > 0)
    per_a, per_b = _safe_inverse(aa, xp), _safe_inverse(bb, xp)
    sine = dot(cross(b, a), g) * per_length
    cosine = dot(a, b)
    ones = xp.ones_like(cosine)
    phi = xp.atan2(xp.where(valid, sine, 0.0 * ones), xp.where(valid, cosine, ones))
    usable = xp.where(valid, ones, 0.0 * ones)
    fg, hg = dot(f, g) * per_length * per_a * usable, dot(h, g) * per_length * per_b * usable
    slope_f = [-length * per_a * usable * part for part in a]
    slope_h = [length * per_b * usable * part for part in b]
    slope_g = [fg * p - hg * q for p, q in zip(a, b, strict=True)]
    return phi, [Arm(1, 0, f, slope_f), Arm(2, 1, g, slope_g), Arm(2, 3, h, slope_h)]


#: The coordinate of a term by its number of atoms.
COORDINATES = {2: distance, 3: angle, 4: dihedral}


def _between(start: Vector, end: Vector, boundary: Any, xp: Any) -> Vector:
    return boundary.nearest([b - a for a, b in zip(start, end, strict=True)], xp=xp)  # type: ignore[no-any-return]


def _safe_sqrt(squared: Array, xp: Any) -> Array:
    """Square root with derivative zero at zero: the argument is masked, then the result."""
    positive = squared > 0
    root = xp.sqrt(xp.where(positive, squared, xp.ones_like(squared)))
    return xp.where(positive, root, xp.zeros_like(squared))


def _safe_inverse(value: Array, xp: Any) -> Array:
    """1/value, and zero at zero."""
    positive = value > 0
    inverse = 1.0 / xp.where(positive, value, xp.ones_like(value))
    return xp.where(positive, inverse, xp.zeros_like(value))
