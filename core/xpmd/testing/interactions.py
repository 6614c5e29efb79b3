"""The checks of an interaction."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xpmd.atoms import Atoms
from xpmd.closed_form import has_closed_form
from xpmd.general import GeneralInteraction
from xpmd.pairwise import PairwiseInteraction
from xpmd.specific import SpecificInteraction
from xpmd.testing import (
    agreement_checks,
    closed_form_checks,
    derivative_checks,
    limit_checks,
    symmetry_checks,
)
from xpmd.testing.backends_at_hand import backend_names
from xpmd.testing.check import Check, Report, run_checks, with_exemptions
from xpmd.testing.component_checks import component_checks
from xpmd.testing.sample import Sample

Array = Any


def interaction_checks(
    interaction: Any,
    *,
    atoms: Atoms | None = None,
    coords: Any = None,
    boundary: Any = None,
    length: float | None = None,
    n_atoms: int | None = None,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of an interaction, to be made one by one; arguments as `check_interaction`."""
    kinds = (PairwiseInteraction, SpecificInteraction, GeneralInteraction)
    if isinstance(interaction, type) or not isinstance(interaction, kinds):
        raise TypeError(
            f"`interaction` = {interaction!r} must be an instance of an interaction: a subclass of "
            f"{', '.join(kind.__name__ for kind in kinds)}."
        )
    names = backend_names(interaction, backends)
    sample = Sample(
        interaction,
        atoms=atoms,
        coords=coords,
        boundary=boundary,
        length=length,
        n_atoms=n_atoms,
        names=names,
    )
    once: dict[str, Callable[[Sample], None]] = {
        "third_law": symmetry_checks.third_law,
        "translation": symmetry_checks.translation,
        "rotation": symmetry_checks.rotation,
        "permutation": symmetry_checks.permutation,
        "lattice_shift": symmetry_checks.lattice_shift,
    }
    each: dict[str, Callable[[Sample, str], None]] = {
        "force_gradients": derivative_checks.force_gradients,
        "agreement": agreement_checks.agreement,
        "precision": agreement_checks.precision,
        "compilation": agreement_checks.compilation,
        "nearby": limit_checks.nearby,
    }
    if sample.has_energy:
        each["forces"] = derivative_checks.forces
        each["energy_gradients"] = derivative_checks.energy_gradients
        each["virial"] = derivative_checks.virial
    if isinstance(interaction, PairwiseInteraction):
        each["sweep"] = limit_checks.sweep
        if has_closed_form(interaction):
            each["radial"] = closed_form_checks.radial
    if isinstance(interaction, SpecificInteraction):
        each["coordinate"] = limit_checks.coordinate
    listed = isinstance(interaction, SpecificInteraction)
    if not listed and getattr(interaction, "needs_neighbors", True):
        each["padding"] = limit_checks.padding
    checks = component_checks(interaction, ("energy", "forces"))
    checks += [Check(word, functools.partial(run, sample)) for word, run in once.items()]
    checks += [
        Check(f"{word}-{name}", functools.partial(run, sample, name))
        for name in names
        for word, run in each.items()
        # The first is what the others are compared with.
        if not (word == "agreement" and name == names[0])
    ]
    return with_exemptions(checks, exempt)


def check_interaction(interaction: Any, **settings: Any) -> Report:
    """Check an interaction on every installed backend.

    Forces are held against the energy, gradients with respect to every parameter against finite
    differences, the virial against strain; momentum, translation, rotation, order of the atoms and
    periodic images are tried; backends, float32 and compiled code are compared; nothing may be NaN
    near the cutoff, in the padding of a neighbor list or where bonded atoms meet or stand in a row. A
    closed form (`radial`) is held against the energy.

    Args:
        interaction: an instance, such as `Buckingham(cutoff=md.ShiftedForceCutoff(1.2))`. A sharp
            cutoff is fine: no pair of the sample is near it.
        atoms: parameters the interaction needs. One number for all atoms is spread by 3%, so that
            mixing is looked at; arrays `(n,)` are taken as they are.
        coords: positions `(n, d)`, nm; scattered, or in a chain for bonded terms, if left out.
        boundary: the box; a periodic one that fits if left out.
        length: over which the interaction changes, nm; its cutoff if it has one, else 1, and 0.2 for
            bonded terms.
        n_atoms: how many atoms, 8 if left out.
        backends: names of the backends; those the component is registered for, or all.
        exempt: why a check cannot hold, by its name, such as
            `{"translation": "it ties atoms to places"}`; that it then fails is checked, too.

    Returns:
        The report: what holds, and what was not tried and why.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(type(interaction).__name__, interaction_checks(interaction, **settings))
