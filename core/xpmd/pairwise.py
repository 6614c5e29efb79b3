"""Pairwise interactions: an energy V(r), and everything that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from xpmd.backend import Backend
from xpmd.component_vectors import dot
from xpmd.cutoffs import Cutoff, NoCutoff
from xpmd.module import Module
from xpmd.neighbor_list import NeighborList, PairEntries

Array = Any

#: Where the stand-in distance of a masked pair lies, as a fraction of the cutoff: inside the
#: potential's domain. At the cutoff itself a potential singular there gave NaN gradients.
STAND_IN = 0.98


class PairwiseInteraction(Module):
    """Base of the pairwise interactions.

    A subclass names the atom parameters it mixes, in the order in which `energy` takes them, and may
    declare fields of its own; a field `cutoff` is applied by the core. `energy` reads its arguments
    and fields only: compiled backends freeze anything else at the first call.
    """

    atom_parameters: ClassVar[dict[str, Callable[..., Array]]] = {}

    #: `radial(r2, *parameters, xp)` if a subclass also gives the derivatives of its `energy` in closed
    #: form, without the cutoff: it yields (or returns) f = -2 dV/d(r^2) = -V'(r)/r, df/d(r^2), and a list
    #: of df/dp for each parameter and then each field but the cutoff. Libraries that compile nothing
    #: are several times faster with it; nothing else changes.
    radial: ClassVar[Callable[..., Iterable[Any]] | None] = None

    def energy(self, *args: Any, **kwargs: Any) -> Array:
        """Return V(r), elementwise, kJ/mol; a subclass writes `energy(r, *parameters, xp)`.

        Args:
            r: distances of any shape, nm, all positive.
            parameters: mixed atom parameters that broadcast with `r`.
            xp: array namespace.
        """
        raise NotImplementedError

    @property
    def reach(self) -> Array | None:
        """Distance beyond which the energy is zero, nm; `None` if there is none."""
        return getattr(self, "cutoff", _NO_CUTOFF).reach

    def cut_energy(self, r: Array, parameters: Sequence[Array], *, backend: Backend) -> Array:
        """Return the energy at distances within reach as the cutoff leaves it, kJ/mol."""

        def potential(r: Array) -> Array:
            return self.energy(r, *parameters, xp=backend.xp(r, *parameters))

        cutoff: Cutoff = getattr(self, "cutoff", _NO_CUTOFF)
        xp = backend.xp(r, *parameters)
        return cutoff.energy(potential, r, derivative=backend.radial, xp=xp)


_NO_CUTOFF = NoCutoff()


class PairGeometry(NamedTuple):
    """Displacements first - second of the entries of a list: components and squared length."""

    parts: tuple[Array, ...]
    squared: Array


def pair_geometry(
    coords: Array, boundary: Any, neighbors: NeighborList, *, xp: Any
) -> PairGeometry:
    """Return the shortest displacements between the atoms of each entry."""
    components = [coords[:, k] for k in range(boundary.dimensions)]
    parts = boundary.nearest(
        [neighbors.of_first(c) - neighbors.of_second(c) for c in components], xp=xp
    )
    return PairGeometry(parts, dot(parts, parts))


def mixed_parameters(
    interaction: PairwiseInteraction,
    atoms: Any,
    of_first: Callable[[Array], Array],
    of_second: Callable[[Array], Array],
    *,
    xp: Any,
) -> list[Array]:
    """Return an interaction's parameters for each entry; one value for all atoms stays a scalar."""
    mixed = []
    for name, rule in interaction.atom_parameters.items():
        value = atoms.mass if name == "mass" else getattr(atoms, name)
        if value.ndim == 0:
            mixed.append(rule(value, value, xp=xp))
        else:
            mixed.append(rule(of_first(value), of_second(value), xp=xp))
    return mixed


def within_reach(
    interaction: PairwiseInteraction,
    squared: Array,
    neighbors: PairEntries,
    *,
    backend: Backend,
    xp: Any,
) -> tuple[Array | None, Array]:
    """Return which entries an interaction sees, `None` for all, and r^2, harmless elsewhere."""
    mask, reach = neighbors.mask, interaction.reach
    if reach is not None:
        inside = squared <= reach * reach
        mask = inside if mask is None else mask & inside
        return mask, xp.where(mask, squared, (STAND_IN * reach) ** 2 + xp.zeros_like(squared))
    if mask is not None:
        squared = xp.where(mask, squared, _some_valid(squared, mask, backend=backend, xp=xp))
    return mask, squared


def _some_valid(squared: Array, mask: Array, *, backend: Backend, xp: Any) -> Array:
    """Return the largest squared distance of a valid pair, 1 if there is none, as a constant."""
    squared = backend.stop_gradient(squared)
    zeros = xp.zeros_like(squared)
    if squared.size == 0:
        return zeros
    largest = xp.max(xp.where(mask, squared, zeros))
    return zeros + xp.where(largest > 0, largest, xp.ones_like(largest))


def summed_energy(
    interactions: Sequence[PairwiseInteraction],
    atoms: Any,
    geometry: PairGeometry,
    neighbors: NeighborList,
    *,
    backend: Backend,
    xp: Any,
) -> Array:
    """Return the summed energy of pairwise interactions, kJ/mol."""
    total: Array = 0.0
    for interaction in interactions:
        parameters = mixed_parameters(
            interaction, atoms, neighbors.of_first, neighbors.of_second, xp=xp
        )
        mask, squared = within_reach(
            interaction, geometry.squared, neighbors, backend=backend, xp=xp
        )
        energy = interaction.cut_energy(xp.sqrt(squared), parameters, backend=backend)
        if mask is not None:
            energy = xp.where(mask, energy, xp.zeros_like(energy))
        elif energy.ndim == 0:  # one for all pairs
            energy = energy + xp.zeros_like(squared)
        total = total + neighbors.weight * xp.sum(energy)
    return total


def factor_of(
    interaction: PairwiseInteraction,
    parameters: Sequence[Array],
    squared: Array,
    *,
    backend: Backend,
) -> Array:
    """Return f = -2 dU/d(r^2) = -V'(r)/r of one interaction, elementwise.

    Differentiating in r^2 rather than r needs one square root and no division by r.
    """

    def energy_of(s: Array) -> Array:
        r = backend.xp(s, *parameters).sqrt(s)
        return interaction.cut_energy(r, parameters, backend=backend)

    return -2.0 * backend.radial(energy_of, squared)


def pair_factor(
    interactions: Sequence[PairwiseInteraction],
    atoms: Any,
    geometry: PairGeometry,
    neighbors: NeighborList,
    *,
    backend: Backend,
    xp: Any,
    factor: Callable[..., Array] = factor_of,
) -> Array:
    """Return f for each entry, so that the force on its first atom is f times the displacement.

    Args:
        factor: as `factor_of`.
    """
    total: Array = 0.0
    for interaction in interactions:
        parameters = mixed_parameters(
            interaction, atoms, neighbors.of_first, neighbors.of_second, xp=xp
        )
        mask, squared = within_reach(
            interaction, geometry.squared, neighbors, backend=backend, xp=xp
        )
        f = factor(interaction, parameters, squared, backend=backend)
        total = total + (f if mask is None else xp.where(mask, f, xp.zeros_like(f)))
    return total
