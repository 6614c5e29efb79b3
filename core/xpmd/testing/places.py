"""Where the atoms of a sample are: at random, and away from everything where an energy may jump."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from xpmd.noise import host_noise
from xpmd.orthorhombic_boundary import CubicBoundary, RectangularBoundary
from xpmd.placement import place_atoms
from xpmd.testing.agreement import host_namespace
from xpmd.triclinic_boundary import TriclinicBoundary

Array = Any

#: Pairs keep this far from the cutoff, and from the distance where another image comes nearer.
_MARGIN = 0.01
_ATTEMPTS = 300
_STREAM = 43


def scattered(n_atoms: int, boundary: Any, length: float, reach: float | None) -> Array:
    """Return positions `(n, d)` in the box, no two atoms closer than 0.4 of a length, nm."""
    closed = boundary if math.isfinite(max(boundary.side_lengths())) else _closed(boundary, length)
    refused: ValueError | None = None
    for seed in range(_ATTEMPTS):
        try:
            coords = place_atoms(n_atoms, closed, 0.4 * length, seed=seed)
        except ValueError as error:
            refused = error
            break
        if _clear(coords, boundary, reach):
            return coords
    raise ValueError(_no_room(n_atoms, boundary)) from refused


def _closed(boundary: Any, length: float) -> Any:
    sides = [2.2 * length if math.isinf(side) else side for side in boundary.side_lengths()]
    if len(sides) == 2:
        return type(boundary)(*sides)
    return CubicBoundary(*sides)


def chain(n_atoms: int, boundary: Any, length: float, reach: float | None) -> Array:
    """Return positions `(n, d)` of atoms about a length apart in a row that is never straight."""
    del reach
    xp = host_namespace()
    for seed in range(_ATTEMPTS):
        coords = xp.stack(list(_walk(n_atoms, boundary.dimensions, length, seed)))
        gaps = coords[:, None, :] - coords[None, :, :]
        distances = xp.sqrt(xp.sum(gaps * gaps, axis=-1)) + xp.eye(n_atoms) * length
        if float(xp.min(distances)) > 0.7 * length and _clear(coords, boundary, None):
            return coords
    raise ValueError(_no_room(n_atoms, boundary))


def _walk(n_atoms: int, dimensions: int, length: float, seed: int) -> Iterator[Array]:
    xp = host_namespace()
    # From just inside a corner of the box, so that terms reach across its faces.
    place, before = xp.full(dimensions, 0.1 * length), xp.zeros(dimensions)
    for k in range(n_atoms):
        yield place
        noise = host_noise(seed, _STREAM, k)
        for draw in range(8):
            step = noise.normal(0, (dimensions,), draw)
            step = step / xp.sqrt(xp.sum(step * step))
            if abs(float(xp.sum(step * before))) < 0.8:
                break
        place = place + (0.9 + 0.3 * float(noise.uniform(0, (1,))[0])) * length * step
        before = step


def _clear(coords: Array, boundary: Any, reach: float | None) -> bool:
    """Return whether all pairs keep away from the cutoff and from half the box."""
    xp = host_namespace()
    first, second = (xp.asarray(part) for part in xp.triu_indices(coords.shape[0], k=1))
    gaps = [coords[first, a] - coords[second, a] for a in range(boundary.dimensions)]
    nearest = boundary.nearest(gaps, xp=xp)
    if reach is not None:
        distances = xp.sqrt(sum(part * part for part in nearest))
        if bool(xp.any(xp.abs(distances - reach) < _MARGIN * reach)):
            return False
    for part, repeats in zip(boundary.fractional(nearest, xp=xp), boundary.periodic, strict=True):
        if repeats and bool(xp.any(xp.abs(xp.abs(part) - 0.5) < _MARGIN)):
            return False
    return True


def deformed(boundary: Any, deformation: Array) -> Any:
    """Return a box whose cell vectors v, the rows, have become v times a matrix."""
    vectors = boundary.cell_vectors()
    if vectors is None:
        vectors = [
            [side if a == b else 0.0 for b in range(boundary.dimensions)]
            for a, side in enumerate(boundary.side_lengths())
        ]
    axes = range(boundary.dimensions)
    rows = [
        [
            # A side that is open stays so: infinity times zero is not asked for.
            sum(row[c] * float(deformation[c, b]) for c in axes if row[c] and deformation[c, b])
            for b in axes
        ]
        for row in vectors
    ]
    sides = [rows[k][k] for k in axes]
    if math.inf not in sides and any(rows[a][b] for a in axes for b in axes if a != b):
        return TriclinicBoundary(rows)
    return CubicBoundary(*sides) if len(sides) == 3 else RectangularBoundary(*sides)


def deformations(boundary: Any) -> list[tuple[int, int]]:
    """Return the entries of a strain under which a box remains one: stretches, and some shears.

    A cell in space stays lower triangular under a strain that is, and open space is open under any.
    """
    axes = range(boundary.dimensions)
    if not any(boundary.periodic):
        return [(a, b) for a in axes for b in axes]
    shears = boundary.dimensions == 3 and all(boundary.periodic)
    return [(a, b) for a in axes for b in axes if a == b or (shears and b < a)]


def _no_room(n_atoms: int, boundary: Any) -> str:
    return (
        f"No places were found for {n_atoms} atoms in {type(boundary).__name__} of sides "
        f"{boundary.side_lengths()} nm: give `coords`, or another `length`."
    )
