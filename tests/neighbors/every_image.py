"""Pairs by looking at every image: the oracle of the neighbor lists, in boxes of every kind."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import xpmd as md
from backends_in_turn import installed
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import build_neighbors, plan_neighbors
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder

OPEN = math.inf


@dataclass(frozen=True)
class Box:
    """A boundary, and the same cell as rows of numbers for the oracle."""

    boundary: md.Boundary
    vectors: Any
    periodic: Any

    def spread(self, length: float) -> Any:
        """Return cell vectors in which open directions are `length` long."""
        return np.where(self.periodic[:, None], self.vectors, length * self.vectors)


def right_angled(*sides: float) -> Box:
    """Return a box, or in two dimensions a rectangle; `OPEN` sides do not repeat."""
    kind = md.CubicBoundary if len(sides) == 3 else md.RectangularBoundary
    closed = np.isfinite(sides)
    return Box(kind(*sides), np.diag(np.where(closed, sides, 1.0)), closed)


def tilted(vectors: list[list[float]]) -> Box:
    """Return a triclinic box."""
    return Box(md.TriclinicBoundary(vectors), np.array(vectors), np.array([True] * 3))


#: Boxes by the structure of their boundary, for a list cutoff of 1 nm.
GROUPS = {
    "closed": {
        "cube": right_angled(5.0, 5.0, 5.0),
        "unequal sides": right_angled(2.5, 4.0, 6.5),
        "one cell": right_angled(1.9, 1.9, 1.9),
        "two cells": right_angled(2.0, 2.9, 2.5),
        "three cells": right_angled(3.0, 3.1, 3.9),
        "many slabs": right_angled(3.5, 3.5, 9.0),
        "few slabs": right_angled(3.2, 3.3, 2.1),
    },
    "tilted": {
        "tilted": tilted([[4.0, 0.0, 0.0], [1.5, 4.0, 0.0], [-1.0, 1.2, 4.0]]),
        "leaning": tilted([[4.0, 0.0, 0.0], [1.9, 4.0, 0.0], [-1.9, 1.9, 4.0]]),
        "far from reduced": tilted([[4.0, 0.0, 0.0], [3.5, 4.0, 0.0], [-5.0, 6.0, 4.0]]),
    },
    "one open side": {
        "open last": right_angled(3.0, 4.0, OPEN),
    },
    "two open sides": {"open first and last": right_angled(OPEN, 4.0, OPEN)},
    "open": {"open": right_angled(OPEN, OPEN, OPEN)},
    "rectangle": {
        "rectangle": right_angled(4.0, 5.5),
        "narrow rectangle": right_angled(2.0, 2.2),
    },
    "strip": {"strip": right_angled(4.0, OPEN)},
    "plane": {"plane": right_angled(OPEN, OPEN)},
}
BOXES = {name: box for group in GROUPS.values() for name, box in group.items()}


def arrangements(box: Box, n_atoms: int, *, seed: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield coordinates of atoms, spread and clustered, inside the cell, on its faces and far off."""
    random = np.random.default_rng(seed)
    d = len(box.vectors)
    even = random.random((n_atoms, d))
    thin, line = even.copy(), np.full((n_atoms, d), 0.3)
    thin[:, -1] *= 0.05
    line[:, 0] = even[:, 0]
    normal = random.standard_normal((n_atoms, d))
    faces = random.choice([-1.0, 0.0, 0.25, 0.5, 1.0], (n_atoms, d))
    for name, fractional in {
        "random": even,
        "clustered": 0.5 + 0.02 * normal,
        "cluster across a corner": 0.03 * normal,
        "slab": thin,
        "line": line,
        "many boxes away": even + random.integers(-20, 20, (n_atoms, d)),
        "on the faces": faces,
        "all at one place": np.tile(even[:1], (n_atoms, 1)),
    }.items():
        yield name, fractional @ box.spread(8.0)
    yield "gas", even @ box.spread(1000.0)


def pair_distances(coords: Any, box: Box) -> Any:
    """Return the distances `(n, n)` of the nearest images, right up to the smallest width, nm.

    A vector no longer than the distance between two faces reaches at most one cell from face to face,
    so that of the images with a fractional part below one half only the next are to be looked at.
    """
    coords = np.asarray(coords, dtype=np.float64)
    inverse = np.linalg.inv(box.vectors)
    difference = (coords[:, None] - coords[None, :]) @ inverse
    difference = np.where(box.periodic, difference - np.round(difference), difference)
    nearest = np.full(difference.shape[:2], np.inf)
    for image in itertools.product(*((-1, 0, 1) if repeats else (0,) for repeats in box.periodic)):
        vector = (difference + np.array(image)) @ box.vectors
        nearest = np.minimum(nearest, np.sqrt((vector**2).sum(axis=-1)))
    return nearest


