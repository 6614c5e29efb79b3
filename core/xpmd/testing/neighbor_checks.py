"""What a neighbor list has to hold, in boxes of every kind, with exclusions and when it is too small."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from unittest import SkipTest

from xpmd.atoms import Atoms
from xpmd.backend import Backend
from xpmd.cutoffs import DistanceCutoff
from xpmd.exclusions import Exclusions
from xpmd.module import flatten, unflatten
from xpmd.neighbor_finder import NeighborFinder
from xpmd.neighbor_list import NeighborList
from xpmd.properties import potential_energy
from xpmd.simulate import simulate
from xpmd.system import System
from xpmd.testing.agreement import SAME, on_host, require_close
from xpmd.testing.backends_at_hand import first_usable, moved, usable
from xpmd.testing.check import ConformanceError
from xpmd.testing.crowds import Crowd, crowds, lattice, pairs_within
from xpmd.testing.liquid import PlainVerlet, SoftSpheres, liquid

Array = Any

_MOST_ENLARGEMENTS = 20


def _length(finder: NeighborFinder) -> float:
    return finder.reach if math.isfinite(finder.reach) else 1.0


def _system(crowd: Crowd, on: Backend, exclusions: Exclusions | None = None) -> System:
    return System(
        atoms=Atoms(),
        coords=on.asarray(crowd.coords, dtype="float64"),
        boundary=moved(crowd.boundary, on, "float64"),
        exclusions=exclusions,
    )


def _built(finder: NeighborFinder, system: System, plan: Any) -> NeighborList:
    """Return a list, built in compiled code where there is any, as in a run."""
    return _builder(finder, system, plan)(system.coords)


def _builder(
    finder: NeighborFinder, system: System, plan: Any, calls: list[int] | None = None
) -> Callable[[Array], NeighborList]:
    """Return `build` as a function of coordinates, compiled; `calls` grows where it is traced."""
    on = system.backend
    kept: list[Any] = []

    def arrays(coords: Array) -> tuple[Array, ...]:
        if calls is not None:
            calls.append(1)
        box, excluded = system.boundary, system.exclusions
        found = finder.build(coords, box, excluded, plan, backend=on, xp=on.xp(coords))
        leaves, spec = flatten(found)
        kept.append(spec)
        return tuple(leaves)

    compiled = on.jit(arrays)

    def build(coords: Array) -> NeighborList:
        leaves = compiled(coords)
        return unflatten(kept[-1], leaves)  # type: ignore[no-any-return]

    return build


def _plan(finder: NeighborFinder, system: System) -> Any:
    return finder.plan(system.coords, system.boundary, system.exclusions, backend=system.backend)


def _complete(finder: NeighborFinder, system: System, plan: Any, label: str) -> NeighborList:
    """Return a list that holds everything, enlarged as often as it takes."""
    for _ in range(_MOST_ENLARGEMENTS):
        found = _built(finder, system, plan)
        if not bool(found.overflow):
            return found
        plan = finder.enlarge(plan, found)
    raise ConformanceError(
        f"for atoms {label} the list still overflows after {_MOST_ENLARGEMENTS} calls of `enlarge`."
    )


def listed(neighbors: NeighborList, on: Backend, n_atoms: int, label: str) -> set[Any]:
    """Return the pairs in a list as `(i, j)`, i < j.

    Raises:
        ConformanceError: an index is out of range, or a pair is there too often or too rarely.
    """
    first, second = on.to_numpy(neighbors.first), on.to_numpy(neighbors.second)
    for word, rows in (("first", first), ("second", second)):
        if rows.size and n_atoms and not (rows.min() >= 0 and rows.max() < n_atoms):
            raise ConformanceError(
                f"for atoms {label} `{word}` holds {int(rows.max())}, and there are {n_atoms} atoms: "
                "padding, too, must name atoms that exist."
            )
    mask = None if neighbors.mask is None else on.to_numpy(neighbors.mask)
    if neighbors.layout == "half":
        chosen = first == first if mask is None else mask
        entries = list(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))
        times = 1
    else:
        numbers = on.asarray(range(n_atoms), dtype=on.capabilities.index_dtype)
        ends = [on.to_numpy(of(numbers)) for of in (neighbors.of_first, neighbors.of_second)]
        shape = (n_atoms, ends[1].shape[1])
        entries = [
            (int(ends[0][i, 0]), int(ends[1][i if len(ends[1]) > 1 else 0, j]))
            for i in range(shape[0])
            for j in range(shape[1])
            if mask is None or mask[i, j]
        ]
        times = 2
    counted = Counter((min(pair), max(pair)) for pair in entries)
    for (i, j), found in counted.items():
        if i == j:
            raise ConformanceError(f"for atoms {label} atom {i} is its own neighbor.")
        if found != times:
            raise ConformanceError(
                f"for atoms {label} the pair ({i}, {j}) is listed {found} times, and a list of layout "
                f"'{neighbors.layout}' holds each {times} times."
            )
    return set(counted)


def _require_pairs(
    finder: NeighborFinder, crowd: Crowd, neighbors: NeighborList, on: Backend
) -> None:
    """Raise unless every pair within reach is listed; pairs beyond it do no harm."""
    host_box = _system(crowd, first_usable(["numpy"])).boundary
    wanted, _ = pairs_within(crowd, finder.reach, host_box)
    found = listed(neighbors, on, int(crowd.coords.shape[0]), crowd.label)
    missing = sorted(wanted - found)
    if missing:
        raise ConformanceError(
            f"for atoms {crowd.label} on {on.name} {len(missing)} of {len(wanted)} pairs within "
            f"{finder.reach} nm are missing, such as {missing[0]}."
        )


def complete(finder: NeighborFinder, name: str) -> None:
    """Every pair within reach is listed once (from each end), in every kind of box."""
    on = usable(name)
    for crowd in crowds(_length(finder)):
        system = _system(crowd, on)
        neighbors = _complete(finder, system, _plan(finder, system), crowd.label)
        _require_pairs(finder, crowd, neighbors, on)


def exclusions(finder: NeighborFinder, name: str) -> None:
    """Excluded pairs are absent, and no others."""
    on = usable(name)
    crowd = crowds(_length(finder))[0]
    n_atoms = int(crowd.coords.shape[0])

    def pairs(excluded: Exclusions | None) -> set[Any]:
        system = _system(crowd, on, excluded)
        found = _complete(finder, system, _plan(finder, system), crowd.label)
        return listed(found, on, n_atoms, crowd.label)

    without = pairs(None)
    excluded = set(sorted(without)[::5])  # those that would be there
    kept = pairs(Exclusions([list(pair) for pair in sorted(excluded)]))
    if kept & excluded:
        raise ConformanceError(
            f"the excluded pairs {sorted(kept & excluded)} are listed on {name}."
        )
    lost = sorted(without - excluded - kept)
    if lost:
        raise ConformanceError(
            f"with exclusions the pairs {lost} are lost on {name}, none of which is excluded."
        )


def overflow(finder: NeighborFinder, name: str) -> None:
    """A list that is too small says so, and `enlarge` makes it large enough."""
    on = usable(name)
    every = crowds(_length(finder))
    crowd = next(each for each in every if each.label == "in one corner")
    sparse = crowd._replace(coords=lattice(crowd), label="far from each other")
    plan = _plan(finder, _system(sparse, on))
    system = _system(crowd, on)
    neighbors = _built(finder, system, plan)
    if not bool(neighbors.overflow):
        _require_pairs(finder, crowd, neighbors, on)
    _require_pairs(finder, crowd, _complete(finder, system, plan, crowd.label), on)


def compilation(finder: NeighborFinder, name: str) -> None:
    """Compiled once, `build` serves other coordinates, too."""
    on = usable(name)
    if not on.capabilities.jit:
        raise SkipTest(f"{name} compiles nothing.")
    crowd = crowds(_length(finder))[0]
    system = _system(crowd, on)
    plan = _plan(finder, system)
    traced: list[int] = []
    build = _builder(finder, system, plan, traced)
    for coords in (crowd.coords, crowd.coords[::-1, :]):
        neighbors = build(on.asarray(coords, dtype="float64"))
        if not bool(neighbors.overflow):
            _require_pairs(finder, crowd._replace(coords=coords), neighbors, on)
    if len(traced) != 1:
        raise ConformanceError(f"`build` was compiled {len(traced)} times for the same shapes.")


def gradients(finder: NeighborFinder, name: str) -> None:
    """Energy and gradient are those of a list of all pairs; none flows into the list."""
    on = usable(name)
    reach = 0.8 * _length(finder)
    crowd = crowds(_length(finder))[0]
    results = []
    for each in (finder, NeighborFinder()):
        system = System(
            atoms=Atoms(sigma=0.3 * reach, epsilon=1.0),
            coords=on.asarray(crowd.coords, dtype="float64"),
            boundary=moved(crowd.boundary, on, "float64"),
            interactions=[SoftSpheres(cutoff=DistanceCutoff(reach))],
            neighbor_finder=each,
        )

        def energy(x: Array, system: System = system) -> tuple[Array, tuple[Array, ...]]:
            return potential_energy(system.with_fields(coords=x)), ()

        value, (slope,), _ = on.value_and_grad(energy, (system.coords,))
        results.append((on_host(value), on_host(slope)))
    for what, found, wanted in zip(("E", "dE/dx"), *results, strict=True):
        require_close(
            f"{what} on {name}", found, wanted, wanted_is="with all pairs", relative=10.0 * SAME
        )


def upkeep(finder: NeighborFinder, names: Sequence[str]) -> None:
    """A run in which the list has to be made anew ends as one with all pairs does."""
    on = first_usable(names)
    ends = []
    for each in (finder, NeighborFinder()):
        system = liquid(on, n_atoms=8, temperature=3000.0)
        reach = 0.7
        if math.isfinite(each.reach):
            # The same finder, with a cutoff and a skin that fit the liquid.
            each = each.replace(cutoff=reach + 0.03)
        spheres = SoftSpheres()
        system = system.replace(neighbor_finder=each, interactions=(_shortened(spheres, reach),))
        ends.append(simulate(system, PlainVerlet(0.004), 40).system)
    require_close(
        "velocities after 40 steps",
        on_host(ends[0].velocities),
        on_host(ends[1].velocities),
        wanted_is="with all pairs",
        relative=1e-9,
    )


def _shortened(spheres: SoftSpheres, reach: float) -> SoftSpheres:
    cutoff: Any = spheres.cutoff
    return spheres.replace(cutoff=cutoff.replace(distance=reach))


def plan(finder: NeighborFinder, names: Sequence[str]) -> None:
    """Plans can be hashed and compared: they are part of what compiled code is kept under."""
    on = first_usable(names)
    crowd = crowds(_length(finder))[0]
    first, again = (_plan(finder, _system(crowd, on)) for _ in range(2))
    try:
        same = hash(first) == hash(again) and first == again
    except (TypeError, ValueError) as error:
        raise ConformanceError(
            f"`plan` returns {first!r}, which cannot be hashed: {error}"
        ) from error
    if not same:
        raise ConformanceError(f"`plan` returns {first!r} and then {again!r} for the same atoms.")
