"""Looking at gradients: the table of strategies, growth of sensitivity, statistics over seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd.noise import host_noise
from xpmd_gradients import Reversible
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_simulators import Langevin, VelocityVerlet


def bond_loss(params: dict[str, Any], coords: Any) -> Any:
    """Return the length of a bond after some steps."""
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=coords,
        boundary=md.CubicBoundary(3.0),
        interactions=[HarmonicBond(atoms=[[0, 1]], k=params["k"], r0=params["r0"])],
    )
    x = md.simulate(system, VelocityVerlet(dt=0.02), 20).coords
    xp = system.backend.xp(x)
    return xp.sqrt(xp.sum((x[1, :] - x[0, :]) ** 2))


PARAMS = {"k": np.asarray(100.0), "r0": np.asarray(0.5)}
COORDS = np.array([[1.0, 1.0, 1.0], [1.6, 1.0, 1.0]])


def test_every_strategy_on_every_backend_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    strategies = ["reverse", "checkpointed", Reversible(anchor_every=5), "forward", "adjoint"]
    table = md.check_gradient(
        bond_loss,
        PARAMS,
        COORDS,
        strategies=strategies,
        backends=["numpy", "torch", "array_api_strict"],
    )
    printed = capsys.readouterr().out
    assert printed.rstrip() == str(table)
    assert len(table.rows) == 15
    assert table.worst < 1e-8
    assert all(row.error is None and row.seconds > 0.0 for row in table.rows)
    lines = printed.splitlines()
    assert lines[0].split() == [
        "strategy",
        "backend",
        "value",
        "|gradient|",
        "difference",
        "ms",
        "MB",
    ]
    assert "referee" in lines[2]
    assert "Reversible(anchor_every=5)" in printed
    size = math.hypot(*table.referee.gradient)
    assert f"{size:.8g}" in printed


def test_a_wrong_gradient_shows() -> None:
    """A loss that hides part of its dependence differs from the referee."""

    def loss(r0: Any) -> Any:
        return bond_loss({"k": 100.0, "r0": r0}, COORDS) * _known(r0)

    table = md.check_gradient(loss, np.asarray(0.5), strategies=["reverse"], show=False)
    assert table.rows[0].difference > 0.1


def _known(value: Any) -> float:
    return float(md.backend_of(value).to_numpy(value))


def test_failures_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table = md.check_gradient(
        bond_loss, PARAMS, COORDS, strategies=["score", "reverse", "nonsense"]
    )
    score, reverse, unknown = table.rows
    assert "GradientError" in (score.error or "")
    assert reverse.error is None
    assert "Known" in (unknown.error or "")
    assert math.isnan(table.worst)
    printed = capsys.readouterr().out
    assert "score on -: GradientError" in printed


def argon(dt: float) -> tuple[md.System, VelocityVerlet]:
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=0.34, epsilon=0.99),
        coords=coords,
        velocities=velocities,
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )
    return system, VelocityVerlet(dt=dt)


class Saddle(md.GeneralInteraction):
    """-k/2 sum |x|^2: disturbances grow as exp(sqrt(k/m) t)."""

    k: Any
    needs_neighbors = False

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        return -0.5 * self.k * xp.sum(coords * coords)


def test_exponent_of_a_saddle(on: md.Backend, array: Any) -> None:
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=array([[0.1, 0.2, 0.3], [0.0, -0.1, 0.1]]),
        boundary=md.CubicBoundary(float("inf")),
        interactions=[Saddle(40.0)],
    )
    simulator = VelocityVerlet(dt=0.01, remove_cm_motion=0)
    found = md.sensitivity_growth(system, simulator, 200, every=20)
    assert found.rate == pytest.approx(math.sqrt(40.0 / 10.0), rel=1e-2)
    assert found.growth == pytest.approx(math.cosh(2.0 * 2.0), rel=1e-3)
    assert found.horizon == pytest.approx(math.log(1e4) / (found.rate * 0.01), rel=1e-12)


def test_a_fluid_warns_past_its_horizon() -> None:
    system, simulator = argon(0.005)
    found = md.sensitivity_growth(system, simulator, 150)
    assert found.growth > 1.0
    with pytest.warns(md.SensitivityWarning, match="dominated by chaos"):
        md.sensitivity_growth(system, simulator, 150, limit=0.9 * found.growth)
    # The same disturbance by differences of two runs.
    ends = []
    for sign in (1.0, -1.0):
        direction = host_noise(0, 2**32 - 3).normal(0, system.coords.shape)
        moved = system.replace(coords=system.coords + sign * 1e-7 * direction)
        observe = {"x": md.Observe(lambda s: s.coords, every=150)}
        ends.append(md.simulate(moved, simulator, 150, observe=observe).observations["x"][-1])
    apart = ends[0] - ends[1]
    apart -= SIDE * np.round(apart / SIDE)
    size = np.sqrt(np.mean((apart / 2e-7) ** 2))
    assert found.sizes[-1] == pytest.approx(size, rel=1e-4)


def test_statistics_over_seeds(on: md.Backend, array: Any) -> None:
    def loss(params: Any, seed: int) -> Any:
        system = md.System(
            atoms=md.Atoms(mass=10.0),
            coords=array(COORDS),
            boundary=md.CubicBoundary(3.0),
            interactions=[HarmonicBond(atoms=[[0, 1]], k=params["k"], r0=params["r0"])],
        )
        simulator = Langevin(dt=0.02, temperature=300.0, friction=1.0)
        x = md.simulate(system, simulator, 10, seed=seed).coords
        return on.xp(x).sum(x * x)

    params = {name: array(value) for name, value in PARAMS.items()}
    found = md.gradient_statistics(loss, params, range(4))
    single = [md.grad(loss)(params, seed) for seed in range(4)]
    for name in PARAMS:
        rows = np.array([float(each[name]) for each in single])
        assert float(found.mean[name]) == pytest.approx(rows.mean(), rel=1e-12)
        assert float(found.variance[name]) == pytest.approx(rows.var(ddof=1), rel=1e-12)
        assert float(found.standard_error[name]) == pytest.approx(rows.std(ddof=1) / 2, rel=1e-12)
        agreement = (np.sign(rows) == np.sign(rows.mean())).mean()
        assert float(found.sign_agreement[name]) == pytest.approx(agreement)
    assert len(found.values) == len(found.gradients) == 4
    with pytest.raises(ValueError, match="at least two"):
        md.gradient_statistics(loss, params, [1])
