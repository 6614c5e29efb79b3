"""Small shapes at every distance and angle: pairs, and the atoms of bonded terms."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from xpmd.atoms import Atoms
from xpmd.backend import Backend
from xpmd.concrete import concrete
from xpmd.module import flatten
from xpmd.orthorhombic_boundary import CubicBoundary
from xpmd.system import System
from xpmd.testing.agreement import host_namespace
from xpmd.testing.listed_pairs import ListedPairs
from xpmd.testing.sample import Sample

Array = Any

_N_SWEEP = 40
_N_SPECIAL = 10


class Shapes(NamedTuple):
    """Many shapes in one System, each on its own: positions `(shapes, atoms, 3)` and what each is."""

    positions: Array
    labels: list[str]

    def by_rows(self) -> dict[int, list[str]]:
        """Return what each row is of an array with one a shape, and of one with one an atom."""
        size = int(self.positions.shape[1])
        atoms = [label for label in self.labels for _ in range(size)]
        return {len(self.labels): self.labels, len(atoms): atoms}


def pairs(sample: Sample) -> tuple[Shapes, list[float]]:
    """Return pairs of atoms from 0.3 to 1.2 of the cutoff, and their distances, nm.

    The cutoff itself is among them, and every parameter that is a length in this range: a potential
    may begin or end there.
    """
    length = sample.length
    grid = [length * (0.3 + 0.9 * k / (_N_SWEEP - 1)) for k in range(_N_SWEEP)]
    special = [length * (1.0 - 1e-12), length, length * (1.0 + 1e-12)]
    for leaf in flatten((sample.interaction, sample.given_atoms))[0]:
        known = concrete(leaf)
        if isinstance(known, float) and grid[0] <= known <= grid[-1]:
            special.append(known)
    found = [*dict.fromkeys(special)][:_N_SPECIAL]
    # Always as many, so that a library that compiles does so once for all interactions.
    filling = [length * (0.31 + 0.01 * k) for k in range(_N_SPECIAL - len(found))]
    distances = sorted([*grid, *found, *filling])
    apart = 4.0 * distances[-1]
    # Both atoms have the same y and z, and the first has x = 0: the distance is exact.
    positions = [[[0.0, 0.0, k * apart], [r, 0.0, k * apart]] for k, r in enumerate(distances)]
    labels = [f"at r = {r:.10g} nm" for r in distances]
    return Shapes(host_namespace().asarray(positions), labels), distances


def bonded(size: int, length: float) -> Shapes:
    """Return 2, 3 or 4 atoms at all distances, angles or dihedrals, the degenerate ones included."""
    if size == 2:
        distances = [0.0, 1e-9 * length, *(length * (0.3 + 0.1 * k) for k in range(10))]
        rows: list[Any] = [[[0, 0, 0], [r, 0, 0]] for r in distances]
        return _shapes(rows, [f"at r = {r:.4g} nm" for r in distances])
    if size == 3:
        angles = [1e-6, *(math.pi * k / 12 for k in range(1, 12)), math.pi - 1e-6]
        rows = [[_turned(a, length), [0, 0, 0], [length, 0, 0]] for a in angles]
        words = [f"at an angle of {a:.6g}" for a in angles]
        rows += [[[x, 0, 0], [0, 0, 0], [length, 0, 0]] for x in (-length, length, 0.0)]
        words += ["with three atoms in a row", "folded back onto itself", "with two at one place"]
        return _shapes(rows, words)
    turns = [math.pi * k / 8 for k in range(-8, 9)]
    axis = [[0, 0, 0], [0, 0, length]]
    start = [length, 0, -0.3 * length]
    ends = [[*_turned(a, length)[:2], 1.2 * length] for a in turns]
    rows = [[start, *axis, end] for end in ends]
    words = [f"at a dihedral of {a:.6g}" for a in turns]
    rows += [[[0, 0, -length], *axis, [0, 0, 2 * length]], [[0, 0, -length], *axis, ends[1]]]
    words += ["with four atoms in a row", "with the first three atoms in a row"]
    rows += [[start, [0, 0, 0], [0, 0, 0], ends[1]]]
    words += ["with the middle atoms at one place"]
    return _shapes(rows, words)


def system_of_pairs(sample: Sample, shapes: Shapes, on: Backend) -> System:
    """Return a System in which each pair is on its own."""
    listed = [[2 * k, 2 * k + 1] for k in range(len(shapes.labels))]
    return _system(sample, shapes, on, neighbor_finder=ListedPairs(listed))


def system_of_terms(sample: Sample, shapes: Shapes, on: Backend) -> System:
    """Return a System with one bonded term a shape, taking parameters of the given terms in turn."""
    xp, interaction = host_namespace(), sample.interaction
    n_shapes, size = shapes.positions.shape[:2]
    n_terms = int(sample.terms.shape[0])
    changes: dict[str, Any] = {}
    for name, value in interaction.parameters_by_term().items():
        if isinstance(value, (int, float)):
            # One a term, so that a derivative that is not a number says where.
            changes[name] = xp.full(n_shapes, float(value))
        elif isinstance(value, list) or len(getattr(value, "shape", ())) > 0:
            rows = xp.asarray(concrete(value))
            if n_terms > 1 and rows.shape[0] == n_terms:
                changes[name] = rows[[k % n_terms for k in range(n_shapes)]]
    changes["atoms"] = [[size * k + a for a in range(size)] for k in range(n_shapes)]
    return _system(sample, shapes, on, interactions=(interaction.with_fields(**changes),))


def _system(sample: Sample, shapes: Shapes, on: Backend, **changes: Any) -> System:
    xp = host_namespace()
    coords = xp.reshape(shapes.positions, (-1, 3))
    n_atoms = int(coords.shape[0])
    parameters = {}
    for name, given in sample.given_atoms.parameters.items():
        value = xp.asarray(concrete(given))
        if value.ndim:
            value = value[[k % value.shape[0] for k in range(n_atoms)]]
        parameters[name] = xp.zeros(n_atoms) + value
    atoms = Atoms(1.0, **parameters)
    return sample.system(
        on, coords=coords, atoms=atoms, boundary=CubicBoundary(math.inf), **changes
    )


def _turned(angle: float, length: float) -> list[float]:
    return [length * math.cos(angle), length * math.sin(angle), 0.0]


def _shapes(rows: list[Any], labels: list[str]) -> Shapes:
    xp = host_namespace()
    return Shapes(xp.asarray(rows, dtype=xp.float64), labels)
