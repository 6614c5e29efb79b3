"""The adjoints that simulators write themselves against the differentiated step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import N_ATOMS, SIDE, start
from xpmd.force_derivatives import force_vjp
from xpmd.program import EXPLICIT_ADJOINTS
from xpmd_gradients import Reversible
from xpmd_interactions import LennardJones
from xpmd_simulators import Langevin, VelocityVerlet

MASSES = np.linspace(20.0, 60.0, N_ATOMS)
SIMULATORS = {
    "verlet": VelocityVerlet(dt=0.002),
    "verlet, drift kept": VelocityVerlet(dt=0.002, remove_cm_motion=0),
    "verlet, drift now and then": VelocityVerlet(dt=0.002, remove_cm_motion=3),
    "langevin": Langevin(dt=0.002, temperature=120.0, friction=3.0),
    "langevin, drift kept": Langevin(0.002, 120.0, 3.0, remove_cm_motion=0),
}


def loss(params: dict[str, Any], array: Any, simulator: Any, mass: Any) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=mass, sigma=params["sigma"], epsilon=params["epsilon"]),
        coords=params["coords"],
        velocities=params["velocities"],
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )
    observe = {"v": md.Observe(lambda s: s.velocities, every=4)}
    run = md.simulate(system, simulator, 14, observe=observe, seed=3)
    rows, xp = run.observations["v"], system.backend.xp(run.coords)
    return xp.sum(xp.sin(3.0 * run.coords)) + xp.sum(rows * rows * rows)


# Compiled, the formulas are the same; two of them will do there.
CASES = [
    *((on, name) for on in ("numpy", "torch", "array_api_strict") for name in SIMULATORS),
    ("jax", "verlet"),
    ("jax", "langevin"),
]


@pytest.mark.parametrize(("on", "name"), CASES, indirect=["on"])
@pytest.mark.parametrize("strategy", ["reverse", Reversible()], ids=["reverse", "reversible"])
def test_equal_to_the_differentiated_step(
    on: md.Backend, array: Any, name: str, strategy: Any
) -> None:
    params = {
        "sigma": array(0.34),
        "epsilon": array(np.full(N_ATOMS, 0.9)),
        "coords": array(start()[0]),
        "velocities": array(start()[1]),
    }
    mass = array(MASSES) if "drift" in name else array(40.0)
    gradient = md.grad(loss, strategy)
    found = gradient(params, array, SIMULATORS[name], mass)
    token = EXPLICIT_ADJOINTS.set(False)
    try:
        wanted = gradient(params, array, SIMULATORS[name], mass)
    finally:
        EXPLICIT_ADJOINTS.reset(token)
    for key in params:
        one, other = on.to_numpy(found[key]), on.to_numpy(wanted[key])
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12 * abs(other).max())
    different = [(on.to_numpy(found[key]) != on.to_numpy(wanted[key])).any() for key in params]
    assert any(different), "both ways were the same one"


def undoing_gradient(simulator: Any) -> dict[str, Any]:
    params = {
        "sigma": np.asarray(0.34),
        "epsilon": np.full(N_ATOMS, 0.9),
        "coords": start()[0],
        "velocities": start()[1],
    }
    found: dict[str, Any] = md.grad(loss, Reversible())(params, np.asarray, simulator, 40.0)
    return found


def test_a_step_is_undone_and_pulled_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forces at the start of a step are found along with what the step before it pulls there."""
    calls: list[bool] = []

    def counted(*arguments: Any, forces: bool = True, **settings: Any) -> Any:
        calls.append(forces)
        return force_vjp(*arguments, forces=forces, **settings)

    def forbidden(*arguments: Any, **settings: Any) -> Any:
        raise AssertionError("forces alone were computed")

    monkeypatch.setattr("xpmd.undoing.force_vjp", counted)
    monkeypatch.setattr("xpmd.undoing.total_forces", forbidden)
    undoing_gradient(SIMULATORS["verlet"])
    # Once a step, and once at the end of each chunk.
    assert calls.count(True) == 14
    assert 1 <= calls.count(False) <= 4


class Looking(VelocityVerlet):
    """Velocity Verlet whose inverse looks at forces it has no need of."""

    def inverse(
        self, state: Any, record: Any, forces: Any, system: Any, t: Any, noise: Any, *, xp: Any
    ) -> Any:
        forces(state.coords)
        return super().inverse(state, record, forces, system, t, noise, xp=xp)


def test_an_inverse_that_looks_at_other_forces() -> None:
    wanted, found = (undoing_gradient(kind(dt=0.002)) for kind in (VelocityVerlet, Looking))
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-11, atol=1e-12 * abs(value).max())
