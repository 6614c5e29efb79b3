"""Keeping a neighbor list right: when to rebuild it, and what to do when it is too small."""

from __future__ import annotations

import math
from typing import Any

from xpmd.backend import Backend
from xpmd.errors import NeighborOverflowError
from xpmd.module import flatten, unflatten
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_list import NeighborList

Array = Any

#: How often a list may be found too small in a row before something else must be wrong.
MOST_ENLARGEMENTS = 20

#: Above this many atoms a list of all pairs is no stand-in for one whose size is unknown.
MOST_ATOMS_ALL_PAIRS = 1024


def uses_neighbors(system: Any) -> bool:
    """Return whether any interaction looks at the neighbor list."""
    return bool(system.pairwise) or any(i.needs_neighbors for i in system.general)


def plan_neighbors(system: Any, coords: Array) -> Any:
    """Return a plan for a list at `coords`; `None` if their values are unknown and none was given."""
    if not uses_neighbors(system):
        return None
    return system.neighbor_finder.plan(
        coords, system.boundary, system.exclusions, backend=system.backend
    )


def build_neighbors(system: Any, coords: Array, plan: Any, *, xp: Any) -> NeighborList:
    """Return the list at `coords` for a plan; no gradient passes."""
    backend: Backend = system.backend
    coords = backend.stop_gradient(coords)
    if not uses_neighbors(system):
        none = system.index[:0]
        no = backend.asarray(False, dtype="bool", device=backend.device_of(coords))
        zero = backend.asarray(0, dtype="int32", device=backend.device_of(coords))
        return NeighborList(none, none, None, zero, no, coords, layout="half")
    boundary = constant(system.boundary, backend)
    return system.neighbor_finder.build(  # type: ignore[no-any-return]
        coords, boundary, system.exclusions, plan, backend=backend, xp=backend.xp(coords)
    )


def constant(component: Any, backend: Backend) -> Any:
    """Return a component whose arrays carry no gradient."""
    leaves, structure = flatten(component)
    return unflatten(structure, [backend.stop_gradient(leaf) for leaf in leaves])


def is_stale(system: Any, coords: Array, neighbors: NeighborList, t: Any, *, xp: Any) -> Any:
    """Return whether the list must be rebuilt before forces at `coords` are computed.

    A pair can have come within reach unseen once two atoms have together moved the whole skin, so the
    list holds as long as none has moved half of it.
    """
    backend: Backend = system.backend
    finder: NeighborFinder = system.neighbor_finder
    boundary = constant(system.boundary, backend)
    difference = backend.stop_gradient(coords) - neighbors.reference
    parts = boundary.nearest([difference[:, k] for k in range(boundary.dimensions)], xp=xp)
    moved = xp.max(sum(part * part for part in parts))
    limit: Any = 0.0
    reaches = [
        getattr(interaction, "reach", None)
        for interaction in (*system.pairwise, *(g for g in system.general if g.needs_neighbors))
    ]
    if all(reach is not None for reach in reaches):
        skins = [finder.reach - backend.stop_gradient(reach) for reach in reaches]
        for k, skin in enumerate(skins):
            half = 0.25 * skin * skin
            limit = half if k == 0 else _smaller(limit, half, xp)
    stale = moved > limit
    if finder.every is not None:
        due = t % finder.every == 0
        if isinstance(due, bool):
            return True if due else stale
        stale = stale | due
    return stale


def _smaller(first: Any, second: Any, xp: Any) -> Any:
    if isinstance(first, float) and isinstance(second, float):
        return min(first, second)
    return xp.where(first < second, first, second)


def neighbors_of(system: Any) -> tuple[NeighborList, Any]:
    """Return a list for a System as it stands, and the namespace of its arrays.

    Where nothing is known of the coordinates and the finder has no capacity, all pairs are listed.

    Raises:
        NeighborOverflowError: no capacity suffices, or too many atoms for all pairs.
    """
    backend: Backend = system.backend
    xp = namespace_of(system)
    finder = system.neighbor_finder
    plan = plan_neighbors(system, system.coords)
    unknown = plan is None and uses_neighbors(system) and math.isfinite(finder.reach)
    if unknown:
        if system.n_atoms > MOST_ATOMS_ALL_PAIRS:
            raise NeighborOverflowError(
                f"The size of the neighbor list of {system.n_atoms} atoms is unknown while their "
                "coordinates are traced. Give the neighbor finder a `capacity`."
            )
        system = system.with_fields(neighbor_finder=NeighborFinder())
    for _ in range(MOST_ENLARGEMENTS):
        neighbors = build_neighbors(system, system.coords, plan, xp=xp)
        if backend.is_traced(neighbors.overflow) or not bool(neighbors.overflow):
            return neighbors, xp
        plan = finder.enlarge(plan, neighbors)
    raise NeighborOverflowError(f"{type(finder).__name__} overflowed at every capacity tried.")


def namespace_of(system: Any) -> Any:
    """Return the namespace for all arrays of a System."""
    leaves, _ = flatten(system)
    return system.backend.xp(*leaves)