def listed(neighbors: Any, on: md.Backend) -> Any:
    """Return the list as a matrix `(n, n)` of how often a pair is seen: once from each end, i < j."""
    known = on.to_numpy
    n_atoms = neighbors.reference.shape[0]
    seen = np.zeros((n_atoms, n_atoms), dtype=int)
    if neighbors.layout == "half":
        first, second = known(neighbors.first), known(neighbors.second)
        mask = np.ones(len(first), bool) if neighbors.mask is None else known(neighbors.mask)
        np.add.at(seen, (first[mask], second[mask]), 1)
        return np.triu(seen + seen.T) + np.diag(np.diag(seen))
    mask = known(neighbors.mask)
    numbers = on.asarray(range(n_atoms), dtype=on.capabilities.index_dtype)
    ends = (known(of(numbers)) for of in (neighbors.of_first, neighbors.of_second))
    np.add.at(seen, tuple(np.broadcast_to(end, mask.shape)[mask] for end in ends), 1)
    assert (seen == seen.T).all(), "a pair is seen from one end only"
    return np.triu(seen)


def system_of(
    box: Box, coords: Any, finder: md.NeighborFinder, exclusions: md.Exclusions | None = None
) -> md.System:
    """Return a System that does nothing but list neighbors."""
    return md.System(
        atoms=md.Atoms(mass=1.0),
        coords=coords,
        boundary=box.boundary,
        interactions=[Onlooker()],
        neighbor_finder=finder,
        exclusions=exclusions,
    )


def lists(
    finder: md.NeighborFinder,
    cases: list[tuple[Any, Box]],
    on: md.Backend,
    *,
    dtype: str = "float64",
    exclusions: md.Exclusions | None = None,
) -> Iterator[Any]:
    """Yield the list for each case as a matrix of how often each pair i < j is in it.

    Where code is compiled, it is so once, for a plan with room for the most demanding case.

    Args:
        cases: coordinates of as many atoms, in boxes whose boundaries have one structure.
    """
    systems = [
        system_of(box, on.asarray(np.asarray(coords, dtype=dtype), dtype=dtype), finder, exclusions)
        for coords, box in cases
    ]
    plans = [plan_neighbors(system, system.coords) for system in systems]
    if on.capabilities.jit:
        plans = [largest(plans)] * len(plans)
    spec = flatten(systems[0])[1]
    list_specs: dict[Any, Any] = {}

    def builder(plan: Any) -> Any:
        def build(*leaves: Any) -> tuple[Any, ...]:
            system = unflatten(spec, leaves)
            found = build_neighbors(system, system.coords, plan, xp=on.xp(*leaves))
            arrays, list_specs[plan] = flatten(found)
            return tuple(arrays)

        return on.jit(build)

    builders = {plan: builder(plan) for plan in set(plans)}
    for system, plan in zip(systems, plans, strict=True):
        arrays = builders[plan](*flatten(system)[0])
        found = unflatten(list_specs[plan], arrays)
        assert not bool(found.overflow)
        yield listed(found, on)


def largest(plans: list[Any]) -> Any:
    """Return a plan with room for what each plan has room for."""
    if not isinstance(plans[0], tuple):
        return max(plans)
    parts = [largest(list(each)) for each in zip(*plans, strict=True)]
    kind = type(plans[0])
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


class Onlooker(md.GeneralInteraction):
    """An interaction that asks for neighbors and does nothing with them."""

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        """Return zero."""
        return 0.0 * xp.sum(coords)


def finders(cutoff: float, box: Box) -> dict[str, md.NeighborFinder]:
    """Return every finder that fits a box, by name."""
    known = {
        "all pairs": AllPairs(),
        "host": DistanceNeighborFinder(cutoff=cutoff),
        "numpy": DistanceNeighborFinder(cutoff=cutoff, method="numpy"),
        "cells": CellListNeighborFinder(cutoff=cutoff),
    }
    whole = box.periodic.all() or not box.periodic.any()
    if installed("numba") and 3.01 * cutoff <= min(box.boundary.widths()):
        known["numba"] = DistanceNeighborFinder(cutoff=cutoff, method="numba")
    if len(box.vectors) == 3 and whole:
        known["vesin"] = DistanceNeighborFinder(cutoff=cutoff, method="vesin")
    if (
        not isinstance(box.boundary, md.TriclinicBoundary)
        and cutoff < min(box.boundary.widths()) / 2
    ):
        known["scipy"] = DistanceNeighborFinder(cutoff=cutoff, method="scipy")
    return known
