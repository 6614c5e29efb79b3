"""Where a cutoff makes the force jump: forces have no derivative with respect to its distance.

With V(r) - V(rc) the force is that of V inside and nothing beyond. Moving rc changes it at no pair but
those that pass, where it jumps; a derivative taken pair by pair is zero, and the truth is a spike.
The energy, which does not jump, has the derivative -V'(rc) a pair.
"""

from __future__ import annotations

from typing import Any

from xpmd.cutoffs import Cutoff
from xpmd.errors import GradientError
from xpmd.leaf_map import LeafMap
from xpmd.module import flatten, unflatten

_REASON = (
    "{cutoff}: forces, and what comes of them such as trajectories and pressures, have no derivative "
    "with respect to `{names}`, where the force jumps; what could be computed is a silent zero. Take "
    "`{names}` out of the parameters (energies alone do have the derivative), or use a cutoff where the "
    "force ends at zero, such as ShiftedForceCutoff."
)


def _jump(interaction: Any) -> Cutoff | None:
    """Return the cutoff of an interaction if the force jumps there."""
    cutoff = getattr(interaction, "cutoff", None)
    return cutoff if isinstance(cutoff, Cutoff) and not cutoff.continuous_force else None


def _reason(cutoff: Cutoff) -> str:
    return _REASON.format(cutoff=type(cutoff).__name__, names="`, `".join(cutoff._dynamic_names))


def refuse_jumps(system: Any, leaves: LeafMap) -> None:
    """Raise `GradientError` if a derivative of the forces is wanted for where they jump."""
    for interaction, numbers in zip(system.interactions, leaves.numbers.interactions, strict=True):
        cutoff = _jump(interaction)
        if cutoff is None:
            continue
        places, _ = flatten(numbers.cutoff)
        if any(leaves.wanted[place] for place in places):
            raise GradientError(_reason(cutoff))


def without_jumps(system: Any) -> Any:
    """Return a System that raises `GradientError` if it is differentiated by where forces jump."""
    if all(_jump(interaction) is None for interaction in system.interactions):
        return system
    backend = system.backend
    guarded = []
    for interaction in system.interactions:
        cutoff = _jump(interaction)
        if cutoff is not None:
            leaves, spec = flatten(cutoff)
            leaves = [backend.without_derivative(leaf, _reason(cutoff)) for leaf in leaves]
            interaction = interaction.with_fields(cutoff=unflatten(spec, leaves))
        guarded.append(interaction)
    return system.with_fields(interactions=tuple(guarded))
