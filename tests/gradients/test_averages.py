"""Derivatives of averages without following trajectories, on the harmonic oscillator."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_gradients import Reweighting, Score
from xpmd_interactions import LennardJones
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat

N_ATOMS, K, T = 20, 400.0, 300.0
KT = md.units.molar.boltzmann * T


class Trap(md.GeneralInteraction):
    """k/2 sum |x|^2."""

    k: Any
    needs_neighbors = False

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        return 0.5 * self.k * xp.sum(coords * coords)


def mean_square(system: md.System) -> Any:
    """Return the mean of x^2 over atoms and directions."""
    xp = system.backend.xp(system.coords)
    return xp.mean(system.coords * system.coords)


def run(
    k: Any, like: Any, seed: int, n_steps: int, *, every: int = 10, simulator: Any = None
) -> Any:
    """Simulate oscillators that start in equilibrium."""
    rng = np.random.default_rng(seed)
    coords = rng.standard_normal((N_ATOMS, 3)) * np.sqrt(KT / K)
    velocities = rng.standard_normal((N_ATOMS, 3)) * np.sqrt(KT / 10.0)
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=like(coords),
        velocities=like(velocities),
        boundary=md.CubicBoundary(float("inf")),
        interactions=[Trap(k)],
    )
    if simulator is None:
        simulator = OBABO(dt=0.02, temperature=T, friction=4.0)
    observe = {"square": md.Observe(mean_square, every=every)}
    return md.simulate(system, simulator, n_steps, observe=observe, seed=seed)


def slopes(strategy: Any, n_seeds: int, n_steps: int) -> np.ndarray:
    """Return d<x^2>/dk for some seeds."""
    loss = md.grad(lambda k, seed: run(k, np.asarray, seed, n_steps).average("square"), strategy)
    return np.array([float(loss(K, seed)) for seed in range(n_seeds)])


@pytest.mark.parametrize(
    "strategy", [Reweighting(), Score(window=60)], ids=["reweighting", "score"]
)
def test_oscillator(strategy: Any) -> None:
    """d<x^2>/dk = -kT/k^2, within four standard errors that are small enough to mean something."""
    found, exact = slopes(strategy, 10, 400), -KT / K**2
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert error < 0.3 * abs(exact)
    assert abs(found.mean() - exact) < 4.0 * error


def test_too_short_a_window_shows_its_bias() -> None:
    found, exact = slopes(Score(window=2), 6, 300), -KT / K**2
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean()) < 0.3 * abs(exact)
    assert abs(found.mean() - exact) > 4.0 * error


def fixed_density(k: float, path: np.ndarray, every: int) -> float:
    """Return log p of a path of OBABO up to constants, from its coordinates and velocities."""
    dt, kept = 0.02, np.exp(-0.5 * 4.0 * 0.02)
    spread = np.sqrt((1 - kept**2) * KT / 10.0)
    total = 0.0
    for (x, v), (y, w) in itertools.pairwise(path):
        middle = (y - x) / dt
        first = (middle + 0.5 * dt * k * x / 10.0 - kept * v) / spread
        last = (w - kept * (middle - 0.5 * dt * k * y / 10.0)) / spread
        total -= 0.5 * ((first**2).sum() + (last**2).sum())
    return total


def test_score_is_the_derivative_of_the_density(on: md.Backend, array: Any) -> None:
    """One run's covariance, from log-densities of its prefixes by finite differences."""
    strategy, n_steps = Score(), 12
    value, slope = md.value_and_grad(
        lambda k: run(k, array, 5, n_steps, every=4).average("square"), strategy
    )(array(K))
    system_path = md.Observe(
        lambda s: s.backend.xp(s.coords).stack([s.coords, s.velocities]), every=1
    )
    start = run(K, np.asarray, 5, 0).system
    simulator = OBABO(dt=0.02, temperature=T, friction=4.0)
    path = md.simulate(start, simulator, n_steps, observe={"path": system_path}, seed=5)
    path = path.observations["path"]
    squares = (path[::4, 0] ** 2).mean(axis=(1, 2))
    h = 1e-3
    scores = np.array(
        [
            (fixed_density(K + h, path[: n + 1], 1) - fixed_density(K - h, path[: n + 1], 1))
            / (2 * h)
            for n in range(0, n_steps + 1, 4)
        ]
    )
    wanted = ((squares - squares.mean()) * scores).mean()
    assert float(value) == pytest.approx(squares.mean(), rel=1e-12)
    assert float(slope) == pytest.approx(wanted, rel=1e-7)


