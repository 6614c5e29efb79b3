"""The adjoint of the equation of motion against that of the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import N_ATOMS, SIDE, start
from xpmd_gradients import Adjoint
from xpmd_interactions import LennardJones
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import BerendsenThermostat


def loss(params: dict[str, Any], array: Any, n_steps: int, simulator: Any) -> Any:
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(
            mass=params.get("mass", 40.0), sigma=params["sigma"], epsilon=params["epsilon"]
        ),
        coords=params.get("coords", array(coords)),
        velocities=array(velocities),
        boundary=md.CubicBoundary(params.get("side", SIDE)),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )
    observe = {"kinetic": md.Observe(md.kinetic_energy, every=8)}
    run = md.simulate(system, simulator, n_steps, observe=observe, seed=3)
    xp = system.backend.xp(run.coords, run.observations["kinetic"])
    return xp.sum(xp.sin(3.0 * run.coords)) + 0.01 * xp.mean(run.observations["kinetic"])


def test_without_friction_the_two_are_the_same(on: md.Backend, array: Any) -> None:
    params = {
        "sigma": array(0.34),
        "epsilon": array(np.full(N_ATOMS, 0.9)),
        "side": array(SIDE),
        "coords": array(start()[0]),
    }
    simulator = VelocityVerlet(dt=0.002)
    value, found = md.value_and_grad(loss, Adjoint())(params, array, 40, simulator)
    same, wanted = md.value_and_grad(loss, "reverse")(params, array, 40, simulator)
    assert float(value) == float(same)
    for name in params:
        one, other = on.to_numpy(found[name]), on.to_numpy(wanted[name])
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10 * abs(other).max())


@pytest.mark.parametrize("kind", [Langevin, OBABO])
def test_with_friction_they_meet_as_the_step_shrinks(kind: Any) -> None:
    """Noise is left out (T = 0), so that the exact solution is that of the same equation."""
    differences = []
    for fold in (1, 2, 4):
        simulator = kind(dt=0.004 / fold, temperature=0.0, friction=5.0)
        params = {"sigma": 0.34, "epsilon": 0.9}
        slopes = [
            md.grad(loss, strategy)(params, np.asarray, 24 * fold, simulator)["sigma"]
            for strategy in (Adjoint(), "reverse")
        ]
        differences.append(abs(float(slopes[0] - slopes[1])))
    assert differences[1] < 0.6 * differences[0]
    assert differences[2] < 0.6 * differences[1]


@pytest.mark.parametrize(
    ("params", "simulator", "words"),
    [
        ({}, VelocityVerlet(0.002, coupling=BerendsenThermostat(100.0, 1.0)), "Berendsen"),
        ({"mass": 40.0}, VelocityVerlet(0.002), "atoms.mass"),
    ],
)
def test_what_it_does_not_know_is_refused(params: Any, simulator: Any, words: str) -> None:
    with pytest.raises(md.GradientError, match=words):
        md.grad(loss, "adjoint")(
            {"sigma": 0.34, "epsilon": 0.9, **params}, np.asarray, 4, simulator
        )
