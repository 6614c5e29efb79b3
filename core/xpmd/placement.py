"""Starting coordinates: atoms at random in a box, none too close to another."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any

from xpmd.array_like import float_array_like
from xpmd.backend import backend_of
from xpmd.boundary import Boundary
from xpmd.noise import PLACEMENT_STREAM, host_noise
from xpmd.units import UnitSystem, magnitude, molar

_BLOCK = 1024

# Random sequential insertion comes to a stop at these fractions of the box covered by spheres of
# diameter `min_dist`: Renyi 1958 on a line, Feder 1980 in a plane and in space.
_JAMMING = {1: 0.7476, 2: 0.547, 3: 0.384}


def place_atoms(
    n_atoms: int,
    boundary: Boundary,
    min_dist: Any,
    seed: int = 0,
    max_attempts: int = 100,
    like: Any = None,
    *,
    units: UnitSystem = molar,
) -> Any:
    """Place atoms one after another at random, none closer than `min_dist` to another's image.

    The same seed gives the same coordinates on every array library. No gradient is defined.

    Args:
        n_atoms: how many.
        boundary: a box without open sides.
        min_dist: smallest distance of two atoms under the periodic images, nm.
        seed: 0 <= seed < 2**64.
        max_attempts: how often in a row a place for the next atom may be refused.
        like: an array of the library, float type and device wanted; NumPy float64 if left out.
        units: units of a `min_dist` given as a quantity.

    Returns:
        Coordinates `(n_atoms, d)` inside the cell, nm.

    Raises:
        ValueError: not all atoms fitted, or the box is infinite.
    """
    n_atoms, max_attempts = operator.index(n_atoms), operator.index(max_attempts)
    distance = float(magnitude(min_dist, "length", units, name="min_dist"))
    if n_atoms < 0:
        raise ValueError(f"`n_atoms` = {n_atoms} must be zero or positive")
    if max_attempts < 1:
        raise ValueError(f"`max_attempts` = {max_attempts} must be 1 or more")
    if not (math.isfinite(distance) and distance >= 0.0):
        raise ValueError(f"`min_dist` = {distance} must be finite and zero or positive")
    vectors = boundary.cell_vectors()
    if vectors is None:
        raise ValueError(
            f"`boundary` has the sides {boundary.side_lengths()}: atoms cannot be placed in an "
            "infinite box. Give every side a finite length, known when atoms are placed"
        )
    grid = _Grid(vectors, boundary.widths(), distance, n_atoms)
    candidates = _candidates(seed, boundary.dimensions)
    n_refused = 0
    while len(grid.coords) < n_atoms:
        if grid.insert(next(candidates)):
            n_refused = 0
            continue
        n_refused += 1
        if n_refused == max_attempts:
            raise ValueError(_no_room(n_atoms, grid, max_attempts, boundary))
    flat = [component for position in grid.coords for component in position]
    coords = float_array_like(flat, like)
    return backend_of(coords).xp(coords).reshape(coords, (n_atoms, boundary.dimensions))


def _candidates(seed: int, dimensions: int) -> Iterator[list[float]]:
    """Yield endless fractional coordinates, uniform in the cell, drawn in blocks."""
    for block in itertools.count():
        noise = host_noise(seed, PLACEMENT_STREAM, step=block)
        yield from noise.uniform(0, (_BLOCK, dimensions)).tolist()


class _Grid:
    """Atoms sorted into cells no narrower than `distance`, so that only close ones are compared.

    Neighboring cells are taken with the image they are met in, so every image counts, whatever the
    shape of the box and however few cells it has.
    """

    def __init__(
        self, vectors: list[list[float]], widths: tuple[float, ...], distance: float, n_atoms: int
    ) -> None:
        self.coords: list[list[float]] = []
        self.distance = distance
        self._axes = range(len(vectors))
        self._vectors = vectors
        self._members: dict[int, list[list[float]]] = {}
        # More cells than atoms along a side only cost memory.
        at_most = 2 + 2 * math.ceil(n_atoms ** (1.0 / len(vectors)))
        self._counts = [
            max(1, min(at_most, math.floor(width / distance))) if distance else 1
            for width in widths
        ]
        self._adjacent = [self._adjacent_along(axis, widths[axis]) for axis in self._axes]

    def _adjacent_along(self, axis: int, width: float) -> list[list[tuple[int, int]]]:
        """Return the cells next to each cell of an axis: (part of the key, whole boxes away)."""
        n_cells = self._counts[axis]
        stride = math.prod(self._counts[:axis])
        reach = max(1, math.ceil(self.distance / (width / n_cells)))
        return [
            [
                ((cell + offset) % n_cells * stride, (cell + offset) // n_cells)
                for offset in range(-reach, reach + 1)
            ]
            for cell in range(n_cells)
        ]

    def insert(self, fraction: list[float]) -> bool:
        """Add an atom at a fractional position if it has room there; return whether it had."""
        vectors, axes, distance = self._vectors, self._axes, self.distance
        position = [sum(fraction[k] * vectors[k][a] for k in axes) for a in axes]
        cell = [min(n - 1, int(u * n)) for u, n in zip(fraction, self._counts, strict=True)]
        adjacent = [along[c] for along, c in zip(self._adjacent, cell, strict=True)]
        key = sum(c * math.prod(self._counts[:k]) for k, c in enumerate(cell))
        if distance:
            members = self._members
            for parts in itertools.product(*adjacent):
                others = members.get(sum([part[0] for part in parts]))
                if others is None:
                    continue
                images = [part[1] for part in parts]
                seen_from = position
                if any(images):
                    seen_from = [
                        position[a] - sum(images[k] * vectors[k][a] for k in axes) for a in axes
                    ]
                if any(math.dist(seen_from, other) < distance for other in others):
                    return False
        self._members.setdefault(key, []).append(position)
        self.coords.append(position)
        return True


def _no_room(n_atoms: int, grid: _Grid, max_attempts: int, boundary: Boundary) -> str:
    d = boundary.dimensions
    distance = grid.distance
    ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1) * (distance / 2) ** d
    fraction = n_atoms * ball / float(boundary.volume())
    message = (
        f"only {len(grid.coords)} of `n_atoms` = {n_atoms} fitted at `min_dist` = {distance} into "
        f"the box with sides {boundary.side_lengths()}: `max_attempts` = {max_attempts} tries in a "
        "row found no room for the next. Lower `n_atoms` or `min_dist`, enlarge the box"
    )
    if fraction < _JAMMING[d]:
        return message + ", or raise `max_attempts`"
    return message + (
        f" (spheres of this diameter would fill {fraction:.2f} of it, and placing at random comes "
        f"to a stop near {_JAMMING[d]:.2f})"
    )