def test_reweighting_is_the_covariance(on: md.Backend, array: Any) -> None:
    """One run's covariance with dU/dk = sum x^2/2, and the explicit part of the derivative."""

    def loss(k: Any) -> Any:
        return run(k, array, 3, 50).average("square") * k

    value, slope = md.value_and_grad(loss, Reweighting())(array(K))
    rows = run(K, np.asarray, 3, 50).observations["square"]
    slopes_of_energy = rows * N_ATOMS * 3 / 2
    covariance = (rows * slopes_of_energy).mean() - rows.mean() * slopes_of_energy.mean()
    assert float(value) == pytest.approx(K * rows.mean(), rel=1e-12)
    assert float(slope) == pytest.approx(rows.mean() - K * covariance / KT, rel=1e-9)


def test_trajectories_are_used_again_while_they_serve() -> None:
    strategy = Reweighting(reuse=True, least=0.8)
    loss = md.value_and_grad(lambda k: run(k, np.asarray, 3, 200).average("square"), strategy)
    loss(K)
    assert strategy.diagnostics["resampled"] is True
    near, _ = loss(K * 1.005)
    assert strategy.diagnostics["resampled"] is False
    rows = run(K, np.asarray, 3, 200).observations["square"]
    logs = -0.005 * K * rows * N_ATOMS * 3 / 2 / KT
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    assert float(near) == pytest.approx((weights * rows).sum(), rel=1e-9)
    size = np.exp(-(weights * np.log(weights)).sum())
    assert strategy.diagnostics["effective_sample_size"] == pytest.approx(size, rel=1e-9)
    loss(K * 3.0)
    assert strategy.diagnostics["resampled"] is True


@pytest.mark.parametrize("name", ["reweighting", "score"])
def test_what_is_no_average_raises(on: md.Backend, array: Any, name: str) -> None:
    def loss(k: Any) -> Any:
        rows = run(k, array, 1, 20).observations["square"]
        return on.xp(rows).mean(rows)

    with pytest.raises(md.GradientError, match=r"result\.average"):
        md.grad(loss, name)(array(K))


def fluid(params: Any, simulator: Any) -> Any:
    start = md.System(
        atoms=md.Atoms(mass=params.get("mass", 40.0), sigma=params.get("sigma", 0.3), epsilon=1.0),
        coords=np.array([[0.0, 0.0, 0.0], [0.35, 0.0, 0.0]]),
        boundary=md.CubicBoundary(2.0),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.9))],
    )
    observe = {"e": md.Observe(md.potential_energy, every=5)}
    return md.simulate(start, simulator(params), 20, observe=observe).average("e")


REFUSED = {
    "no temperature": (
        "reweighting", "sigma", lambda p: VelocityVerlet(dt=0.002), "not one temperature"
    ),
    "two temperatures": (
        "reweighting",
        "sigma",
        lambda p: Langevin(0.002, 300.0, 1.0, coupling=AndersenThermostat(200.0, 1.0)),
        "not one temperature",
    ),
    "not canonical": (
        "reweighting",
        "sigma",
        lambda p: VelocityVerlet(0.002, coupling=BerendsenThermostat(300.0, 1.0)),
        "BerendsenThermostat does not sample",
    ),
    "no density": ("score", "sigma", lambda p: Langevin(0.002, 300.0, 1.0), "density of a step"),
    "drift removed": (
        "score", "sigma", lambda p: OBABO(0.002, 300.0, 1.0, remove_cm_motion=1), "center of mass"
    ),
    "coupled": (
        "score",
        "sigma",
        lambda p: OBABO(0.002, 300.0, 1.0, coupling=AndersenThermostat(300.0, 1.0)),
        "AndersenThermostat",
    ),
    "mass": ("reweighting", "mass", lambda p: Langevin(0.002, 300.0, 1.0), "atoms.mass"),
    "friction": (
        "score", "friction", lambda p: OBABO(0.002, 300.0, p["friction"]), "friction"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_such_derivative_is_refused(case: str) -> None:
    name, parameter, simulator, words = REFUSED[case]
    loss = functools.partial(fluid, simulator=simulator)
    with pytest.raises(md.GradientError, match=words):
        md.grad(loss, name)({parameter: 0.3 if parameter == "sigma" else 40.0})


def test_pathwise_strategies_average_too(on: md.Backend, array: Any) -> None:
    loss = md.value_and_grad(lambda k: run(k, array, 2, 20).average("square"), "reverse")
    value, slope = loss(array(K))
    _, wanted = md.value_and_grad(
        lambda k: run(k, np.asarray, 2, 20).average("square"), "finite_difference"
    )(K)
    assert float(value) > 0.0
    assert float(slope) == pytest.approx(float(wanted), rel=1e-7)
