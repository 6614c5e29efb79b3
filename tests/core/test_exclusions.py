"""Exclusions: who is joined by how many bonds, and that excluded pairs contribute nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xpmd as md
from xpmd_interactions import Coulomb, LennardJones
from xpmd_neighbors import DistanceNeighborFinder

N_ATOMS = 8
#: A branched chain with a ring of four: 0-1-2-3, 3-4-5-6-3 and 7 on its own.
BONDS = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6, 3]]


def bonds_between(n_atoms: int, bonds: Any) -> Any:
    """The fewest bonds from each atom to each, from powers of the adjacency matrix."""
    joined = np.zeros((n_atoms, n_atoms), dtype=int)
    for a, b in bonds:
        joined[a, b] = joined[b, a] = 1
    fewest = np.full((n_atoms, n_atoms), -1)
    walks = np.eye(n_atoms, dtype=int)
    for length in range(n_atoms):
        fewest[(fewest < 0) & (walks > 0)] = length
        walks = np.minimum(walks @ joined, 1)
    return fewest


@st.composite
def molecules(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    n_atoms = draw(st.integers(2, 9))
    possible = list(itertools.combinations(range(n_atoms), 2))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, max_size=2 * n_atoms))
    return n_atoms, [draw(st.permutations(list(pair))) for pair in chosen]


@given(molecule=molecules(), distances=st.sets(st.integers(1, 5), min_size=1))
@settings(max_examples=200, deadline=None)
def test_bonded_pairs_are_those_of_the_graph(molecule: Any, distances: set[int]) -> None:
    n_atoms, bonds = molecule
    fewest = bonds_between(n_atoms, bonds)
    expected = {
        (a, b) for a, b in itertools.combinations(range(n_atoms), 2) if fewest[a, b] in distances
    }
    found = md.bonded_pairs(bonds, distances)
    assert len(found) == len(expected)
    assert {tuple(pair) for pair in found} == expected


def test_pairs_of_a_branched_chain_with_a_ring() -> None:
    # In the ring 4 and 6 are joined both ways round, and 3 and 5 are two bonds apart, not three.
    assert md.bonded_pairs(BONDS, [3]) == [[0, 3], [1, 4], [1, 6], [2, 5]]
    assert md.bonded_pairs(np.array(BONDS), range(1, 2)) == [
        sorted(bond) for bond in sorted_bonds()
    ]
    assert md.bonded_pairs([], [1, 2, 3]) == []
    assert md.bonded_pairs(BONDS, []) == []


def sorted_bonds() -> list[list[int]]:
    return sorted(sorted(bond) for bond in BONDS)


@pytest.mark.parametrize("through", [1, 2, 3])
def test_exclusions_from_bonds(through: int) -> None:
    fewest = bonds_between(N_ATOMS, BONDS)
    found = md.Exclusions.from_bonds(BONDS, through=through)
    expected = [
        [a, b] for a, b in itertools.combinations(range(N_ATOMS), 2) if 1 <= fewest[a, b] <= through
    ]
    assert sorted(found.pairs) == expected
    # The table of partners says the same, from both ends.
    partners = found.for_atoms(N_ATOMS)
    for a, row in enumerate(partners):
        joined = [b for b in range(N_ATOMS) if 1 <= fewest[a, b] <= through]
        assert row == joined + [-1] * (len(partners[0]) - len(joined))


COORDS = np.random.default_rng(3).uniform(0.0, 2.2, (N_ATOMS, 3))
SIGMA = np.linspace(0.25, 0.35, N_ATOMS)
CHARGE = np.array([0.3, -0.2, 0.1, 0.4, -0.5, 0.2, -0.3, 0.0])
EXCLUDED = md.bonded_pairs(BONDS, [1, 2, 3])
SIDE, RC = 2.2, 1.0


def kept_pairs() -> list[tuple[int, int]]:
    excluded = {tuple(pair) for pair in EXCLUDED}
    return [p for p in itertools.combinations(range(N_ATOMS), 2) if p not in excluded]


def summed(pairs: Any) -> tuple[float, Any, Any]:
    """Energy, forces and virial of the listed pairs, added up one by one."""
    energy, forces, virial = 0.0, np.zeros((N_ATOMS, 3)), np.zeros((3, 3))
    for a, b in pairs:
        d = COORDS[a] - COORDS[b]
        d -= SIDE * np.round(d / SIDE)
        r = np.linalg.norm(d)
        if r > RC:
            continue
        sixth = ((SIGMA[a] + SIGMA[b]) / 2 / r) ** 6
        charges = 138.935457644 * CHARGE[a] * CHARGE[b]
        energy += 4 * 0.2 * (sixth**2 - sixth) + charges / r
        pull = (24 * 0.2 * (2 * sixth**2 - sixth) / r + charges / r**2) * d / r
        forces[a] += pull
        forces[b] -= pull
        virial += np.outer(d, pull)
    return energy, forces, virial


def charged(array: Callable[..., Any], **options: Any) -> md.System:
    cutoff = md.DistanceCutoff(RC)
    return md.System(
        md.Atoms(sigma=array(SIGMA), epsilon=0.2, charge=array(CHARGE)),
        array(COORDS),
        md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=cutoff), Coulomb(cutoff=cutoff)],
        **options,
    )


@pytest.mark.parametrize("finder", [None, DistanceNeighborFinder(cutoff=1.05)])
def test_excluded_pairs_contribute_nothing(
    on: md.Backend, array: Callable[..., Any], finder: md.NeighborFinder | None
) -> None:
    built = charged(array, exclusions=md.Exclusions(EXCLUDED), neighbor_finder=finder)
    energy, forces, virial = summed(kept_pairs())
    assert energy != pytest.approx(summed(itertools.combinations(range(N_ATOMS), 2))[0], rel=0.01)
    found = {
        "energy": (md.potential_energy(built), energy),
        "forces": (md.forces(built), forces),
        "virial": (md.virial(built), virial),
    }
    for name, (value, expected) in found.items():
        size = np.abs(expected).max()
        np.testing.assert_allclose(on.to_numpy(value), expected, atol=1e-12 * size, err_msg=name)


def test_order_within_a_pair_does_not_matter(array: Callable[..., Any]) -> None:
    backwards = [[b, a] for a, b in reversed(EXCLUDED)]
    one = charged(array, exclusions=md.Exclusions(EXCLUDED))
    other = charged(array, exclusions=md.Exclusions(np.array(backwards)))
    assert float(md.potential_energy(one)) == float(md.potential_energy(other))


def test_when_every_pair_is_excluded_nothing_is_left(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    everything = list(itertools.combinations(range(N_ATOMS), 2))
    built = charged(array, exclusions=md.Exclusions(everything))
    assert float(md.potential_energy(built)) == 0.0
    assert not on.to_numpy(md.forces(built)).any()


def test_no_exclusions_are_no_exclusions(array: Callable[..., Any]) -> None:
    assert charged(array, exclusions=md.Exclusions([])).exclusions is None
    plain = float(md.potential_energy(charged(array)))
    assert plain == pytest.approx(summed(itertools.combinations(range(N_ATOMS), 2))[0], rel=1e-13)


def loss(sigma: Any, array: Callable[..., Any]) -> Any:
    coords = COORDS.copy()
    coords[1] = coords[0]
    built = md.System(
        md.Atoms(sigma=sigma, epsilon=0.2),
        array(coords),
        md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(RC))],
        exclusions=md.Exclusions(EXCLUDED),
    )
    return md.potential_energy(built) + md.forces(built)[7, 0] ** 2


def test_overlapping_excluded_atoms_do_no_harm(on: md.Backend, array: Callable[..., Any]) -> None:
    """The distance of an excluded pair is never looked at, forwards or backwards."""
    value, slope = md.value_and_grad(lambda sigma: loss(sigma, array), backend=on, jit=True)(0.3)
    ends = [loss(0.3 + step, np.asarray) for step in (1e-6, -1e-6)]
    assert float(value) == pytest.approx(float(loss(0.3, np.asarray)), rel=1e-12)
    assert float(slope) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)
