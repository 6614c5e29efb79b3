"""Forces and parameter gradients of every interaction against finite differences of energies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import xpmd as md
from oracles import finite_differences
from slow_on_jax import slow_on_jax
from xpmd_interactions.general.muller_brown import MullerBrown
from xpmd_interactions.pairwise.coulomb import Coulomb
from xpmd_interactions.pairwise.lennard_jones import LennardJones
from xpmd_interactions.specific.harmonic_angle import HarmonicAngle
from xpmd_interactions.specific.harmonic_bond import HarmonicBond
from xpmd_interactions.specific.periodic_torsion import PeriodicTorsion

Parameters = dict[str, Any]
SIDE, N_ATOMS = 1.6, 7


@dataclass(frozen=True)
class Case:
    """An interaction by its parameters, all of which are differentiated, and where it is tried."""

    parameters: Parameters
    interaction: Callable[[Parameters], Any]
    dimensions: int = 3

    def geometry(self, seed: int) -> Any:
        """Return disordered coordinates, some pairs of which are nearest through the boundary."""
        rng = np.random.default_rng(seed)
        if self.dimensions == 2:
            return rng.uniform(-1.0, 1.0, (N_ATOMS, 2))
        coords = rng.uniform(0.0, SIDE, (N_ATOMS, 3))
        while not smooth(coords):
            coords = rng.uniform(0.0, SIDE, (N_ATOMS, 3))
        return coords + SIDE * rng.integers(-1, 2, (N_ATOMS, 3))

    def system(self, on: md.Backend, p: Parameters, dtype: str = "float64") -> md.System:
        atoms = {name: p[name] for name in ("charge", "sigma", "epsilon") if name in p}
        open_plane = md.RectangularBoundary(float("inf"), float("inf"))
        return md.System(
            md.Atoms(**atoms),
            on.asarray(p["coords"], dtype=dtype),
            open_plane if self.dimensions == 2 else md.CubicBoundary(p["side"]),
            interactions=[self.interaction(p)],
            dtype=dtype,
        )


def smooth(coords: Any) -> bool:
    """Return whether no pair is near a place where a cutoff or the nearest image has a kink."""
    delta = (coords[:, None] - coords)[np.triu_indices(N_ATOMS, 1)]
    delta -= SIDE * np.round(delta / SIDE)
    r = np.linalg.norm(delta, axis=1)
    kinks = [abs(r - x).min() for x in SWITCHED.values()] + [(SIDE / 2 - abs(delta)).min()]
    return bool(r.min() > 0.28 and min(kinks) > 0.004)


def per_atom(low: float, high: float) -> list[float]:
    return np.random.default_rng(3).uniform(low, high, N_ATOMS).tolist()


LJ: Parameters = {"sigma": per_atom(0.25, 0.35), "epsilon": per_atom(0.2, 1.0)}
CHARGES: Parameters = {"charge": [0.4, -0.3, 0.7, -0.6, 0.2, 0.5, -0.9]}
SWITCHED = {"activation": 0.55, "distance": 0.75}
SMOOTH = {"distance": SWITCHED["distance"]}

CASES: dict[str, Case] = {
    "lennard_jones": Case(LJ, lambda p: LennardJones()),
    "lennard_jones_one_kind": Case(
        {"sigma": 0.3, "epsilon": 0.4}, lambda p: LennardJones(cutoff=md.DistanceCutoff(0.75))
    ),
    # Forces have no derivative by the distance, at which they jump.
    "shifted_potential": Case(
        LJ, lambda p: LennardJones(cutoff=md.ShiftedPotentialCutoff(SMOOTH["distance"]))
    ),
    "shifted_force": Case(
        {**LJ, **SMOOTH}, lambda p: LennardJones(cutoff=md.ShiftedForceCutoff(p["distance"]))
    ),
    "cubic_spline": Case(
        {**LJ, **SWITCHED},
        lambda p: LennardJones(cutoff=md.CubicSplineCutoff(p["activation"], p["distance"])),
    ),
    "polynomial": Case(
        {**LJ, **SWITCHED},
        lambda p: LennardJones(cutoff=md.PolynomialCutoff(p["activation"], p["distance"])),
    ),
    "coulomb": Case({**CHARGES, "constant": 138.9}, lambda p: Coulomb(constant=p["constant"])),
    "coulomb_shifted_force": Case(
        {**CHARGES, **SMOOTH}, lambda p: Coulomb(cutoff=md.ShiftedForceCutoff(p["distance"]))
    ),
    "bonds": Case(
        {"k": [900.0, 500.0, 700.0], "r0": [0.4, 0.5, 0.3]},
        lambda p: HarmonicBond([[0, 1], [1, 2], [4, 0]], p["k"], p["r0"]),
    ),
    "bonds_one_kind": Case(
        {"k": 900.0, "r0": 0.4}, lambda p: HarmonicBond([[0, 1], [1, 2]], p["k"], p["r0"])
    ),
    "angles": Case(
        {"k": [90.0, 50.0], "theta0": [1.9, 2.2]},
        lambda p: HarmonicAngle([[0, 1, 2], [5, 4, 6]], p["k"], p["theta0"]),
    ),
    "torsions": Case(
        {"periodicity": [1.0, 3.0, 2.0], "phase": [0.0, 3.0, 1.0], "k": [4.0, 7.0, 2.0]},
        lambda p: PeriodicTorsion(
            [[0, 1, 2, 3], [0, 1, 2, 3], [6, 4, 5, 1]], p["periodicity"], p["phase"], p["k"]
        ),
    ),
    "torsions_of_several_terms": Case(
        {
            "periodicity": [[1.0, 3.0], [2.0, 4.0]],
            "phase": [0.0, 3.0],
            "k": [[4.0, 7.0], [2.0, 1.0]],
        },
        lambda p: PeriodicTorsion(
            [[0, 1, 2, 3], [6, 4, 5, 1]], p["periodicity"], p["phase"], p["k"]
        ),
    ),
    "special_pairs": Case(
        {"weight": [0.5, 0.8], "s": [0.5, 0.4], "e": [0.4, 0.9]},
        lambda p: md.SpecialPairs(
            [[0, 3], [2, 5]],
            LennardJones(),
            p["weight"],
            parameters={"sigma": p["s"], "epsilon": p["e"]},
        ),
    ),
    "special_pairs_mixed": Case(
        {"sigma": LJ["sigma"], "weight": 0.5, "e": 0.4},
        lambda p: md.SpecialPairs(
            [[0, 3], [2, 5]], LennardJones(), p["weight"], parameters={"epsilon": p["e"]}
        ),
    ),
    "mueller_brown": Case(
        {name: getattr(MullerBrown(), name) for name in ("A", "a", "b", "c", "x0", "y0")},
        lambda p: MullerBrown(**{name: p[name] for name in ("A", "a", "b", "c", "x0", "y0")}),
        dimensions=2,
    ),
}


def probe(case: Case, on: md.Backend, p: Parameters, weights: Any) -> Any:
    """Return U + sum w F: its gradient needs first and second derivatives of the energy."""
    system = case.system(on, p)
    forces = md.forces(system)
    xp = on.xp(forces)
    w = on.asarray(weights, dtype="float64")
    return md.potential_energy(system) + xp.sum(w * forces)


def weights_of(case: Case) -> Any:
    return np.random.default_rng(9).normal(0.0, 0.02, (N_ATOMS, case.dimensions))


def parameters_at(case: Case, seed: int) -> Parameters:
    box = {} if case.dimensions == 2 else {"side": SIDE}
    return {**case.parameters, **box, "coords": case.geometry(seed)}


@cache
def expected_forces(name: str, seed: int) -> Any:
    """Return forces by fourth-order differences of the energy."""
    case, on = CASES[name], md.backend("numpy")
    p = parameters_at(case, seed)

    def energy(coords: Any) -> float:
        return float(md.potential_energy(case.system(on, {**p, "coords": coords})))

    return -finite_differences.gradient(energy, p["coords"], step=5e-5)


@cache
def expected_gradient(name: str) -> Parameters:
    """Return the gradient of `probe` by fourth-order differences, parameter by parameter."""
    case, on = CASES[name], md.backend("numpy")
    p, weights = parameters_at(case, 0), weights_of(CASES[name])

    def of(key: str) -> Any:
        def value(x: Any) -> float:
            changed = tuple(x) if isinstance(p[key], tuple) else x
            return float(probe(case, on, {**p, key: changed}, weights))

        return finite_differences.gradient(
            value, np.asarray(p[key], dtype=float), step=5e-5 if key in ("coords", "side") else None
        )

    return {key: of(key) for key in p}


@slow_on_jax
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_forces(name: str, seed: int, on: md.Backend) -> None:
    case = CASES[name]
    forces = on.to_numpy(md.forces(case.system(on, parameters_at(case, seed))))
    expected = expected_forces(name, seed)
    largest = np.abs(expected).max()
    assert largest > 1e-3
    assert np.abs(forces - expected).max() < 1e-9 * largest


@slow_on_jax
@pytest.mark.parametrize("name", CASES)
def test_gradients_of_energy_and_forces(name: str, on: md.Backend) -> None:
    """Every field, every atom parameter, the box and the coordinates."""
    case = CASES[name]
    p, weights = parameters_at(case, 0), weights_of(case)
    start = {
        key: tuple(on.asarray(x, dtype="float64") for x in value)
        if isinstance(value, tuple)
        else on.asarray(value, dtype="float64")
        for key, value in p.items()
    }
    _, found = md.value_and_grad(lambda q: probe(case, on, q, weights))(start)
    expected = expected_gradient(name)
    for key in p:
        value = found[key]
        ours = np.array(
            [on.to_numpy(x) for x in value] if isinstance(value, tuple) else on.to_numpy(value)
        )
        largest = np.abs(expected[key]).max()
        assert largest > 1e-3, f"{key} has no effect"
        assert np.abs(ours - expected[key]).max() < 1e-9 * largest, key


@slow_on_jax
@pytest.mark.parametrize("name", CASES)
def test_single_precision(name: str, on: md.Backend) -> None:
    case = CASES[name]
    p = parameters_at(case, 0)
    double, single = (case.system(on, p, dtype) for dtype in ("float64", "float32"))
    energies = [float(on.to_numpy(md.potential_energy(each))) for each in (double, single)]
    forces = [on.to_numpy(md.forces(each)) for each in (double, single)]
    assert forces[1].dtype == np.float32
    assert energies[1] == pytest.approx(energies[0], rel=1e-5)
    assert np.abs(forces[1] - forces[0]).max() < 2e-5 * np.abs(forces[0]).max()
