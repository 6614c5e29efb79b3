"""Special pairs: 1-4 pairs with weights and parameters of their own, term by term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import Coulomb, LennardJones

SIDE = 2.4
COORDS = np.random.default_rng(7).uniform(0.0, SIDE, (6, 3))
SIGMA = np.linspace(0.25, 0.35, 6)
EPSILON = np.linspace(0.1, 0.6, 6)
CHARGE = np.array([0.3, -0.2, 0.1, 0.4, -0.5, 0.2])
PAIRS = np.array([[0, 3], [1, 4], [5, 2]])
WEIGHT = np.array([0.5, 0.8, 0.25])


def displacements() -> Any:
    d = COORDS[PAIRS[:, 0]] - COORDS[PAIRS[:, 1]]
    return d - SIDE * np.round(d / SIDE)


def lennard_jones(r: Any, sigma: Any, epsilon: Any) -> tuple[Any, Any]:
    sixth = (sigma / r) ** 6
    return 4 * epsilon * (sixth**2 - sixth), 24 * epsilon * (2 * sixth**2 - sixth) / r


def coulomb(r: Any) -> tuple[Any, Any]:
    charges = 138.935457644 * CHARGE[PAIRS[:, 0]] * CHARGE[PAIRS[:, 1]]
    return charges / r, charges / r**2


def added(energies: Any, pulls: Any) -> tuple[float, Any, Any]:
    """Energy, forces and virial of pairs with given energies and forces along their distance."""
    d = displacements()
    vectors = pulls[:, None] * d / np.linalg.norm(d, axis=1)[:, None]
    forces = np.zeros_like(COORDS)
    np.add.at(forces, PAIRS[:, 0], vectors)
    np.add.at(forces, PAIRS[:, 1], -vectors)
    return float(np.sum(energies)), forces, d.T @ vectors


def mixed() -> tuple[Any, Any]:
    first, second = PAIRS.T
    return (SIGMA[first] + SIGMA[second]) / 2, np.sqrt(EPSILON[first] * EPSILON[second])


def system(array: Callable[..., Any], *interactions: Any, **options: Any) -> md.System:
    parameters = {"sigma": array(SIGMA), "epsilon": array(EPSILON), "charge": array(CHARGE)}
    return md.System(
        options.pop("atoms", md.Atoms(**parameters)),
        array(COORDS),
        md.CubicBoundary(SIDE),
        interactions=interactions,
        **options,
    )


def totals(built: md.System) -> Any:
    """Energy, forces and virial, compiled where the backend does that."""

    def evaluate(coords: Any) -> tuple[Any, ...]:
        moved = built.replace(coords=coords)
        return md.potential_energy(moved), md.forces(moved), md.virial(moved)

    return built.backend.jit(evaluate)(built.coords)


def hold(on: md.Backend, built: md.System, expected: tuple[float, Any, Any]) -> None:
    found = totals(built)
    for value, wanted in zip(found, expected, strict=True):
        size = np.abs(wanted).max()
        np.testing.assert_allclose(on.to_numpy(value), wanted, rtol=1e-12, atol=1e-13 * size)


def test_a_weight_for_each_pair(on: md.Backend, array: Callable[..., Any]) -> None:
    energies, pulls = lennard_jones(np.linalg.norm(displacements(), axis=1), *mixed())
    built = system(array, md.SpecialPairs(PAIRS, LennardJones(), weight=array(WEIGHT)))
    hold(on, built, added(WEIGHT * energies, WEIGHT * pulls))


def test_one_weight_for_all_and_none_at_all(on: md.Backend, array: Callable[..., Any]) -> None:
    energies, pulls = coulomb(np.linalg.norm(displacements(), axis=1))
    hold(
        on,
        system(array, md.SpecialPairs(PAIRS, Coulomb(), weight=1.0 / 1.2)),
        added(energies / 1.2, pulls / 1.2),
    )
    hold(on, system(array, md.SpecialPairs(PAIRS, Coulomb())), added(energies, pulls))


def test_parameters_of_the_pairs_own(on: md.Backend, array: Callable[..., Any]) -> None:
    own_sigma, own_epsilon = np.array([0.31, 0.32, 0.33]), 0.7
    r = np.linalg.norm(displacements(), axis=1)
    both = {"sigma": array(own_sigma), "epsilon": own_epsilon}
    energies, pulls = lennard_jones(r, own_sigma, own_epsilon)
    # Nothing is asked of the atoms when the pairs bring everything.
    plain = system(array, md.SpecialPairs(PAIRS, LennardJones(), parameters=both), atoms=md.Atoms())
    hold(on, plain, added(energies, pulls))


@pytest.mark.parametrize("own", ["sigma", "epsilon"])
def test_one_parameter_of_their_own_and_one_mixed(
    on: md.Backend, array: Callable[..., Any], own: str
) -> None:
    value = {"sigma": 0.31, "epsilon": 0.7}[own]
    sigma, epsilon = mixed()
    r = np.linalg.norm(displacements(), axis=1)
    used = {"sigma": sigma, "epsilon": epsilon, own: value}
    energies, pulls = lennard_jones(r, used["sigma"], used["epsilon"])
    # The parameter that the pairs bring need not be one of the atoms.
    atoms = {"sigma": array(SIGMA), "epsilon": array(EPSILON)}
    del atoms[own]
    special = md.SpecialPairs(PAIRS, LennardJones(), weight=array(WEIGHT), parameters={own: value})
    built = system(array, special, atoms=md.Atoms(**atoms))
    hold(on, built, added(WEIGHT * energies, WEIGHT * pulls))


def test_parameters_that_all_atoms_share(on: md.Backend, array: Callable[..., Any]) -> None:
    r = np.linalg.norm(displacements(), axis=1)
    energies, pulls = lennard_jones(r, 0.3, 0.2)
    built = system(
        array, md.SpecialPairs(PAIRS, LennardJones()), atoms=md.Atoms(sigma=0.3, epsilon=0.2)
    )
    hold(on, built, added(energies, pulls))


def test_a_cutoff_of_the_interaction_is_left_out(on: md.Backend, array: Callable[..., Any]) -> None:
    sharp = LennardJones(cutoff=md.DistanceCutoff(0.1))
    energies, pulls = lennard_jones(np.linalg.norm(displacements(), axis=1), *mixed())
    hold(on, system(array, md.SpecialPairs(PAIRS, sharp)), added(energies, pulls))


def test_excluded_from_the_ordinary_and_scaled_in_the_special(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    """The sum is the full one less the missing part of each special pair."""
    full = system(array, LennardJones())
    energies, pulls = lennard_jones(np.linalg.norm(displacements(), axis=1), *mixed())
    missing = added((1 - WEIGHT) * energies, (1 - WEIGHT) * pulls)
    built = system(
        array,
        LennardJones(),
        md.SpecialPairs(PAIRS, LennardJones(), weight=array(WEIGHT)),
        exclusions=md.Exclusions(PAIRS),
    )
    expected = [
        on.to_numpy(whole) - part for whole, part in zip(totals(full), missing, strict=True)
    ]
    hold(on, built, (float(expected[0]), expected[1], expected[2]))


def energy(values: dict[str, Any], array: Callable[..., Any]) -> Any:
    special = md.SpecialPairs(
        PAIRS, LennardJones(), weight=values["weight"], parameters={"sigma": values["own"]}
    )
    built = system(array, special, atoms=md.Atoms(epsilon=values["epsilon"]))
    return md.potential_energy(built) + md.forces(built)[0, 0] ** 2


VALUES = {"weight": WEIGHT, "own": np.array([0.31, 0.32, 0.33]), "epsilon": EPSILON}


@pytest.mark.parametrize("name", VALUES)
def test_gradients_reach_weights_parameters_and_atoms(
    on: md.Backend, array: Callable[..., Any], name: str
) -> None:
    given = {key: array(value) for key, value in VALUES.items()}
    found = md.grad(lambda value: energy({**given, name: value}, array), jit=True)(given[name])
    expected = np.zeros_like(VALUES[name])
    for place in range(len(expected)):
        step = np.eye(len(expected))[place] * 1e-6
        ends = [energy({**VALUES, name: VALUES[name] + h}, np.asarray) for h in (step, -step)]
        expected[place] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-6, atol=1e-6)
