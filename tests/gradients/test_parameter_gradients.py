"""The derivative of a run with respect to everything that goes into it, against finite differences."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optree
import pytest

import xpmd as md
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_simulators import Langevin, VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

N_STEPS = 8
SIDE = 1.8


@functools.cache
def start() -> tuple[Any, Any]:
    """Return eight atoms, some of which see each other across the boundary, and their velocities."""
    rng = np.random.default_rng(1)
    corners = np.stack(np.meshgrid([0.05, 0.9], [0.05, 0.95], [0.1, 1.0], indexing="ij"), axis=-1)
    coords = corners.reshape(-1, 3) + 0.05 * rng.standard_normal((8, 3))
    return coords, rng.standard_normal((8, 3))


@functools.cache
def parameters() -> dict[str, Any]:
    """Return every kind of number a run depends on, nested."""
    rng = np.random.default_rng(2)
    coords, velocities = start()
    return {
        "atoms": {
            "mass": 10.0 + rng.random(8),
            "sigma": 0.3 + 0.05 * rng.random(8),
            "epsilon": 0.5 + rng.random(8),
        },
        "start": [coords, velocities],
        "box": (np.asarray(SIDE),),
        "r0": np.array([0.75, 0.85]),
        "rule": {"dt": np.asarray(0.01), "temperature": np.asarray(300.0), "rate": np.asarray(5.0)},
    }


RULES: dict[str, Callable[[Any], md.Simulator]] = {
    "velocity verlet, berendsen": lambda p: VelocityVerlet(
        dt=p["dt"], coupling=BerendsenThermostat(temperature=p["temperature"], tau=1.0 / p["rate"])
    ),
    "langevin": lambda p: Langevin(dt=p["dt"], temperature=p["temperature"], friction=p["rate"]),
}


def loss(params: Any, rule: str) -> Any:
    """Return a smooth number: coordinates jump where they are wrapped, so it is of distances."""
    (coords, velocities), (side,) = params["start"], params["box"]
    system = md.System(
        atoms=md.Atoms(**params["atoms"]),
        coords=coords,
        velocities=velocities,
        boundary=md.CubicBoundary(side),
        interactions=[
            LennardJones(cutoff=md.PolynomialCutoff(0.7, 0.88)),
            HarmonicBond(atoms=[[0, 1], [2, 3]], k=100, r0=params["r0"]),
        ],
    )
    end = md.simulate(system, RULES[rule](params["rule"]), N_STEPS, seed=6).system
    xp = end.backend.xp(end.velocities)
    return xp.sum(xp.sin(2.0 * end.velocities)) + 0.1 * md.potential_energy(end)


@functools.cache
def differences(rule: str) -> Any:
    """Return the gradient on NumPy by central differences of fourth order, one number at a time.

    The steps are small, so that hardly a pair passes a kink of the cutoff between them.
    """
    leaves, structure = optree.tree_flatten(parameters())

    def value(k: int, place: tuple[int, ...], change: float) -> float:
        moved = [np.array(leaf) for leaf in leaves]
        moved[k][place] += change
        return float(loss(optree.tree_unflatten(structure, moved), rule))

    gradient = []
    for k, leaf in enumerate(leaves):
        slopes = np.zeros(np.shape(leaf))
        for place in np.ndindex(np.shape(leaf)):
            h = 4e-5 * max(abs(leaf[place]), 0.1)
            slopes[place] = sum(
                weight * (value(k, place, n * h) - value(k, place, -n * h)) / h
                for n, weight in ((1, 2.0 / 3.0), (2, -1.0 / 12.0))
            )
        gradient.append(slopes)
    return optree.tree_unflatten(structure, gradient)


def test_every_parameter(on: md.Backend, array: Callable[..., Any]) -> None:
    assert_every_parameter(on, array, "velocity verlet, berendsen")


@pytest.mark.parametrize(
    "name", ["numpy", "torch", pytest.param("jax", marks=pytest.mark.slow), "array_api_strict"]
)
def test_every_parameter_of_a_noisy_run(name: str) -> None:
    pytest.importorskip(name)
    on = md.backend(name)

    def array(value: Any) -> Any:
        return on.asarray(np.asarray(value), dtype="float64")

    assert_every_parameter(on, array, "langevin")


def assert_every_parameter(on: md.Backend, array: Callable[..., Any], rule: str) -> None:
    params = optree.tree_map(array, parameters())
    value, gradient = md.value_and_grad(loss)(params, rule)
    assert float(value) == pytest.approx(float(loss(parameters(), rule)), rel=1e-11)
    paths, found, structure = optree.tree_flatten_with_path(gradient)
    wanted = differences(rule)
    assert structure == optree.tree_structure(wanted)
    for path, slope, expected in zip(paths, found, optree.tree_leaves(wanted), strict=True):
        assert on.is_array(slope)
        scale = np.abs(expected).max()
        assert scale > 1e-6, path  # a derivative that is there to be wrong
        np.testing.assert_allclose(
            on.to_numpy(slope), expected, rtol=1e-6, atol=1e-8 * scale, err_msg=str(path)
        )


def test_pairs_meet_across_the_boundary() -> None:
    """What the derivative with respect to the side is worth: without images there is no such pair."""
    coords, _ = start()
    system = md.System(
        atoms=md.Atoms(mass=1.0, sigma=0.3, epsilon=1.0),
        coords=coords,
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.DistanceCutoff(0.88))],
    )
    opened = system.replace(boundary=md.CubicBoundary(np.inf))
    inside, across = float(md.potential_energy(opened)), float(md.potential_energy(system))
    assert abs(across - inside) > 0.05 * abs(inside)
