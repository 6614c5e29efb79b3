"""What must hold of a System before anything is computed. Values unknown now are left alone."""

from __future__ import annotations

import math
from typing import Any

from xpmd.bonded_geometry import COORDINATES
from xpmd.concrete import concrete
from xpmd.module import Module
from xpmd.neighbor_finder import NeighborFinder
from xpmd.specific import SpecificInteraction, parameter_names, takes_positions


def check_system(system: Any) -> None:
    """Raise `ValueError` or `TypeError` for the first thing that cannot be right."""
    n_atoms = system.n_atoms
    if tuple(system.velocities.shape) != tuple(system.coords.shape):
        raise ValueError(
            f"`velocities` has shape {tuple(system.velocities.shape)}, `coords` has "
            f"{tuple(system.coords.shape)}; they must agree."
        )
    _finite(system, "coords", system.coords)
    _finite(system, "velocities", system.velocities)
    for name, value in [("mass", system.atoms.mass), *system.atoms.parameters.items()]:
        if tuple(value.shape) not in ((), (n_atoms,)):
            raise ValueError(
                f"`{name}` has shape {tuple(value.shape)}; give a scalar or one value for each of the "
                f"{n_atoms} atoms."
            )
        _finite(system, name, value)
        _sign(system, name, value)
    for interaction in system.interactions:
        _finite_fields(system, type(interaction).__name__, interaction)
        if isinstance(interaction, SpecificInteraction):
            _specific(system, interaction)
    _finite_fields(system, type(system.boundary).__name__, system.boundary, allow_inf=True)
    _pairwise(system)


def _finite(system: Any, name: str, value: Any, *, allow_inf: bool = False) -> None:
    known = system.backend.known(value)
    if known is None:
        return
    bad = (known != known) if allow_inf else ~(abs(known) < math.inf)
    if bad.any():
        where = [int(axis[0]) for axis in bad.nonzero()] if known.ndim else None
        place = f" at index {where}" if where else ""
        raise ValueError(f"`{name}` has a value that is not finite ({known[bad][0]}){place}.")


def _finite_fields(system: Any, owner: str, value: Any, *, allow_inf: bool = False) -> None:
    if isinstance(value, Module):
        for name in value._dynamic_names:
            if name not in value._index_names:
                _finite_fields(system, f"{owner}.{name}", getattr(value, name), allow_inf=allow_inf)
    elif isinstance(value, dict):
        for key, part in value.items():
            _finite_fields(system, f"{owner}[{key!r}]", part, allow_inf=allow_inf)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _finite_fields(system, owner, part, allow_inf=allow_inf)
    elif system.backend.is_array(value):
        _finite(system, owner, value, allow_inf=allow_inf)


def _sign(system: Any, name: str, value: Any) -> None:
    known = system.backend.known(value)
    if known is None or name not in ("mass", "sigma"):
        return
    bad = known <= 0 if name == "mass" else known < 0
    if bad.any():
        wanted = "positive" if name == "mass" else "zero or positive"
        raise ValueError(f"`{name}` = {float(known[bad][0])} must be {wanted}.")


def _specific(system: Any, interaction: SpecificInteraction) -> None:
    name, atoms = type(interaction).__name__, interaction.atoms
    if atoms.ndim != 2:
        raise ValueError(
            f"{name}: `atoms` has shape {tuple(atoms.shape)}; it must be (terms, atoms)."
        )
    terms, size = atoms.shape
    if takes_positions(type(interaction)):
        fields = tuple(n for n in interaction._dynamic_names if n != "atoms")
    else:
        if size not in COORDINATES:
            raise ValueError(
                f"{name}: {size} atoms a term have no distance or angle; write "
                "energy(x_i, ..., *, boundary, xp) instead."
            )
        fields = parameter_names(type(interaction))
    known = system.backend.known(atoms)
    if known is not None and known.size:
        if known.min() < 0 or known.max() >= system.n_atoms:
            raise ValueError(
                f"{name}: `atoms` names atom {int(known.max() if known.min() >= 0 else known.min())}, "
                f"out of range for {system.n_atoms} atoms."
            )
        for row in known.tolist():
            if len(set(row)) != len(row):
                raise ValueError(f"{name}: `atoms` row {row} names an atom twice.")
    for field in fields:
        shape = getattr(getattr(interaction, field), "shape", None)
        if shape is not None and len(shape) > 0 and shape[0] not in (1, terms):
            raise ValueError(
                f"{name}: `{field}` has shape {tuple(shape)}; give a scalar or one value for each of "
                f"the {terms} rows of `atoms`."
            )


def _pairwise(system: Any) -> None:
    if not system.pairwise:
        return
    finder: NeighborFinder = system.neighbor_finder
    half = min(system.boundary.widths(), default=math.inf) / 2
    have = ["mass", *system.atoms.parameters]
    for interaction in system.pairwise:
        name = type(interaction).__name__
        missing = [p for p in interaction.atom_parameters if p not in have]
        if missing:
            raise ValueError(
                f"{name} needs the atom parameters {missing}; these atoms have {have}. "
                f"Give them as Atoms({missing[0]}=...)."
            )
        reach = concrete(interaction.reach)
        if reach is None and interaction.reach is None and math.isfinite(finder.reach):
            raise ValueError(
                f"{name} has no cutoff, so a neighbor list up to {finder.reach} nm would lose pairs: "
                "give it a cutoff or leave `neighbor_finder` out."
            )
        if reach is None:
            continue
        if reach > half * (1 + 1e-12):
            raise ValueError(
                f"{name}: cutoff {reach} nm is over half the smallest box width, {2 * half} nm: an "
                "atom would see two images of another. Use a larger box or a smaller cutoff."
            )
        if reach > finder.reach:
            raise ValueError(
                f"{name}: cutoff {reach} nm is larger than the neighbor finder's {finder.reach} nm; "
                "pairs would be lost."
            )
