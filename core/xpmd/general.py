"""General interactions: any function of all coordinates, with an energy or with forces only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from xpmd.backend import Backend
from xpmd.boundary import StrainedBoundary
from xpmd.errors import XpmdError
from xpmd.module import Module
from xpmd.neighbor_list import NeighborList

Array = Any


class GeneralInteraction(Module):
    """Base of the general interactions: a subclass writes `energy`, or `forces` if there is none."""

    #: False if neither `energy` nor `forces` looks at the neighbor list, which is then not built.
    needs_neighbors: ClassVar[bool] = True

    def energy(self, coords: Array, system: Any, neighbors: NeighborList, *, xp: Any) -> Array:
        """Return the energy, a scalar, kJ/mol.

        Args:
            coords: positions `(n, d)`, nm; use these, not `system.coords`.
            system: for atoms and boundary.
            neighbors: the current neighbor list.
            xp: array namespace.
        """
        raise NotImplementedError(f"{type(self).__name__} has forces but no energy.")

    def forces(self, coords: Array, system: Any, neighbors: NeighborList, *, xp: Any) -> Array:
        """Return the forces `(n, d)`, kJ/mol/nm: minus the gradient of `energy` by default."""
        backend = system.backend

        def energy_of(x: Array) -> tuple[Array]:
            return (self.energy(x, system, neighbors, xp=backend.xp(x, coords)),)

        (energy,), pull = backend.vjp(energy_of, coords)
        slope: Any = pull((xp.ones_like(energy),))[0]
        return -slope

    @property
    def has_energy(self) -> bool:
        """Whether the subclass defines an energy."""
        return type(self).energy is not GeneralInteraction.energy


def general_virial(
    interaction: GeneralInteraction,
    coords: Array,
    system: Any,
    neighbors: NeighborList,
    *,
    backend: Backend,
    xp: Any,
) -> Array:
    """Return W = -dE/d(strain) `(d, d)`, for any boundary.

    Raises:
        XpmdError: the interaction has no energy.
    """
    if not interaction.has_energy:
        raise XpmdError(
            f"{type(interaction).__name__} defines forces but no energy, so it has no virial: write "
            "`energy` to get pressures."
        )
    dimensions = system.boundary.dimensions
    zero = 0.0 * coords[0, 0]
    strain = xp.stack([xp.stack([zero] * dimensions)] * dimensions)
    strain = backend.stop_gradient(strain)

    def energy_of(e: Array) -> tuple[Array]:
        namespace = backend.xp(e, coords)
        deformed = system.with_fields(boundary=StrainedBoundary(system.boundary, e))
        positions = coords + _product(coords, e, dimensions, namespace)
        return (interaction.energy(positions, deformed, neighbors, xp=namespace),)

    (energy,), pull = backend.vjp(energy_of, strain)
    slope: Any = pull((xp.ones_like(energy),))[0]
    return -slope


def _product(coords: Array, matrix: Array, dimensions: int, xp: Any) -> Array:
    axes: Sequence[int] = range(dimensions)
    return xp.stack([sum(coords[:, a] * matrix[a, b] for a in axes) for b in axes], axis=-1)
