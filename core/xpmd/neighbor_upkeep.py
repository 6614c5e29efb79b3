"""Keeping a neighbor list right: when to rebuild it, and what to do when it is too small."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from xpmd.backend import Backend
from xpmd.boundary import Boundary
from xpmd.errors import NeighborOverflowError
from xpmd.module import flatten, unflatten
from xpmd.neighbor_building import built
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_list import PAST_MENDING, NeighborList
from xpmd.remembered_plans import remember_plan, remembered_plan
from xpmd.strain import strain_size, strained

Array = Any

#: How often a list may be found too small in a row before something else must be wrong.
MOST_ENLARGEMENTS = 20

#: Above this many atoms a list of all pairs is no stand-in for one whose size is unknown.
MOST_ATOMS_ALL_PAIRS = 1024

#: Cutoffs and widths are compared up to the rounding of single precision.
_ROUNDING = 1e-6


def uses_neighbors(system: Any) -> bool:
    """Return whether any interaction looks at the neighbor list."""
    return bool(system.pairwise) or any(i.needs_neighbors for i in system.general)


def plan_neighbors(system: Any, coords: Array) -> Any:
    """Return a plan for a list at `coords`; `None` if their values are unknown and none was given."""
    if not uses_neighbors(system):
        return None
    backend: Backend = system.backend
    # What is differentiated, but not compiled, has values once nobody follows it.
    coords, boundary = backend.stop_gradient(coords), constant(system.boundary, backend)
    return system.neighbor_finder.plan(coords, boundary, system.exclusions, backend=backend)


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
    found = built(backend, (system.neighbor_finder, boundary, system.exclusions), coords, plan)
    return _marked(system, boundary, found)


def narrowed(system: Any, neighbors: NeighborList) -> NeighborList:
    """Return the list of a System whose box has changed, past mending if it is too narrow by now.

    The list may still hold all pairs, as one without a cutoff always does: nearest images are wrong.
    """
    xp = system.backend.xp(neighbors.overflow)
    boundary = constant(system.boundary, system.backend)
    marked = _marked(system, boundary, neighbors)
    # A list that is of use knows the box it was built in; of one that is not, the box is the reason.
    (before, spec), (now, _) = flatten(neighbors.box), flatten(boundary)
    box = [xp.where(marked.overflow, b, a) for a, b in zip(before, now, strict=True)]
    return marked.with_fields(box=unflatten(spec, box))


def _marked(system: Any, boundary: Boundary, neighbors: NeighborList) -> NeighborList:
    """Return a list with its box, past mending if it is of no use in there."""
    unfit = neighbors.overflow != neighbors.overflow
    for flag in _too_short(system, boundary):
        unfit = unfit | flag
    xp = system.backend.xp(neighbors.count)
    count = xp.where(unfit, xp.full_like(neighbors.count, PAST_MENDING), neighbors.count)
    return neighbors.with_fields(box=boundary, overflow=neighbors.overflow | unfit, count=count)


def remembering(before: NeighborList, neighbors: NeighborList, *, backend: Backend) -> NeighborList:
    """Return a list that is unfit if one before it was, and counts what either would have needed."""
    xp = backend.xp(neighbors.count)
    more = before.count > neighbors.count
    return neighbors.with_fields(
        overflow=before.overflow | neighbors.overflow,
        count=xp.where(more, before.count, neighbors.count),
    )


def _reaches(system: Any) -> list[Any]:
    """Return how far each interaction looks, `None` if that is not said; no gradient passes."""
    backend = system.backend
    users = (*system.pairwise, *(each for each in system.general if each.needs_neighbors))
    reaches = [getattr(each, "reach", None) for each in users]
    return [backend.stop_gradient(r) if backend.is_array(r) else r for r in reaches]


def _too_short(system: Any, boundary: Boundary) -> Iterator[Any]:
    """Yield whether an interaction looks further than the list, or the box has become too narrow.

    A System refuses both when it is made, but a cutoff may be unknown then, and a box may shrink.
    """
    finder = system.neighbor_finder
    listed = math.isfinite(finder.reach)
    widths = [width * (1 + _ROUNDING) for width in boundary.array_widths() if width is not None]
    if listed and math.isfinite(boundary.list_limit):
        for width in widths:
            yield finder.reach > boundary.list_limit * width
    for reach in _reaches(system):
        if reach is None:
            continue
        if listed:
            yield reach > finder.reach * (1 + _ROUNDING)
        for width in widths:
            yield 2 * reach > width


def constant(component: Any, backend: Backend) -> Any:
    """Return a component whose arrays carry no gradient."""
    leaves, structure = flatten(component)
    return unflatten(structure, [backend.stop_gradient(leaf) for leaf in leaves])


def is_stale(system: Any, coords: Array, neighbors: NeighborList, t: Any, *, xp: Any) -> Any:
    """Return whether the list must be rebuilt before forces at `coords` are computed.

    A pair that is not listed was beyond the list's cutoff C. If the box has since been strained by A
    and no atom has strayed further than u from where A alone would have put it, the pair now is beyond
    s C - 2 u, where s is the least factor by which A changes a length. So the list holds for an
    interaction of reach R as long as 2 u <= s C - R; in a fixed box, half the skin.
    """
    backend: Backend = system.backend
    finder: NeighborFinder = system.neighbor_finder
    boundary = constant(system.boundary, backend)
    coords = backend.stop_gradient(coords)
    reference, shrunk = neighbors.reference, 1.0
    if neighbors.box is not None and not _same(neighbors.box, boundary, backend):
        reference = strained(reference, neighbors.box, boundary, xp=xp)
        shrunk = 1.0 - strain_size(neighbors.box, boundary)
    difference = coords - reference
    parts = boundary.nearest([difference[:, k] for k in range(boundary.dimensions)], xp=xp)
    squared = sum(part * part for part in parts)
    strayed = xp.max(squared) ** 0.5 if squared.shape[0] else 0.0 * xp.sum(coords)
    stale = strayed < 0.0
    for reach in _reaches(system):
        needed = finder.reach if reach is None else reach
        stale = stale | (2.0 * strayed > shrunk * finder.reach - needed)
    if finder.every is None:
        return stale
    due = t % finder.every == 0
    if isinstance(due, bool):
        return True if due else stale
    return stale | due


def _same(before: Boundary, after: Boundary, backend: Backend) -> bool:
    """Return whether a box is known to be what it was, which spares small systems half the upkeep."""
    if backend.capabilities.jit:
        return False
    pairs = zip(flatten(before)[0], flatten(after)[0], strict=True)
    return all(a is b or bool(backend.xp(a).all(a == b)) for a, b in pairs)


def neighbors_of(system: Any) -> tuple[NeighborList, Any]:
    """Return a list for a System as it stands, and the namespace of its arrays.

    Where nothing is known of the coordinates and the finder has no capacity, all pairs are listed.

    Raises:
        NeighborOverflowError: no capacity suffices, or too many atoms for all pairs.
    """
    backend: Backend = system.backend
    xp = namespace_of(system)
    finder, coords = system.neighbor_finder, backend.stop_gradient(system.coords)
    leaves, spec = flatten(system)
    structure = (backend, spec, tuple(tuple(leaf.shape) for leaf in leaves))
    known = not backend.is_traced(coords)
    plan = remembered_plan(structure) if known else None
    if plan is None:
        plan = plan_neighbors(system, coords)
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
        if backend.is_traced(neighbors.overflow):
            return neighbors, xp
        if not bool(neighbors.overflow):
            if known:
                remember_plan(structure, finder, plan, neighbors)
            return neighbors, xp
        plan = finder.enlarge(plan, neighbors)
    raise NeighborOverflowError(f"{type(finder).__name__} overflowed at every capacity tried.")


def poisoned(value: Array, system: Any, neighbors: NeighborList) -> Array:
    """Return `value`, NaN if the list it was computed from is unfit, where that is unknown now."""
    backend: Backend = system.backend
    if not backend.is_traced(neighbors.overflow):
        return value
    xp = backend.xp(value)
    return xp.where(neighbors.overflow, xp.nan + xp.zeros_like(value), value)


def namespace_of(system: Any) -> Any:
    """Return the namespace for all arrays of a System."""
    leaves, _ = flatten(system)
    return system.backend.xp(*leaves)
