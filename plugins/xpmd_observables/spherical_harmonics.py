"""Real spherical harmonics of unit vectors, written as polynomials: no angle, no pole."""

from __future__ import annotations

import math
from typing import Any

Array = Any


def spherical_harmonics(degree: int, x: Array, y: Array, z: Array) -> list[Array]:
    """Return Y_lm for m = -l ... l, orthonormal on the sphere, of components of unit vectors.

    Y_l,m  = sqrt(2) N_lm Re (x + i y)^m P_lm(z), Y_l,-m the same with the imaginary part, for m > 0;
    Y_l,0 = N_l0 P_l0(z), where P_lm(z) is the associated Legendre function without the factor
    (1 - z^2)^(m/2), found by recursion in l.

    Reference: Press et al., Numerical Recipes (2007), 6.7.
    """
    powers: list[tuple[Any, Any]] = [(1.0, 0.0)]
    for _ in range(degree):
        real, imaginary = powers[-1]
        powers.append((real * x - imaginary * y, real * y + imaginary * x))
    negative, positive = [], []
    for m in range(degree + 1):
        norm = math.sqrt(
            (2 * degree + 1)
            / (4 * math.pi)
            * math.factorial(degree - m)
            / math.factorial(degree + m)
        )
        legendre = norm * _legendre(degree, m, z)
        if m == 0:
            positive.append(legendre)
        else:
            real, imaginary = powers[m]
            positive.append(math.sqrt(2.0) * legendre * real)
            negative.append(math.sqrt(2.0) * legendre * imaginary)
    return negative[::-1] + positive


def _legendre(degree: int, m: int, z: Array) -> Array:
    """Return P_lm(z) / (1 - z^2)^(m/2), without the sign (-1)^m."""
    before: Any = 0.0
    now: Any = float(math.prod(range(1, 2 * m, 2))) + 0.0 * z
    for k in range(m + 1, degree + 1):
        before, now = now, (z * now * (2 * k - 1) - before * (k + m - 1)) / (k - m)
    return now
