"""Atoms in every kind of box, for neighbor finders: crowded, sparse, on the faces and outside."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xpmd.noise import host_noise
from xpmd.orthorhombic_boundary import CubicBoundary, RectangularBoundary
from xpmd.testing.agreement import host_namespace
from xpmd.triclinic_boundary import TriclinicBoundary

Array = Any

_STREAM = 47


class Crowd(NamedTuple):
    """Atoms in a box, and what is special about them."""

    label: str
    coords: Array
    boundary: Any


def crowds(cutoff: float) -> list[Crowd]:
    """Return atoms in boxes that a cutoff, nm, fits in."""
    side, inf = 3.4 * cutoff, math.inf
    cube, tight = CubicBoundary(side), CubicBoundary(2.01 * cutoff)
    slab = CubicBoundary(side, 1.2 * side, inf)
    flat = RectangularBoundary(side, 1.1 * side)
    skewed = TriclinicBoundary(
        [[side, 0.0, 0.0], [0.4 * side, 0.9 * side, 0.0], [-0.3 * side, 0.2 * side, side]]
    )
    xp = host_namespace()
    fractions = _uniform(36, 3, 0)
    faces = xp.asarray(
        [
            [0.0, 0.0, 0.0],
            [side, side, side],
            [0.0, side, 0.5 * side],
            [side * (1.0 - 1e-16), 0.0, 0.5 * side],
            [-1e-17, 0.3 * side, 0.0],
            [0.5 * side, 0.5 * side, 0.5 * side],
        ]
    )
    images = xp.floor(5.0 * _uniform(36, 3, 1)) - 2.0
    return [
        Crowd("in a cubic box", side * fractions, cube),
        Crowd("in a box of two cutoffs", 2.01 * cutoff * fractions, tight),
        Crowd("outside the box", side * (fractions + images), cube),
        Crowd("on the faces of the box", faces, cube),
        Crowd("in one corner", 0.3 * cutoff * fractions, cube),
        Crowd("without a box", 3.0 * side * (fractions - 0.5), CubicBoundary(inf)),
        Crowd("in a box with one open side", side * fractions, slab),
        Crowd("in the plane", side * _uniform(30, 2, 2), flat),
        Crowd("in a triclinic box", side * (fractions + 0.3), skewed),
        Crowd("of two atoms", 0.4 * cutoff * fractions[:2, :], cube),
        Crowd("of one atom", side * fractions[:1, :], cube),
        Crowd("of no atoms", side * fractions[:0, :], cube),
    ]


def lattice(crowd: Crowd) -> Array:
    """Return places as far from each other as the box allows, for as many atoms as in a crowd."""
    xp = host_namespace()
    n_atoms, dimensions = crowd.coords.shape
    n_side = math.ceil(n_atoms ** (1.0 / dimensions))
    places = xp.stack(
        [part.reshape(-1) for part in xp.meshgrid(*[xp.arange(n_side)] * dimensions)], axis=-1
    )[:n_atoms, :]
    return places * (min(crowd.boundary.side_lengths()) / n_side)


def pairs_within(crowd: Crowd, cutoff: float, boundary: Any) -> tuple[set[Any], set[Any]]:
    """Return the pairs closer than a cutoff, and those for which rounding decides."""
    xp = host_namespace()
    coords = crowd.coords
    first, second = xp.triu_indices(coords.shape[0], k=1)
    gaps = [coords[first, k] - coords[second, k] for k in range(coords.shape[1])]
    distances = xp.sqrt(sum(part * part for part in boundary.nearest(gaps, xp=xp)))
    unsure = xp.abs(distances - cutoff) < 1e-9 * cutoff if math.isfinite(cutoff) else first < 0
    return (
        _pairs(first, second, (distances <= cutoff) & ~unsure),
        _pairs(first, second, unsure),
    )


def _pairs(first: Array, second: Array, chosen: Array) -> set[Any]:
    return set(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))


def _uniform(n_atoms: int, dimensions: int, step: int) -> Array:
    return host_noise(0, _STREAM, step).uniform(0, (n_atoms, dimensions))
