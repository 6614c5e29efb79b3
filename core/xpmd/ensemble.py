"""Derivatives of averages through the probability of what was sampled, rather than along paths.

The average of an observable O over records x_r that were drawn with density p has the derivative

    d<O>/dp = <dO/dp> + <(O - <O>) l>,   l_r = d log p(x_r)/dp

in which no trajectory is differentiated. A strategy says what l is; here is what it needs of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.chunk_forward import kept_up
from xpmd.errors import GradientError
from xpmd.force_derivatives import force_vjp
from xpmd.force_field import total_energy, total_forces
from xpmd.module import flatten, leaf_names, unflatten
from xpmd.neighbor_upkeep import build_neighbors
from xpmd.program import ChunkState, Program, flat_floats
from xpmd.walk import Walk

Array = Any
Arrays = tuple[Any, ...]


class EnsembleBack:
    """The way back from cotangents of log-densities to those of the leaves.

    Args:
        walk: the run.
        wanted: a flag for each leaf.
        of_logs: cotangent of l for each record, as numbers.

    Raises:
        GradientError: a cotangent is wanted of a leaf that is no parameter of the energy.
    """

    def __init__(
        self, walk: Walk, wanted: Sequence[bool], of_logs: Sequence[float], name: str
    ) -> None:
        self.walk, self.of_logs = walk, of_logs
        program = walk.program
        self.places = tuple(k for k, f in enumerate(program.is_float) if f and wanted[k])
        refused = [k for k in self.places if k not in program.energy_places]
        if refused:
            names = leaf_names(program.structure.spec)
            raise GradientError(
                f"The strategy '{name}' differentiates averages with respect to parameters of the "
                f"energy, and a derivative with respect to {', '.join(names[k] for k in refused)} "
                "was asked for. Use a strategy that follows the trajectory, such as 'reverse'."
            )
        xp = walk.backend.xp(*walk.leaves)
        self.totals: Arrays = tuple(xp.zeros_like(walk.leaves[k]) for k in self.places)

    def add_energy(self, snapshot: Arrays, weight: float) -> None:
        """Add `weight` times dU/dp at a snapshot."""
        walk = self.walk
        scale = walk.backend.asarray(weight, dtype=walk.system.dtype)
        while True:
            totals, lists = walk.program.compiled(energy_back, self.places)(
                walk.leaves, snapshot, scale, self.totals
            )
            if not walk.overflowed(lists):
                break
        self.totals = tuple(totals)

    def found(self) -> list[Array | None]:
        """Return a cotangent for each leaf, `None` for those that are not wanted."""
        result: list[Array | None] = [None] * len(self.walk.program.is_float)
        for place, total in zip(self.places, self.totals, strict=True):
            result[place] = total
        return result


def energies(walk: Walk, snapshots: Sequence[Arrays]) -> list[float]:
    """Return the potential energy of each snapshot with the walk's leaves, kJ/mol."""
    found = []
    for snapshot in snapshots:
        while True:
            energy, lists = walk.program.compiled(energy_at)(walk.leaves, snapshot)
            if not walk.overflowed(lists):
                break
        found.append(float(walk.backend.known(energy)))
    return found


def _system_of(program: Program, leaves: Arrays, snapshot: Arrays) -> tuple[Any, Array]:
    """Return the System with the box of a snapshot, and its coordinates."""
    system, _ = program.components(leaves)
    if len(snapshot) > 2:
        spec = flatten(system.boundary)[1]
        system = system.with_fields(boundary=unflatten(spec, snapshot[2:]))
    return system, snapshot[0]


def energy_at(program: Program, leaves: Arrays, snapshot: Arrays) -> tuple[Array, Arrays]:
    """Return the energy of a snapshot, and the neighbor list it was computed with."""
    system, coords = _system_of(program, leaves, snapshot)
    xp = program.backend.xp(*leaves)
    neighbors = build_neighbors(system, coords, program.structure.plan, xp=xp)
    return total_energy(system, coords, neighbors, xp=xp), program.flat_lists(neighbors)


