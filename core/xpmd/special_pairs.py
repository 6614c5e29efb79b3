"""Special pairs: listed pairs, usually 1-4, that see a pairwise potential on their own terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
from xpmd.module import indices
from xpmd.pairwise import PairwiseInteraction, mixed_parameters
from xpmd.specific import SpecificInteraction

Array = Any


class SpecialPairs(SpecificInteraction):
    """weight V(r) for each listed pair, without cutoff, as OpenMM treats its exceptions.

    Args:
        atoms: pairs of atoms `(m, 2)`; exclude them from the ordinary interaction.
        interaction: the pairwise interaction whose V(r) is meant.
        weight: factor of the energy, a scalar or `(m,)`.
        parameters: pair parameters by name that replace the mixed ones, scalars or `(m,)`.
    """

    atoms: Array = indices()
    interaction: PairwiseInteraction
    weight: Array = 1.0
    parameters: dict[str, Array] | None = None

    def bind(self, system: Any, *, backend: Backend, xp: Any) -> Callable[[Array], Array]:
        first, second = self.atoms[:, 0], self.atoms[:, 1]
        given = self.parameters or {}
        unknown = set(given) - set(self.interaction.atom_parameters)
        if unknown:
            raise ValueError(
                f"`parameters` {sorted(unknown)} are not among those of "
                f"{type(self.interaction).__name__}: {sorted(self.interaction.atom_parameters)}."
            )
        if len(given) == len(self.interaction.atom_parameters):
            values = [given[name] for name in self.interaction.atom_parameters]
        else:
            mixed = mixed_parameters(
                self.interaction, system.atoms, lambda p: p[first], lambda p: p[second], xp=xp
            )
            names = self.interaction.atom_parameters
            values = [given.get(name, value) for name, value in zip(names, mixed, strict=True)]

        def energy_of(r: Array) -> Array:
            namespace = backend.xp(r, *values, self.weight)
            return self.weight * self.interaction.energy(r, *values, xp=namespace)

        return energy_of
