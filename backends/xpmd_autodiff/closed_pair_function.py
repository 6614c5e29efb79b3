"""f of one interaction in closed form, and the leaves of a System that its derivatives belong to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from xpmd.closed_form import ClosedForm, closed_form, cutoff_of, has_closed_form, own_fields
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.module import flatten
from xpmd_autodiff.pair_block import PairBlock

Array = Any
#: From a cotangent of a mixed parameter to those of its values at the two atoms.
Pull = Callable[[Sequence[Array]], Sequence[Array]]


class ClosedPairFunction:
    """f of one interaction as a function of s = r^2 and of the wanted leaves of a System.

    Args:
        interaction: the interaction.
        system: the System.
        numbers: the interaction in `leaves.numbers`.
        leaves: which leaves a derivative is wanted for; `None` for none.
    """

    def __init__(
        self, interaction: Any, system: Any, numbers: Any = None, leaves: LeafMap | None = None
    ) -> None:
        self.interaction, self._backend = interaction, system.backend
        names, xp = interaction.atom_parameters, self._backend.xp(system.coords)
        self._rules = list(names.values())
        self._values = [_parameter(system.atoms, name) for name in names]
        # What all atoms share is mixed once.
        self._shared = [
            rule(value, value, xp=xp) if value.ndim == 0 else None
            for rule, value in zip(self._rules, self._values, strict=True)
        ]
        self._of_parameters: list[int | None] = [None] * len(self._rules)
        self._of_fields: list[int | None] = []
        self._of_cutoff: list[int | None] = []
        self._fits = has_closed_form(interaction)
        if leaves is not None:
            atoms, cutoff = leaves.numbers.atoms, cutoff_of(numbers)
            fields = [getattr(numbers, name) for name in own_fields(interaction)]
            of_cutoff = [getattr(cutoff, name) for name in cutoff._dynamic_names]
            self._fits = self._fits and not _has_arrays((fields, of_cutoff), leaves)
            parameters = [_parameter(atoms, name) for name in names]
            self._of_parameters = [_wanted(each, leaves) for each in parameters]
            self._of_fields = [_wanted(each, leaves) for each in fields]
            self._of_cutoff = [_wanted(each, leaves) for each in of_cutoff]
        self._sums: dict[int, Array] = {}
        self._pulls: list[Pull | None] = []

    def at(self, block: PairBlock, squared: Array) -> ClosedForm | None:
        """Return f for the pairs of a block; `None` if there is no closed form of what is wanted."""
        if not self._fits:
            return None
        mixed = []
        self._pulls = []
        for rule, value, shared, place in zip(
            self._rules, self._values, self._shared, self._of_parameters, strict=True
        ):
            pull, found = None, shared
            if found is None:
                pair = block.of_first(value), block.of_second(value)
                if place is None:
                    found = rule(*pair, xp=block.xp)
                else:
                    (found,), pull = self._backend.vjp(_on_tape(rule, self._backend), *pair)
            mixed.append(found)
            self._pulls.append(pull)
        form = closed_form(self.interaction, mixed, squared, xp=block.xp)
        if _some(self._of_fields) and len(form.by_parameter) == len(self._rules):
            return None
        return form

    def add_derivatives(self, form: ClosedForm, weight: Array, block: PairBlock) -> None:
        """Add to the sums what each pair's df/dp times a weight comes to."""
        for place, derivative, pull in self._derivatives(form):
            if pull is None:
                gained = block.contracted(weight, derivative)
                self._sums[place] = self._sums.get(place, 0.0) + gained
            else:
                of_pairs = pull((block.product(weight, derivative),))
                self._sums[place] = block.added_by_role(self._sums.get(place), *of_pairs)

    def collect(self, found: Cotangents) -> None:
        """Add the sums over all blocks to the cotangents of the leaves."""
        slopes = self._slopes()
        for place, total in self._sums.items():
            found.add(place, total * slopes[place] if place in slopes else total)

    def change(self, form: ClosedForm, block: PairBlock, tangents: Sequence[Any]) -> Array:
        """Return what f changes by along a direction of the wanted leaves."""
        slopes, total = self._slopes(), 0.0
        for place, derivative, pull in self._derivatives(form):
            tangent = tangents[place]
            if pull is None:
                total = total + derivative * (slopes.get(place, 1.0) * tangent)
            else:
                one, two = pull((derivative + block.xp.zeros_like(form.factor),))
                total = total + one * block.of_first(tangent) + two * block.of_second(tangent)
        return total

    def _derivatives(self, form: ClosedForm) -> Iterator[tuple[int, Array, Pull | None]]:
        """Yield place and df/dp of each wanted leaf, and the way from a pair to its two atoms."""
        places = [*self._of_parameters, *self._of_fields]
        if _some(places):
            pulls = [*self._pulls, *(None for _ in self._of_fields)]
            # The fields may be missing where none of them is wanted.
            for place, derivative, pull in zip(places, form.by_parameter, pulls, strict=False):
                if place is not None:
                    yield place, derivative, pull
        if _some(self._of_cutoff):
            for place, derivative in zip(self._of_cutoff, form.by_cutoff, strict=True):
                if place is not None:
                    yield place, derivative, None

    def _slopes(self) -> dict[int, Any]:
        """Return the derivatives of mixed parameters by what all atoms share, by place."""
        return {
            place: _slope_of_equals(rule, value, self._backend)
            for rule, value, place in zip(
                self._rules, self._values, self._of_parameters, strict=True
            )
            if place is not None and value.ndim == 0
        }


def _parameter(atoms: Any, name: str) -> Any:
    return atoms.mass if name == "mass" else getattr(atoms, name)


def _some(places: Sequence[int | None]) -> bool:
    return any(place is not None for place in places)


def _wanted(place: Any, leaves: LeafMap) -> int | None:
    """Return the place of a leaf if a derivative is wanted for it."""
    return place if isinstance(place, int) and leaves.wanted[place] else None


def _has_arrays(fields: Sequence[Sequence[Any]], leaves: LeafMap) -> bool:
    """Return whether a wanted field is not one number."""
    parts = [part for group in fields for part in group]
    return any(
        not isinstance(part, int) or leaves.leaves[part].ndim > 0
        for part in parts
        if any(leaves.wanted[place] for place in flatten(part)[0])
    )


def _on_tape(rule: Callable[..., Array], backend: Any) -> Callable[..., tuple[Array]]:
    def mix(one: Array, two: Array) -> tuple[Array]:
        return (rule(one, two, xp=backend.xp(one, two)),)

    return mix


def _slope_of_equals(rule: Callable[..., Array], value: Array, backend: Any) -> float:
    """Return the derivative of a mixing rule by the value that both atoms have.

    A run asks for the same one at each step, and on a tape it costs as much as dozens of pairs.
    """
    key = float(backend.to_numpy(value))
    return _remembered_slope(rule, key, backend.dtype_name(value), backend)


@functools.lru_cache(maxsize=64)
def _remembered_slope(rule: Callable[..., Array], value: float, dtype: str, backend: Any) -> float:
    both = backend.asarray(value, dtype=dtype)
    (mixed,), pull = backend.vjp(_on_tape(rule, backend), both, both)
    return float(
        sum(backend.to_numpy(each) for each in pull((backend.xp(mixed).ones_like(mixed),)))
    )
