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
#: Numbers of leaves, `None` for those that no derivative is wanted for.
Places = tuple[int | None, ...]

#: The place of a wanted field that is more than one leaf.
NOT_ONE = -1


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
        self._rules = list(interaction.atom_parameters.values())
        self._values = [_parameter(system.atoms, name) for name in interaction.atom_parameters]
        # What all atoms share is mixed once.
        self._shared = [
            _of_equals(rule, value, self._backend)[0] if value.ndim == 0 else None
            for rule, value in zip(self._rules, self._values, strict=True)
        ]
        self._fits = has_closed_form(interaction)
        self._of_parameters: Places = (None,) * len(self._rules)
        self._of_fields: Places = ()
        self._of_cutoff: Places = ()
        if leaves is not None:
            found = _wanted_places(numbers, leaves.numbers.atoms, leaves.wanted)
            self._of_parameters, self._of_fields, self._of_cutoff = found
            fields = [*self._of_fields, *self._of_cutoff]
            self._fits = self._fits and all(
                place is None or (place != NOT_ONE and leaves.leaves[place].ndim == 0)
                for place in fields
            )
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
            place: _of_equals(rule, value, self._backend)[1]
            for rule, value, place in zip(
                self._rules, self._values, self._of_parameters, strict=True
            )
            if place is not None and value.ndim == 0
        }


def _parameter(atoms: Any, name: str) -> Any:
    return atoms.mass if name == "mass" else getattr(atoms, name)


def _some(places: Sequence[int | None]) -> bool:
    return any(place is not None for place in places)


@functools.lru_cache(maxsize=256)
def _wanted_places(numbers: Any, of_atoms: Any, wanted: tuple[bool, ...]) -> tuple[Places, ...]:
    """Return the places of the wanted parameters, fields, and fields of the cutoff; `None` for others.

    Args:
        numbers: an interaction with numbers for leaves.
        of_atoms: the same of the atoms.
    """

    def place(part: Any) -> int | None:
        if not any(wanted[each] for each in flatten(part)[0]):
            return None
        return part if isinstance(part, int) else NOT_ONE

    cutoff = cutoff_of(numbers)
    return (
        tuple(place(_parameter(of_atoms, name)) for name in numbers.atom_parameters),
        tuple(place(getattr(numbers, name)) for name in own_fields(numbers)),
        tuple(place(getattr(cutoff, name)) for name in cutoff._dynamic_names),
    )


def _on_tape(rule: Callable[..., Array], backend: Any) -> Callable[..., tuple[Array]]:
    def mix(one: Array, two: Array) -> tuple[Array]:
        return (rule(one, two, xp=backend.xp(one, two)),)

    return mix


def _of_equals(rule: Callable[..., Array], value: Array, backend: Any) -> tuple[Array, float]:
    """Return the mixed parameter of two atoms that have the same, and its derivative by that.

    A run asks for it at each step, and on a tape it costs as much as hundreds of pairs.
    """
    known, device = float(backend.to_numpy(value)), backend.device_of(value)
    return _remembered(rule, known, backend.dtype_name(value), device, backend)


@functools.lru_cache(maxsize=64)
def _remembered(
    rule: Callable[..., Array], value: float, dtype: str, device: Any, backend: Any
) -> tuple[Array, float]:
    both = backend.asarray(value, dtype=dtype, device=device)
    (mixed,), pull = backend.vjp(_on_tape(rule, backend), both, both)
    slopes = pull((backend.xp(mixed).ones_like(mixed),))
    return mixed, float(sum(backend.to_numpy(each) for each in slopes))
