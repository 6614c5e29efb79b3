"""Where the force jumps at a cutoff: energies have a derivative by its distance, nothing else has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_gradients import Reverse
from xpmd_interactions import LennardJones
from xpmd_simulators import OBABO, VelocityVerlet

COORDS = np.array([[0.1, 0.1, 0.1], [0.45, 0.1, 0.1], [0.1, 0.5, 0.2], [0.6, 0.6, 0.4]])


def system(distance: Any, array: Any, epsilon: Any = 1.0, cutoff: Any = None) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=40.0, sigma=0.34, epsilon=epsilon),
        coords=array(COORDS),
        velocities=array(0.1 * COORDS),
        boundary=md.CubicBoundary(2.0),
        interactions=[LennardJones(cutoff=(cutoff or md.ShiftedPotentialCutoff)(distance))],
    )


def end(distance: Any, array: Any, epsilon: Any = 1.0, **options: Any) -> Any:
    """Return the sum of the squares of the coordinates after a few steps."""
    run = md.simulate(system(distance, array, epsilon, **options), VelocityVerlet(0.002), 4)
    return run.system.backend.xp(run.coords).sum(run.coords * run.coords)


def average(distance: Any, array: Any) -> Any:
    observe = {"e": md.Observe(md.kinetic_energy, every=2)}
    simulator = OBABO(0.002, 100.0, 1.0)
    return md.simulate(system(distance, array), simulator, 4, observe=observe).average("e")


def minimum(distance: Any, array: Any) -> Any:
    """Return the squared distance of two atoms at rest."""
    dimer = system(distance, array).replace(coords=array(COORDS[:2]), velocities=None)
    coords = md.minimize(dimer, gradient="implicit").coords
    apart = coords[1, :] - coords[0, :]
    return dimer.backend.xp(apart).sum(apart * apart)


NOWHERE = r"ShiftedPotentialCutoff: forces.*no derivative with respect to `distance`.*ShiftedForce"
PATHS = ["reverse", "checkpointed", "reversible", "forward", "adjoint"]


@pytest.mark.parametrize("strategy", PATHS)
def test_a_trajectory_has_no_derivative(on: md.Backend, array: Any, strategy: str) -> None:
    with pytest.raises(md.GradientError, match=NOWHERE):
        md.grad(lambda p: end(p["distance"], array, p["epsilon"]), strategy)(
            {"distance": array(0.9), "epsilon": array(1.0)}
        )


def test_fixed_point_and_generic_adjoint() -> None:
    from xpmd_gradients import Reversible

    for strategy in (Reversible(fixed_point=True), Reverse(truncate=2)):
        with pytest.raises(md.GradientError, match=NOWHERE):
            md.grad(lambda d: end(d, np.asarray), strategy)(0.9)


def test_nor_have_averages_over_noise(on: md.Backend, array: Any) -> None:
    with pytest.raises(md.GradientError, match=NOWHERE):
        md.grad(lambda d: average(d, array), "score")(array(0.9))


@pytest.mark.parametrize("quantity", [md.forces, md.virial, md.pressure])
@pytest.mark.parametrize("strategy", ["reverse", "forward"])
def test_nor_have_forces_and_pressures(
    on: md.Backend, array: Any, quantity: Any, strategy: str
) -> None:
    def loss(distance: Any) -> Any:
        value = quantity(system(distance, array))
        return on.xp(value).sum(value * value)

    with pytest.raises(md.GradientError, match=NOWHERE):
        md.grad(loss, strategy)(array(0.9))


def test_nor_has_a_minimum() -> None:
    with pytest.raises(md.GradientError, match=NOWHERE):
        md.grad(lambda d: minimum(d, np.asarray))(0.9)


@pytest.mark.parametrize("strategy", ["reverse", "forward"])
def test_energies_have_it(on: md.Backend, array: Any, strategy: str) -> None:
    """-V'(rc) for each pair within reach; all six are."""
    found = md.grad(lambda d: md.potential_energy(system(d, array)), strategy)(array(0.9))
    s6 = (0.34 / 0.9) ** 6
    slope = 4.0 * (6.0 * s6 - 12.0 * s6 * s6) / 0.9
    assert float(found) == pytest.approx(-6 * slope, rel=1e-12)


def test_the_rest_keeps_its_derivative(on: md.Backend, array: Any) -> None:
    """Also beside a distance that is an array, which nobody asks for."""
    found = md.grad(lambda e: end(array(0.9), array, e))(array(1.0))
    wanted = md.grad(lambda e: end(0.9, np.asarray, e), "finite_difference")(1.0)
    assert float(found) == pytest.approx(float(wanted), rel=1e-8)

    def loss(epsilon: Any) -> Any:
        value = md.forces(system(array(0.9), array, epsilon))
        return on.xp(value).sum(value * value)

    squares = float(loss(array(1.0)))
    assert float(md.grad(loss)(array(1.0))) == pytest.approx(2.0 * squares, rel=1e-12)


def test_smooth_cutoffs_keep_theirs(on: md.Backend, array: Any) -> None:
    found = md.grad(lambda d: end(d, array, cutoff=md.ShiftedForceCutoff))(array(0.9))
    wanted = md.grad(
        lambda d: end(d, np.asarray, cutoff=md.ShiftedForceCutoff), "finite_difference"
    )(0.9)
    assert float(found) == pytest.approx(float(wanted), rel=1e-6)
    assert not math.isclose(float(found), 0.0)


def test_compiled_forces_as_well() -> None:
    """Where nothing is known of the distance, and where its gradient is not asked for."""
    jax = pytest.importorskip("jax")

    @jax.jit
    def loss(distance: Any, epsilon: Any) -> Any:
        return (md.forces(system(distance, jax.numpy.asarray, epsilon)) ** 2).sum()

    args = jax.numpy.asarray(0.9), jax.numpy.asarray(1.0)
    assert float(jax.grad(loss, argnums=1)(*args)) == pytest.approx(2.0 * float(loss(*args)))
    for differentiated in (jax.grad(loss), jax.jit(jax.grad(loss)), jax.jacfwd(loss)):
        with pytest.raises(md.GradientError, match=NOWHERE):
            differentiated(*args)


def test_pressure_without_gradients() -> None:
    """A parameter of PyTorch may be looked at."""
    torch = pytest.importorskip("torch")

    def array(value: Any) -> Any:
        return torch.as_tensor(value, dtype=torch.float64)

    distance = array(0.9).requires_grad_(True)
    with torch.no_grad():
        found = md.pressure(system(distance, array))
    np.testing.assert_allclose(found.numpy(), md.pressure(system(0.9, np.asarray)), rtol=1e-12)
