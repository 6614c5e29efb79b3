"""Mixing rules: the parameter of a pair from those of its two atoms."""

from __future__ import annotations

from typing import Any

Array = Any


def lorentz(first: Array, second: Array, *, xp: Any) -> Array:
    """Arithmetic mean, (a + b)/2."""
    return (first + second) * 0.5


def geometric(first: Array, second: Array, *, xp: Any) -> Array:
    """Geometric mean, sqrt(a b); its derivative is taken as zero where the product is zero."""
    product = first * second
    positive = product > 0
    root = xp.sqrt(xp.where(positive, product, xp.ones_like(product)))
    return xp.where(positive, root, xp.zeros_like(product))


def product(first: Array, second: Array, *, xp: Any) -> Array:
    """Product, a b, for charges."""
    return first * second


def inverse(first: Array, second: Array, *, xp: Any) -> Array:
    """Harmonic mean, 2/(1/a + 1/b)."""
    return 2.0 / (1.0 / first + 1.0 / second)


def minimum(first: Array, second: Array, *, xp: Any) -> Array:
    """The smaller of the two."""
    return xp.minimum(first, second)


def sixth_power(first: Array, second: Array, *, xp: Any) -> Array:
    """Waldman-Hagler rule for a diameter, ((a^6 + b^6)/2)^(1/6) (J. Comput. Chem. 14, 1077, 1993)."""
    return ((first**6 + second**6) * 0.5) ** (1.0 / 6.0)


def fender_halsey(first: Array, second: Array, *, xp: Any) -> Array:
    """Fender-Halsey rule for a well depth, 2ab/(a + b) (J. Chem. Phys. 36, 1881, 1962)."""
    return 2.0 * first * second / (first + second)
