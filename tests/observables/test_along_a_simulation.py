"""Observables recorded along a simulation, and gradients of losses of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import xpmd as md
import xpmd_observables as obs
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_simulators import VelocityVerlet

SIDE = 2.0
BOX = md.CubicBoundary(SIDE)
GRID = np.stack(np.meshgrid([0.05, 1.05], [0.5, 1.5], [0.5, 1.5], indexing="ij"), axis=-1)
COORDS = GRID.reshape(-1, 3) + 0.05 * np.random.default_rng(0).normal(size=(8, 3))
VELOCITIES = np.random.default_rng(1).normal(size=(8, 3))
BONDS = [[0, 4], [1, 5]]
PARAMETERS = {"sigma": 0.85, "k": 300.0}

#: What is recorded, and every how many steps.
RECORDED: dict[str, tuple[Callable[[md.System], Any], int]] = {
    "coords": (lambda s: s.coords, 2),
    "velocities": (lambda s: s.velocities, 2),
    "g": (lambda s: obs.radial_distribution(s, r_max=0.9, n_bins=9)[1], 4),
    "order": (lambda s: obs.steinhardt(s, cutoff=1.0, degree=2, average="all"), 4),
    "rmsd": (lambda s: obs.rmsd(s, COORDS), 4),
    "rg": (lambda s: md.radius_of_gyration(obs.whole(s, BONDS), atoms=[0, 4]), 4),
    "pressure": (obs.scalar_pressure, 4),
    "energy": (obs.total_energy, 4),
    "dipole": (obs.dipole_moment, 4),
}


def mean(records: Any) -> Any:
    return md.backend_of(records).xp(records).mean(records, axis=0)


#: Terms of a loss: the records they need, their weight and their function.
TERMS: dict[str, tuple[str, float, Callable[[Any], Any]]] = {
    "structure": ("g", 1.0, lambda g: obs.squared_deviation(mean(g), 1.0)),
    "order": ("order", 2.0, mean),
    "shape": ("rmsd", 3.0, lambda d: d[-1]),
    "size": ("rg", 1.0, lambda r: obs.squared_deviation(r, 0.45, tolerance=0.01)),
    "pressure": ("pressure", 0.01, lambda p: obs.squared_deviation(p, 5.0)),
    "energy": ("energy", 0.1, lambda e: obs.squared_deviation(e, 100.0, scale=10.0)),
    "dipole": ("dipole", 0.1, lambda m: obs.squared_deviation(m, 0.0)),
    "motion": (
        "coords",
        5.0,
        lambda x: obs.diffusion_from_displacements(obs.mean_square_displacement(x, BOX), 0.02),
    ),
    "memory": (
        "velocities",
        0.5,
        lambda v: obs.diffusion_from_velocities(obs.velocity_autocorrelation(v), 0.02),
    ),
    "flexibility": ("coords", 1.0, lambda x: obs.fluctuation(obs.unwrapped(x, BOX))[2]),
}


def on_numpy(value: Any) -> np.ndarray:
    return np.asarray(value, dtype=float)


def system_of(array: Callable[..., Any], sigma: Any, k: Any) -> md.System:
    return md.System(
        md.Atoms(mass=10.0, sigma=sigma, epsilon=5.0, charge=array(np.tile([1.0, -1.0], 4))),
        array(COORDS),
        BOX,
        velocities=array(VELOCITIES),
        interactions=[
            LennardJones(cutoff=md.ShiftedForceCutoff(0.99)),
            HarmonicBond(atoms=BONDS, k=k, r0=0.9),
        ],
    )


def run(array: Callable[..., Any], names: Iterable[str], *, sigma: Any, k: Any) -> md.Result:
    observe = {
        name: md.Observe(function, every=every)
        for name, (function, every) in RECORDED.items()
        if name in names
    }
    return md.simulate(
        system_of(array, sigma, k), VelocityVerlet(dt=0.01), n_steps=8, observe=observe
    )


def loss_of(array: Callable[..., Any], terms: Iterable[str]) -> Callable[[Any], Any]:
    chosen = {name: TERMS[name] for name in terms}
    total = obs.WeightedSum(
        **{
            name: (weight, lambda found, record=record, function=function: function(found[record]))
            for name, (record, weight, function) in chosen.items()
        }
    )
    records = {record for record, _, _ in chosen.values()}

    def loss(parameters: dict[str, Any]) -> Any:
        return total.with_terms(run(array, records, **parameters).observations)

    return loss


@pytest.fixture(scope="module")
def expected():
    """The terms of the loss and their slopes by differences, on NumPy."""
    plain = loss_of(on_numpy, TERMS)
    _, terms = plain(PARAMETERS)
    slopes = {}
    for name, step in (("sigma", 1e-6), ("k", 0.1)):
        moved = [plain({**PARAMETERS, name: PARAMETERS[name] + sign * step})[1] for sign in (1, -1)]
        slopes[name] = {term: (moved[0][term] - moved[1][term]) / (2 * step) for term in terms}
    assert all(slopes["sigma"][term] != 0 for term in terms)
    return terms, slopes


def check(on, array, chosen, expected):
    terms, slopes = expected
    parameters = {name: array(number) for name, number in PARAMETERS.items()}
    function = md.value_and_grad(loss_of(array, chosen), has_aux=True, jit=True)
    (found, parts), gradient = function(parameters)
    value = sum(terms[name] for name in chosen)
    np.testing.assert_allclose(on.to_numpy(found), value, rtol=1e-9)
    for name in chosen:
        np.testing.assert_allclose(on.to_numpy(parts[name]), terms[name], rtol=1e-8, atol=1e-12)
    for name, slope in gradient.items():
        total = sum(slopes[name][term] for term in chosen)
        np.testing.assert_allclose(on.to_numpy(slope), total, rtol=1e-6)


def test_a_sum_of_losses_of_records_differentiates(on, array, expected):
    # What takes a compiler long has a slow test of its own.
    few = ("structure", "shape", "motion")
    check(on, array, few if on.capabilities.jit else tuple(TERMS), expected)


@pytest.mark.slow
def test_a_sum_of_all_losses_differentiates_where_it_is_compiled(on, array, expected):
    check(on, array, tuple(TERMS), expected)


def test_records_are_those_of_the_states():
    result = run(on_numpy, RECORDED, **PARAMETERS)
    records = result.observations
    assert records["coords"].shape == (5, 8, 3)
    assert records["g"].shape == (3, 9)
    assert records["dipole"].shape == (3, 3)
    np.testing.assert_allclose(records["energy"][-1], obs.total_energy(result.system))
    np.testing.assert_allclose(
        records["rmsd"], obs.rmsd(records["coords"][::2], COORDS), rtol=1e-12
    )


def test_observables_are_found_by_name():
    names = {entry.name for entry in md.plugins.list("observable")}
    losses = {"WeightedSum", "contact_map_match", "radial_distribution_match", "squared_deviation"}
    assert set(obs.__all__) - losses <= names
    for name in set(obs.__all__) - losses:
        assert md.plugins.get("observable", name) is getattr(obs, name)
    for name in losses:
        assert callable(getattr(obs, name))
    by_name = md.create("observable", "pair_distances", pairs=BONDS)
    system = system_of(on_numpy, **PARAMETERS)
    np.testing.assert_allclose(by_name(system), obs.pair_distances(system, BONDS))
