"""Pair energies, forces and their derivatives in plain arrays, by closed forms where there are any.

What interactions do not give in closed form is differentiated within each block of pairs. What is being
differentiated itself (also if an energy captured it) and lists from both ends are left to the generic
sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd.leaf_map import Cotangents, LeafMap, Part
from xpmd.neighbor_list import NeighborList
from xpmd.pair_derivatives import PairForces, PairFunction
from xpmd.pairwise import factor_of, mixed_parameters
from xpmd_autodiff.closed_pair_function import ClosedPairFunction
from xpmd_autodiff.pair_block import PairBlock

Array = Any
Totals = list[Any]


def pair_energy(
    blocks: type[PairBlock], system: Any, coords: Array, neighbors: NeighborList, *, xp: Any
) -> Array | None:
    """Return the summed energy."""
    if not _applies(system, neighbors, xp):
        return None
    backend, columns = system.backend, blocks.columns(coords)
    sums: list[Array] = []
    for block in blocks.cut(system, neighbors):
        parts = block.displacements(columns)
        distances = block.dot(parts, parts)
        for interaction in system.pairwise:
            mask, squared = block.within(interaction, distances)
            parameters = _mixed(interaction, system, block, xp)
            energy = interaction.cut_energy(xp.sqrt(squared), parameters, backend=backend)
            if backend.is_followed(energy):
                return None
            sums.append(block.summed(energy, mask))
    return _sum(sums, coords, xp)


def pair_forces(
    blocks: type[PairBlock], system: Any, coords: Array, neighbors: NeighborList, *, xp: Any
) -> Sequence[Array] | None:
    """Return the components of the summed forces."""
    if not _applies(system, neighbors, xp):
        return None
    columns = blocks.columns(coords)
    forces: Totals = [None] * len(columns)
    functions = [ClosedPairFunction(interaction, system) for interaction in system.pairwise]
    for block in blocks.cut(system, neighbors):
        parts = block.displacements(columns)
        factor = _factor(block, functions, parts, system, xp)
        if factor is None:
            return None
        forces = _added(forces, block, [block.product(factor, part) for part in parts])
    return _complete(forces, coords, xp)


def pair_virial(
    blocks: type[PairBlock], system: Any, coords: Array, neighbors: NeighborList, *, xp: Any
) -> Sequence[Sequence[Array]] | None:
    """Return the entries of the summed r (x) f by row."""
    if not _applies(system, neighbors, xp):
        return None
    columns = blocks.columns(coords)
    axes = range(len(columns))
    sums: dict[tuple[int, int], list[Array]] = {(a, b): [] for b in axes for a in range(b + 1)}
    functions = [ClosedPairFunction(interaction, system) for interaction in system.pairwise]
    for block in blocks.cut(system, neighbors):
        parts = block.displacements(columns)
        factor = _factor(block, functions, parts, system, xp)
        if factor is None:
            return None
        forces = [block.product(factor, part) for part in parts]
        for (a, b), entries in sums.items():
            entries.append(block.contracted(parts[a], forces[b]))
    totals = {place: _sum(entries, coords, xp) for place, entries in sums.items()}
    return [[totals[min(a, b), max(a, b)] for b in axes] for a in axes]


def _factor(
    block: PairBlock,
    functions: Sequence[ClosedPairFunction],
    parts: Sequence[Array],
    system: Any,
    xp: Any,
) -> Array | None:
    """Return f of all interactions for each pair, `None` if it is being differentiated."""
    backend, factor = system.backend, None
    distances = block.dot(parts, parts)
    for function in functions:
        interaction = function.interaction
        mask, squared = block.within(interaction, distances)
        form = function.at(block, squared)
        if form is None:
            parameters = _mixed(interaction, system, block, xp)
            f = factor_of(interaction, parameters, squared, backend=backend)
        else:
            f = form.factor
        if backend.is_followed(f):
            return None
        factor = block.added(factor, block.masked(f, mask))
    return factor


def pair_force_vjp(
    blocks: type[PairBlock],
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    leaves: LeafMap,
    found: Cotangents,
    *,
    forces: bool = True,
) -> PairForces | None:
    """Return forces, if wanted, and J^T w; add parameter cotangents to `found`."""
    backend = system.backend
    xp = backend.xp(coords, w, *leaves.leaves)
    if not _applies(system, neighbors, xp):
        return None
    columns, of_forces = blocks.columns(coords), blocks.columns(w)
    totals: Totals = [None] * len(columns)
    response: Totals = [None] * len(columns)
    functions = _closed_functions(system, leaves)
    own, box = Cotangents(len(leaves)), leaves.part(system.boundary, leaves.numbers.boundary)
    for block in blocks.cut(system, neighbors):
        parts, pull_box = _displacements(block, columns, box)
        difference = block.differences(of_forces)
        distances, along = block.dot(parts, parts), block.dot(parts, difference)
        factor = slope = None
        for function, numbers in zip(functions, leaves.numbers.pairwise, strict=True):
            mask, squared = block.within(function.interaction, distances)
            weight = along if mask is None else block.product(along, mask)
            form = function.at(block, squared)
            if form is None:
                term = _term(function.interaction, numbers, system, block, leaves)
                (f,), pull = backend.vjp(term, squared, *term.inputs)
                if backend.is_followed(f):
                    return None
                of_squared, *of_inputs = pull((weight,))
                term.collect(of_inputs, own)
                of_squared = block.masked(of_squared, None)
            else:
                f = form.factor
                if backend.is_followed(f):
                    return None
                of_squared = block.product(weight, form.slope)
                function.add_derivatives(form, weight, block)
            factor = block.added(factor, block.masked(f, mask))
            slope = block.added(slope, of_squared)
        if forces:
            totals = _added(totals, block, [block.product(factor, part) for part in parts])
        slope = block.product(slope, 2.0)
        h = [
            block.added(block.product(factor, change), block.product(slope, part))
            for part, change in zip(parts, difference, strict=True)
        ]
        response = _added(response, block, h)
        if pull_box is not None:
            own.add_all(box.places, pull_box(tuple(h)))
    for function in functions:
        function.collect(own)
    found.add_all(range(len(leaves)), own.values)
    return PairForces(
        _complete(totals, coords, xp) if forces else None, _complete(response, coords, xp)
    )


def pair_force_jvp(
    blocks: type[PairBlock],
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    leaves: LeafMap,
    tangents: Sequence[Array | None],
) -> PairForces | None:
    """Return forces and their change along a direction of coordinates and leaves."""
    backend = system.backend
    xp = backend.xp(coords, direction, *leaves.leaves, *(t for t in tangents if t is not None))
    if not _applies(system, neighbors, xp):
        return None
    columns, moves = blocks.columns(coords), blocks.columns(direction)
    forces: Totals = [None] * len(columns)
    response: Totals = [None] * len(columns)
    functions = _closed_functions(system, leaves)
    box = leaves.part(system.boundary, leaves.numbers.boundary)
    # A box that does not change has a tangent of zero.
    of_box = [tangents[place] for place in box.places]
    of_box = [None if t is None or not backend.to_numpy(t).any() else t for t in of_box]
    for block in blocks.cut(system, neighbors):
        parts, along_box = _moving_displacements(block, columns, box, of_box)
        change = block.differences(moves)
        if along_box is not None:
            change = [block.added(one, other) for one, other in zip(change, along_box, strict=True)]
        distances = block.dot(parts, parts)
        moving = block.product(block.dot(parts, change), 2.0)
        factor = factor_change = None
        for function, numbers in zip(functions, leaves.numbers.pairwise, strict=True):
            mask, squared = block.within(function.interaction, distances)
            of_squared = moving if mask is None else block.product(moving, mask)
            form = function.at(block, squared)
            if form is None:
                term = _term(function.interaction, numbers, system, block, leaves)
                (f,), (df,) = backend.jvp(
                    term, (squared, *term.inputs), (of_squared, *term.tangents(tangents, xp))
                )
                if backend.is_followed(f):
                    return None
            else:
                f = form.factor
                if backend.is_followed(f):
                    return None
                df = block.product(of_squared, form.slope)
                df = df + function.change(form, block, tangents)
            factor = block.added(factor, block.masked(f, mask))
            factor_change = block.added(factor_change, block.masked(df, mask))
        forces = _added(forces, block, [block.product(factor, part) for part in parts])
        moved = [
            block.added(block.product(factor, moved), block.product(factor_change, part))
            for part, moved in zip(parts, change, strict=True)
        ]
        response = _added(response, block, moved)
    return PairForces(_complete(forces, coords, xp), _complete(response, coords, xp))


def _mixed(interaction: Any, system: Any, block: PairBlock, xp: Any) -> list[Array]:
    return mixed_parameters(interaction, system.atoms, block.of_first, block.of_second, xp=xp)


def _applies(system: Any, neighbors: NeighborList, xp: Any) -> bool:
    return neighbors.layout == "half" and xp is system.backend.xp()


def _displacements(
    block: PairBlock, columns: Sequence[Array], box: Part
) -> tuple[Sequence[Array], Callable[..., Sequence[Array]] | None]:
    """Return the shortest displacements and, if wanted, how the box pulls on them."""
    if not box.places:
        return block.displacements(columns), None
    return block.backend.vjp(_nearest(block, columns, box), *box.values)  # type: ignore[no-any-return]


def _moving_displacements(
    block: PairBlock, columns: Sequence[Array], box: Part, of_box: Sequence[Array | None]
) -> tuple[Sequence[Array], Sequence[Array] | None]:
    """Return the shortest displacements and how the box changes them, `None` if it does not."""
    if all(tangent is None for tangent in of_box):
        return block.displacements(columns), None
    return block.backend.jvp(_nearest(block, columns, box), box.values, of_box)  # type: ignore[no-any-return]


def _nearest(
    block: PairBlock, columns: Sequence[Array], box: Part
) -> Callable[..., tuple[Array, ...]]:
    """Return the shortest displacements as a function of the wanted leaves of the box."""
    raw = block.differences(columns)

    def nearest(*values: Array) -> tuple[Array, ...]:
        xp = block.backend.xp(*values)
        return tuple(box.with_values(values).nearest(raw, xp=xp))

    return nearest


def _closed_functions(system: Any, leaves: LeafMap) -> list[ClosedPairFunction]:
    return [
        ClosedPairFunction(interaction, system, numbers, leaves)
        for interaction, numbers in zip(system.pairwise, leaves.numbers.pairwise, strict=True)
    ]


def _term(
    interaction: Any, numbers: Any, system: Any, block: PairBlock, leaves: LeafMap
) -> PairFunction:
    return PairFunction(interaction, numbers, system.atoms, block, leaves, system.backend)


def _added(totals: Totals, block: PairBlock, parts: Sequence[Array]) -> Totals:
    """Add vectors by component, one a pair, on the first atom of each and take them from the second."""
    return [block.added_on_atoms(total, part) for total, part in zip(totals, parts, strict=True)]


def _complete(totals: Totals, coords: Array, xp: Any) -> list[Array]:
    """Return sums over blocks, zeros if there was none."""
    return [xp.zeros_like(coords[:, 0]) if total is None else total for total in totals]


def _sum(entries: Sequence[Array], coords: Array, xp: Any) -> Array:
    """Return the sum of those over blocks, zero if there was none."""
    return xp.sum(xp.stack(entries)) if entries else xp.sum(xp.zeros_like(coords[:0, 0]))
