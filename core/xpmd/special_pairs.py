"""Special pairs: listed pairs, usually 1-4, that see a pairwise potential on their own terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xpmd.atoms import Atoms
from xpmd.backend import Backend
from xpmd.module import indices
from xpmd.pairwise import PairwiseInteraction
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

    units: ClassVar[dict[str, str]] = Atoms.units

    def check(self, system: Any) -> None:
        if not isinstance(self.interaction, PairwiseInteraction):
            raise TypeError(
                f"SpecialPairs: `interaction` = {self.interaction!r} must be a pairwise interaction."
            )
        if self.atoms.shape[1] != 2:
            raise ValueError(
                f"SpecialPairs: `atoms` has shape {tuple(self.atoms.shape)}; it must list pairs."
            )
        given, takes = self.parameters or {}, self.interaction.atom_parameters
        unknown = sorted(set(given) - set(takes))
        if unknown:
            raise ValueError(
                f"SpecialPairs: `parameters` {unknown} are not among those of "
                f"{type(self.interaction).__name__}: {list(takes)}."
            )
        mixed = [name for name in takes if name not in given]
        require_atom_parameters(self.interaction, mixed, system.atoms)

    def parameters_by_term(self) -> dict[str, Any]:
        return {"weight": self.weight, **(self.parameters or {})}

    def bind(self, system: Any, *, backend: Backend, xp: Any) -> Callable[[Array], Array]:
        first, second = self.atoms[:, 0], self.atoms[:, 1]
        given, values = self.parameters or {}, []
        for name, rule in self.interaction.atom_parameters.items():
            if name in given:
                values.append(given[name])
                continue
            value = getattr(system.atoms, name)
            pair = (value, value) if value.ndim == 0 else (value[first], value[second])
            values.append(rule(*pair, xp=xp))

        def energy_of(r: Array) -> Array:
            namespace = backend.xp(r, *values, self.weight)
            return self.weight * self.interaction.energy(r, *values, xp=namespace)

        return energy_of


def require_atom_parameters(
    interaction: PairwiseInteraction, names: Iterable[str], atoms: Atoms
) -> None:
    """Raise `ValueError` unless the atoms have the parameters that an interaction mixes."""
    have = ["mass", *atoms.parameters]
    missing = [name for name in names if name not in have]
    if missing:
        raise ValueError(
            f"{type(interaction).__name__} needs the atom parameters {missing}; these atoms have "
            f"{have}. Give them as Atoms({missing[0]}=...)."
        )
