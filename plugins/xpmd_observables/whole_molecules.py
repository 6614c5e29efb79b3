"""Molecules put together again after the boundary has split them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from xpmd.boundary import Boundary
from xpmd.concrete import concrete
from xpmd.observables.positions import positions
from xpmd.system import System

Array = Any


def whole(where: Any, bonds: Any = None, *, boundary: Boundary | None = None) -> Any:
    """Return a System, or positions `(n, d)`, in which bonded atoms are nearest images.

    Each atom takes the image nearest to the atom it is bonded to, from the first atom of a molecule
    outwards; only whole cell vectors are added, and they are differentiated by the box. For
    observables that take coordinates as they are:

        md.Observe(lambda system: md.radius_of_gyration(whole(system, bonds)))

    Args:
        where: a System, or positions, nm.
        bonds: numbers of atoms `(m, 2)`, any number of molecules; a chain 0-1-2-... if left out.
        boundary: the box of an array of positions.
    """
    place = positions(where, boundary)
    parents, depth = _parents(place.n_atoms, bonds)
    if place.boundary is None or depth == 0:
        return where
    xp = place.xp
    above = place.index("bonds", parents)
    parts = place.components()
    steps = [part - xp.take(part, above, axis=0) for part in parts]
    # What has to be added to an atom when its parent stays. Parents move too, so sums along the way
    # to the first atom are needed; doubling the stride each time takes log2(depth) rounds.
    shifts = [near - step for near, step in zip(place.nearest(steps), steps, strict=True)]
    reached = 1
    while reached < depth:
        shifts = [shift + xp.take(shift, above, axis=0) for shift in shifts]
        above = xp.take(above, above, axis=0)
        reached *= 2
    coords = xp.stack([part + shift for part, shift in zip(parts, shifts, strict=True)], axis=-1)
    return where.with_fields(coords=coords) if isinstance(where, System) else coords


def _parents(n_atoms: int, bonds: Any) -> tuple[list[int], int]:
    """Return the atom each one is placed by, itself for a first one, and the longest way to it."""
    if bonds is None:
        return [max(atom - 1, 0) for atom in range(n_atoms)], n_atoms - 1
    known = concrete(bonds)
    if not isinstance(known, list) or any(
        not isinstance(pair, list) or len(pair) != 2 for pair in known
    ):
        raise ValueError(
            f"`bonds` = {bonds!r} must be pairs of numbers of atoms that are known now."
        )
    partners: list[list[int]] = [[] for _ in range(n_atoms)]
    for one, other in known:
        for atom in (one, other):
            if not 0 <= atom < n_atoms:
                raise ValueError(
                    f"`bonds` names atom {atom:g}; there are atoms 0 to {n_atoms - 1} here."
                )
        partners[int(one)].append(int(other))
        partners[int(other)].append(int(one))
    return _outwards(partners)


def _outwards(partners: Sequence[Sequence[int]]) -> tuple[list[int], int]:
    parents = [-1] * len(partners)
    longest = 0
    for first in range(len(partners)):
        if parents[first] >= 0:
            continue
        parents[first] = first
        waiting = deque([(first, 0)])
        while waiting:
            atom, depth = waiting.popleft()
            longest = max(longest, depth)
            for other in partners[atom]:
                if parents[other] < 0:
                    parents[other] = atom
                    waiting.append((other, depth + 1))
    return parents, longest
