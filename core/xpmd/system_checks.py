"""What must hold of a System before anything is computed. Values unknown now are left alone."""

from __future__ import annotations

import math
import warnings
from typing import Any

from xpmd.bonded_geometry import COORDINATES
from xpmd.concrete import concrete
from xpmd.cutoffs import Cutoff
from xpmd.module import Module
from xpmd.neighbor_finder import NeighborFinder
from xpmd.special_pairs import require_atom_parameters
from xpmd.specific import SpecificInteraction, atoms_a_term, takes_positions


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
        if not system.backend.is_array(value):
            raise TypeError(f"`{name}` = {value!r} must be a number or an array of numbers.")
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
    if known is None or name not in ("mass", "sigma", "epsilon"):
        return
    bad = known <= 0 if name == "mass" else known < 0
    if not bad.any():
        return
    where = f" of atom {int(bad.nonzero()[0][0])}" if known.ndim else ""
    what = f"`{name}` = {float(known[bad][0])}{where}"
    if name == "epsilon":
        warnings.warn(
            f"{what} is negative: a geometric mean with it is the well of its absolute value, or none.",
            stacklevel=5,
        )
        return
    raise ValueError(f"{what} must be {'positive' if name == 'mass' else 'zero or positive'}.")


def _specific(system: Any, interaction: SpecificInteraction) -> None:
    name, atoms = type(interaction).__name__, interaction.atoms
    if atoms.ndim != 2:
        raise ValueError(
            f"{name}: `atoms` has shape {tuple(atoms.shape)}; it must be (terms, atoms)."
        )
    terms, size = (int(length) for length in atoms.shape)
    wanted = atoms_a_term(type(interaction))
    if wanted is not None and size != wanted:
        raise ValueError(
            f"{name}: `atoms` has shape {tuple(atoms.shape)}; it must have {wanted} atoms in each row."
        )
    if not takes_positions(type(interaction)):
        if size not in COORDINATES:
            raise ValueError(
                f"{name}: {size} atoms a term have no distance or angle; write "
                "energy(x_i, ..., *, boundary, xp) instead."
            )
        if size == 4 and system.boundary.dimensions != 3:
            raise ValueError(
                f"{name}: a dihedral angle needs three dimensions; {type(system.boundary).__name__} "
                f"has {system.boundary.dimensions}."
            )
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
    interaction.check(system)
    for field, value in interaction.parameters_by_term().items():
        if value is None and getattr(type(interaction), field, ...) is not None:
            raise TypeError(
                f"{name}: `{field}` = None must be a number or one value a row of `atoms`."
            )
        shape = tuple(getattr(value, "shape", ()))
        if shape and shape[0] not in (1, terms):
            raise ValueError(
                f"{name}: `{field}` has shape {shape}; give a scalar or one value for each of the "
                f"{terms} rows of `atoms`."
            )


def _pairwise(system: Any) -> None:
    if not system.pairwise:
        return
    finder: NeighborFinder = system.neighbor_finder
    width = min(system.boundary.widths(), default=math.inf)
    half = width / 2
    # A side or a cutoff in single precision is a little more or less than the number that was given.
    rounded = 1 + (2e-7 if system.dtype == "float32" else 1e-12)
    limit = width * system.boundary.list_limit
    if limit * rounded < finder.reach < math.inf:
        raise ValueError(
            f"`neighbor_finder`: its cutoff {finder.reach} nm is over the smallest width of the tilted "
            f"box, {width} nm, up to which the nearest image is known. Use a larger box or less skin."
        )
    for interaction in system.pairwise:
        name = type(interaction).__name__
        cutoff = getattr(interaction, "cutoff", None)
        if hasattr(interaction, "cutoff") and not isinstance(cutoff, Cutoff):
            raise TypeError(
                f"{name}: `cutoff` = {cutoff} must be a cutoff, such as md.DistanceCutoff(1.0) or "
                "md.NoCutoff()."
            )
        require_atom_parameters(interaction, interaction.atom_parameters, system.atoms)
        reach = concrete(interaction.reach)
        if reach is None and interaction.reach is None and math.isfinite(finder.reach):
            raise ValueError(
                f"{name} has no cutoff, so a neighbor list up to {finder.reach} nm would lose pairs: "
                "give it a cutoff or leave `neighbor_finder` out."
            )
        if reach is None:
            continue
        if reach > half * rounded:
            raise ValueError(
                f"{name}: cutoff {reach} nm is over half the smallest box width, {2 * half} nm: an "
                "atom would see two images of another. Use a larger box or a smaller cutoff."
            )
        if reach > finder.reach * rounded:
            raise ValueError(
                f"{name}: cutoff {reach} nm is larger than the neighbor finder's {finder.reach} nm; "
                "pairs would be lost."
            )
