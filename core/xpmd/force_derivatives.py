"""The derivative of all forces together: the one thing every way back through a step needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.force_jumps import refuse_jumps
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.neighbor_list import NeighborList
from xpmd.pair_derivatives import pair_force_jvp, pair_force_vjp
from xpmd.specific_derivatives import (
    general_force_jvp,
    general_force_vjp,
    specific_force_jvp,
    specific_force_vjp,
)

Array = Any


def force_vjp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    w: Array,
    wanted: Sequence[bool] | None = None,
    *,
    forces: bool = True,
) -> tuple[Array, Array, list[Array | None]]:
    """Return forces, J^T w with J = dF/dx, and a cotangent for each leaf of the System.

    Args:
        system: the System; its own coordinates are not looked at.
        coords: positions `(n, d)`, nm.
        neighbors: a list that holds at `coords`.
        w: cotangent of the forces `(n, d)`.
        wanted: leaves a cotangent is wanted for, in the order in which the System is flattened; all
            float leaves if left out.
        forces: whether the forces themselves are wanted, which cost a fifth of the whole.

    Returns:
        Forces `(n, d)` or `None`, J^T w `(n, d)`, and `None` for leaves that the forces do not depend
        on or that no cotangent is wanted for.

    Raises:
        GradientError: a cotangent is wanted for a cutoff at which the force jumps.
    """
    leaves = LeafMap(system, wanted)
    refuse_jumps(system, leaves)
    found = Cotangents(len(leaves))
    numbers = leaves.numbers
    total = _Sum(system, coords, w, leaves, forces)
    if system.pairwise:
        total.add_components(
            *pair_force_vjp(system, coords, neighbors, w, leaves, found, forces=forces)
        )
    for interaction, places in zip(system.specific, numbers.specific, strict=True):
        total.add_components(
            *specific_force_vjp(
                interaction, places, system, coords, w, leaves, found, forces=forces
            )
        )
    for interaction, places in zip(system.general, numbers.general, strict=True):
        total.add(
            *general_force_vjp(interaction, places, system, coords, neighbors, w, leaves, found)
        )
    return (*total.result(), found.values)


def force_jvp(
    system: Any,
    coords: Array,
    neighbors: NeighborList,
    direction: Array,
    tangents: Sequence[Array | None],
) -> tuple[Array, Array]:
    """Return forces and their change along a direction of coordinates and leaves.

    Args:
        direction: change of the coordinates `(n, d)`.
        tangents: change of each leaf of the System, in the order in which it is flattened; `None` for
            leaves that do not change.
    """
    leaves = LeafMap(system, [each is not None for each in tangents])
    refuse_jumps(system, leaves)
    numbers = leaves.numbers
    total = _Sum(system, coords, direction, leaves)
    if system.pairwise:
        total.add_components(
            *pair_force_jvp(system, coords, neighbors, direction, leaves, tangents)
        )
    for interaction, places in zip(system.specific, numbers.specific, strict=True):
        total.add_components(
            *specific_force_jvp(interaction, places, system, coords, direction, leaves, tangents)
        )
    for interaction, places in zip(system.general, numbers.general, strict=True):
        total.add(
            *general_force_jvp(
                interaction, places, system, coords, neighbors, direction, leaves, tangents
            )
        )
    return total.result()


class _Sum:
    """Sums of forces and of what responds to them, by component as far as they come that way."""

    def __init__(
        self, system: Any, coords: Array, other: Array, leaves: LeafMap, forces: bool = True
    ) -> None:
        self._forces = forces
        self._xp = system.backend.xp(coords, other, *leaves.leaves)
        self._coords = coords
        self._parts: list[list[Array] | None] = [None, None]
        self._whole: list[Array | None] = [None, None]

    def add_components(self, *pair: list[Array] | None) -> None:
        for k, parts in enumerate(pair):
            if parts is None:
                continue
            old = self._parts[k]
            self._parts[k] = (
                parts if old is None else [a + b for a, b in zip(old, parts, strict=True)]
            )

    def add(self, *pair: Array) -> None:
        for k, array in enumerate(pair):
            old = self._whole[k]
            self._whole[k] = array if old is None else old + array

    def result(self) -> tuple[Array, Array]:
        return self._one(0) if self._forces else None, self._one(1)

    def _one(self, k: int) -> Array:
        parts, whole = self._parts[k], self._whole[k]
        if parts is None:
            return self._xp.zeros_like(self._coords) if whole is None else whole
        stacked = self._xp.stack(parts, axis=-1)
        return stacked if whole is None else stacked + whole
