"""The closed form that a pairwise interaction gives is that of its energy."""

from __future__ import annotations

from typing import Any

from xpmd.closed_form import ClosedForm, closed_form, cutoff_of, own_fields
from xpmd.pairwise import factor_of, mixed_parameters
from xpmd.testing.agreement import host_namespace, on_host, require_close
from xpmd.testing.backends_at_hand import usable
from xpmd.testing.sample import Sample

Array = Any

_N_DISTANCES = 24
#: Off by more than this of a value, or by so much of the largest, is another function.
_OF_VALUE, _OF_LARGEST = 1e-9, 1e-13


def radial(sample: Sample, name: str) -> None:
    """What `radial` gives is f = -V'(r)/r and its derivatives, from 0.3 of the cutoff up to it."""
    on = usable(name)
    system = sample.system(on)
    (interaction,) = system.pairwise
    xp, end = on.xp(system.coords), sample.reach or sample.length
    step = 0.69 * end / (_N_DISTANCES - 1)
    distances = [0.3 * end + step * k for k in range(_N_DISTANCES)]
    squared = on.asarray([r * r for r in distances], dtype="float64")
    first = on.asarray([k % sample.n_atoms for k in range(_N_DISTANCES)], dtype="int64")
    second = on.asarray([(k + 1) % sample.n_atoms for k in range(_N_DISTANCES)], dtype="int64")
    mixed = mixed_parameters(
        interaction, system.atoms, lambda v: v[first], lambda v: v[second], xp=xp
    )
    form = closed_form(interaction, mixed, squared, xp=xp)
    derivatives = _derivatives(form, interaction)
    cutoff = cutoff_of(interaction)
    fields = [label for label in derivatives if label.startswith("interaction.")]
    values = [squared, *mixed, *(_field(interaction, label) for label in fields)]

    def factor(s: Array, *others: Array) -> tuple[Array]:
        parameters, rest = others[: len(mixed)], others[len(mixed) :]
        own: dict[str, Any] = {}
        of_cutoff: dict[str, Any] = {}
        for label, value in zip(fields, rest, strict=True):
            *_, last = words = label.split(".")
            (of_cutoff if len(words) == 3 else own)[last] = value
        changed = interaction
        if of_cutoff:
            changed = changed.with_fields(cutoff=cutoff.with_fields(**of_cutoff))
        changed = changed.with_fields(**own)
        return (factor_of(changed, parameters, s, backend=on),)

    (wanted,) = factor(*values)
    _require("f", form.factor, wanted, distances, name)
    labels = ["s", *interaction.atom_parameters, *fields]
    for k, label in enumerate(labels):
        tangents = [xp.ones_like(v) if k == m else None for m, v in enumerate(values)]
        _, (slope,) = on.jvp(factor, tuple(values), tangents)
        given = form.slope if label == "s" else derivatives[label]
        _require(f"df/d({label})", given, slope, distances, name)


def _derivatives(form: ClosedForm, interaction: Any) -> dict[str, Array]:
    """Return the derivatives by parameter, and by field of one number, with their names."""
    own, cutoff = own_fields(interaction), cutoff_of(interaction)
    names = [*interaction.atom_parameters, *(f"interaction.{name}" for name in own)]
    found = dict(zip(names, form.by_parameter, strict=False))
    of_cutoff = [f"interaction.cutoff.{name}" for name in cutoff._dynamic_names]
    found |= dict(zip(of_cutoff, form.by_cutoff, strict=True))
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("interaction.") or _is_number(_field(interaction, name))
    }


def _field(interaction: Any, label: str) -> Any:
    value = interaction
    for word in label.split(".")[1:]:
        value = getattr(value, word)
    return value


def _is_number(value: Any) -> bool:
    return getattr(value, "shape", None) == ()


def _require(what: str, found: Any, wanted: Array, distances: list[float], name: str) -> None:
    """Raise unless a derivative of the closed form is that of the energy at each distance."""
    xp = host_namespace()
    expected = xp.zeros(len(distances)) + on_host(wanted)
    given = xp.zeros(len(distances)) + (on_host(found) if hasattr(found, "dtype") else found)
    size = xp.abs(expected)
    require_close(
        f"{what} in closed form on {name}",
        given,
        expected,
        wanted_is="by differentiating the energy",
        absolute=_OF_VALUE * size + _OF_LARGEST * xp.max(size),
        labels=[f"at r = {r:.6g} nm" for r in distances],
    )
