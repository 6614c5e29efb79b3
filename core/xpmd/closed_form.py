"""Closed forms: f of a pair and its derivatives, where an interaction gives them itself.

With s = r^2 a pairwise interaction may say `radial(s, *parameters, xp)`, which gives one after the other

    f = -2 dU/ds = -V'(r)/r,   df/ds,   [df/dp of each parameter, then of each field but the cutoff]

and its cutoff makes of them those of the energy it leaves. They are read one by one, so that a
`radial` that yields them computes no more than is asked for. What follows from `energy` by
differentiation stays their oracle.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from xpmd.backend import Backend
from xpmd.cutoffs import Cutoff, NoCutoff
from xpmd.pairwise import PairwiseInteraction, factor_of

Array = Any

_NO_CUTOFF = NoCutoff()


class ClosedForm:
    """f of one interaction as its cutoff leaves it, and its derivatives, computed when asked for.

    Args:
        interaction: the interaction.
        values: f, df/ds, df/dp by parameter and field, df/dp by field of the cutoff, one by one.
    """

    def __init__(self, interaction: PairwiseInteraction, values: Iterable[Any]) -> None:
        self._interaction = interaction
        self._values = iter(values)
        self._read: list[Any] = []

    def _part(self, place: int) -> Any:
        while len(self._read) <= place:
            self._read.append(next(self._values))
        return self._read[place]

    @property
    def factor(self) -> Array:
        """f for each entry."""
        return self._part(0)

    @property
    def slope(self) -> Array:
        """df/ds for each entry."""
        return self._part(1)

    @functools.cached_property
    def by_parameter(self) -> Sequence[Array]:
        """df/dp for each mixed parameter; then, unless they were left out, for each field.

        Raises:
            TypeError: there are more or fewer of them.
        """
        interaction = self._interaction
        found = list(self._part(2))
        least = len(interaction.atom_parameters)
        most = least + len(own_fields(interaction))
        if len(found) not in (least, most):
            raise TypeError(
                f"{type(interaction).__name__}.radial gives {len(found)} derivatives by parameters. "
                f"Give {least}, one for each of {list(interaction.atom_parameters)}"
                + (
                    f", or {most}, with {own_fields(interaction)} after them."
                    if most > least
                    else "."
                )
            )
        return found

    @property
    def by_cutoff(self) -> Sequence[Array]:
        """df/dp for each field of the cutoff that is a parameter."""
        return self._part(3)  # type: ignore[no-any-return]


def has_closed_form(interaction: PairwiseInteraction) -> bool:
    """Return whether an interaction and its cutoff both give a closed form."""
    kinds: list[Any] = [type(interaction), type(cutoff_of(interaction))]
    return all(_gives_one(kind) for kind in kinds)


def closed_form(
    interaction: PairwiseInteraction, parameters: Sequence[Array], squared: Array, *, xp: Any
) -> ClosedForm:
    """Return the closed form of an interaction that has one, for each entry.

    Args:
        parameters: mixed atom parameters that broadcast with `squared`.
        squared: r^2 within reach, nm^2.
        xp: array namespace.
    """
    radial, of_cutoff = interaction.radial, cutoff_of(interaction).radial
    assert radial is not None
    assert of_cutoff is not None

    def potential(at: Array) -> Iterator[Any]:
        return iter(radial(at, *parameters, xp=xp))

    return ClosedForm(interaction, of_cutoff(potential, squared, xp=xp))


def closed_factor_of(
    interaction: PairwiseInteraction,
    parameters: Sequence[Array],
    squared: Array,
    *,
    backend: Backend,
) -> Array:
    """Return f = -2 dU/d(r^2) of one interaction, in closed form if it has one."""
    if not has_closed_form(interaction):
        return factor_of(interaction, parameters, squared, backend=backend)
    xp = backend.xp(squared, *parameters)
    return closed_form(interaction, parameters, squared, xp=xp).factor


def cutoff_of(interaction: PairwiseInteraction) -> Cutoff:
    """Return the cutoff of an interaction, one without effect if it has none."""
    return getattr(interaction, "cutoff", _NO_CUTOFF)


def own_fields(interaction: PairwiseInteraction) -> list[str]:
    """Return the names of the fields that `radial` may give derivatives by: all but the cutoff."""
    return [name for name in interaction._dynamic_names if name != "cutoff"]


@functools.cache
def _gives_one(cls: Any) -> bool:
    """Return whether a class of interactions or cutoffs gives a closed form of the energy it has.

    One that was inherited is not that of an energy that a subclass wrote anew.
    """
    if cls.radial is None:
        return False
    given = _depth(cls, "radial")
    return all(
        given <= _depth(cls, name) for name in ("energy", "cut_energy") if hasattr(cls, name)
    )


def _depth(cls: Any, name: str) -> int:
    """Return how far up in a class's line of ancestors a method is written."""
    return next(k for k, base in enumerate(cls.__mro__) if name in vars(base))