def energy_back(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    snapshot: Arrays,
    weight: Array,
    totals: Arrays,
) -> tuple[Arrays, Arrays]:
    """Return `totals` with `weight` dU/dp added, and the neighbor list."""
    backend = program.backend
    plain, coords = _system_of(program, leaves, snapshot)
    neighbors = build_neighbors(plain, coords, program.structure.plan, xp=backend.xp(*leaves))

    def energy(*values: Array) -> tuple[Array]:
        system, _ = _system_of(program, program.with_leaves(leaves, places, values), snapshot)
        xp = backend.xp(coords, *values)
        return (total_energy(system, coords, neighbors, xp=xp),)

    _, pull = backend.vjp(energy, *(leaves[place] for place in places))
    slopes = pull((weight,))
    return (
        tuple(a if b is None else a + b for a, b in zip(totals, slopes, strict=True)),
        program.flat_lists(neighbors),
    )


def score_back(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    state: ChunkState,
    keys: Array,
    t0: Any,
    active: Any,
    weights: Array,
    left: Array,
    totals: Arrays,
) -> tuple[ChunkState, Array, Arrays]:
    """Take a chunk of steps again, adding up weight times d log p/dp of each.

    Args:
        weights: one for each step of a chunk.
        left: what the step before wants of the forces it ended with, `(n, d)`.
        totals: sums so far.

    Returns:
        The state after the chunk, and what was left and the sums there.
    """
    backend = program.backend
    xp = backend.xp(*leaves, *state.floats)
    initial, simulator = program.components(leaves)
    n_floats, n_lists = len(state.floats), len(state.lists)
    flags = [k in places for k in range(len(flatten(initial)[0]))]
    shape = tuple(state.floats[0].shape)

    def body(k: Any, carry: Arrays) -> Arrays:
        floats, lists = carry[:n_floats], tuple(carry[n_floats : n_floats + n_lists])
        held, (left, *sums) = [lists], carry[n_floats + n_lists :]
        now, system = program.state(floats, initial)
        noise = program.noise(simulator, initial, keys, t0 + k)
        before, after = simulator.score_weights(  # type: ignore[attr-defined]
            system, noise, shape, xp=xp
        )
        wanted = left + weights[k] * before
        neighbors = program.neighbors(held[0])
        *_, slopes = force_vjp(system, now.coords, neighbors, wanted, flags, forces=False)
        sums = [_plus(total, slopes[p]) for total, p in zip(sums, places, strict=True)]

        def forces(coords: Array) -> Array:
            held[0] = kept_up(program, held[0], system, coords, t0 + k, xp)
            return total_forces(system, coords, program.neighbors(held[0]), xp=xp)

        result, _ = simulator.step(now, forces, system, t0 + k, noise, xp=xp)
        return (*flat_floats(result), *held[0], weights[k] * after, *sums)

    carry = (*state.floats, *state.lists, left, *totals)
    carry = backend.repeat(body, carry, active, program.structure.chunk)
    end = n_floats + n_lists
    return (
        ChunkState(tuple(carry[:n_floats]), tuple(carry[n_floats:end])),
        carry[end],
        tuple(carry[end + 1 :]),
    )


def score_end(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    state: ChunkState,
    left: Array,
    totals: Arrays,
) -> Arrays:
    """Return the sums with what the last step wants of the forces it ended with."""
    initial, _ = program.components(leaves)
    now, system = program.state(state.floats, initial)
    flags = [k in places for k in range(len(flatten(initial)[0]))]
    *_, slopes = force_vjp(
        system, now.coords, program.neighbors(state.lists), left, flags, forces=False
    )
    return tuple(_plus(total, slopes[p]) for total, p in zip(totals, places, strict=True))


def _plus(first: Array, second: Array | None) -> Array:
    return first if second is None else first + second
