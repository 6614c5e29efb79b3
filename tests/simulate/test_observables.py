"""What is recorded along a run: which steps, which shapes, and the derivative of every record."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet

COORDS = np.array([[0.1, 0.2, 0.3], [0.7, 0.2, 0.4], [0.7, 0.9, 0.2]])
VELOCITIES = np.array([[0.3, -0.2, 0.1], [-0.1, 0.4, 0.2], [-0.2, -0.2, -0.3]])
DT = 0.05


def bonded(array: Callable[..., Any], r0: Any = 0.6, **changes: Any) -> md.System:
    """Return three bonded atoms, with any argument changed."""
    arguments = {
        "atoms": md.Atoms(mass=2.0),
        "coords": array(COORDS),
        "velocities": array(VELOCITIES),
        "boundary": md.CubicBoundary(3.0),
        "interactions": [HarmonicBond(atoms=[[0, 1], [1, 2]], k=40.0, r0=r0)],
    }
    return md.System(**{**arguments, **changes})


@pytest.fixture
def chain(array: Callable[..., Any]) -> Callable[..., md.System]:
    return functools.partial(bonded, array)


def records(
    system: md.System, function: Callable[[md.System], Any], n_steps: int = 10, every: int = 3
) -> Any:
    observe = {"it": md.Observe(function, every=every)}
    return md.simulate(system, VelocityVerlet(dt=DT), n_steps, observe=observe).observations["it"]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda system: system.coords, (3, 3)),
        (lambda system: system.velocities[0, :], (3,)),
        (md.kinetic_energy, ()),
        (lambda system: 2.5, ()),
        (lambda system: 3, ()),
        (lambda system: system.boundary.sides[0], ()),
    ],
    ids=["coords", "row", "energy", "float", "integer", "side"],
)
def test_shapes(
    on: md.Backend, chain: Any, function: Callable[[md.System], Any], shape: tuple[int, ...]
) -> None:
    found = records(chain(), function)
    assert on.is_array(found)
    assert tuple(found.shape) == (4, *shape)


def test_values_are_those_of_the_steps(on: md.Backend, chain: Any) -> None:
    found = on.to_numpy(records(chain(), lambda s: s.coords))
    for row, n_steps in zip(found, (0, 3, 6, 9), strict=True):
        end = md.simulate(chain(), VelocityVerlet(dt=DT), n_steps)
        np.testing.assert_allclose(row, on.to_numpy(end.coords), rtol=0.0, atol=1e-14)


def test_no_step_still_records_the_start(on: md.Backend, chain: Any) -> None:
    found = on.to_numpy(records(chain(), lambda s: s.coords, n_steps=0))
    np.testing.assert_array_equal(found, COORDS[None])
    found = on.to_numpy(records(chain(), lambda s: s.coords, n_steps=2))
    np.testing.assert_array_equal(found, COORDS[None])


def test_any_function_of_the_system(on: md.Backend, array: Callable[..., Any], chain: Any) -> None:
    """Forces and energies are computed on each record, with the parameters of the run."""
    system = chain()
    found = records(system, md.forces, n_steps=3)
    start, end = on.to_numpy(found[0, ...]), on.to_numpy(found[1, ...])
    np.testing.assert_allclose(start, on.to_numpy(md.forces(system)), rtol=0.0, atol=1e-13)
    last = md.simulate(system, VelocityVerlet(dt=DT), 3).system
    np.testing.assert_allclose(end, on.to_numpy(md.forces(last)), rtol=0.0, atol=1e-12)


def loss_of_records(params: Any, array: Callable[..., Any]) -> Any:
    """Return a number that depends on every record, one of which is a closure over a parameter."""
    r0, a = params["r0"], params["a"]
    observe = {
        "length": md.Observe(
            lambda s: (
                (s.coords[1, 0] - s.coords[0, 0]) * a + s.velocities[2, 1] * s.coords[2, 0] ** 2
            ),
            every=3,
        ),
        "energy": md.Observe(md.potential_energy, every=5),
    }
    system = bonded(array, r0, coords=params["coords"])
    result = md.simulate(system, VelocityVerlet(dt=params["dt"]), 10, observe=observe)
    lengths, energies = result.observations["length"], result.observations["energy"]
    weighted = 0.3 * lengths[0] - 1.2 * lengths[1] + 0.7 * lengths[2] + 2.0 * lengths[3]
    return weighted + energies[0] * energies[1] - energies[2]


PARAMS = {"r0": np.array([0.5, 0.7]), "a": np.array(1.3), "coords": COORDS, "dt": np.array(DT)}


@functools.cache
def slope_of_records(name: str, place: tuple[int, ...]) -> float:
    """Return a derivative on NumPy, by central differences of sixth order."""
    h = 1e-4
    total = 0.0
    for offset, weight in ((1, 0.75), (2, -0.15), (3, 1.0 / 60.0)):
        for sign in (1.0, -1.0):
            moved = np.array(PARAMS[name])
            moved[place] += sign * offset * h
            total += sign * weight * float(loss_of_records({**PARAMS, name: moved}, np.asarray)) / h
    return total


def test_a_gradient_reaches_every_record(on: md.Backend, array: Callable[..., Any]) -> None:
    params = {name: array(value) for name, value in PARAMS.items()}
    value, gradient = md.value_and_grad(loss_of_records)(params, array)
    assert float(value) == pytest.approx(float(loss_of_records(PARAMS, np.asarray)), rel=1e-12)
    for name, place in (("r0", (0,)), ("r0", (1,)), ("a", ()), ("dt", ()), ("coords", (1, 2))):
        found = float(on.to_numpy(gradient[name])[place])
        assert found == pytest.approx(slope_of_records(name, place), rel=1e-8), name


def test_the_record_at_the_start_has_a_gradient(
    on: md.Backend, array: Callable[..., Any], chain: Any
) -> None:
    """d/dx of the first record alone is that of the function itself, though nothing has moved."""

    def loss(coords: Any) -> Any:
        return records(chain(coords=coords), lambda s: s.coords[1, 2] ** 2)[0]

    gradient = on.to_numpy(md.grad(loss)(array(COORDS)))
    expected = np.zeros((3, 3))
    expected[1, 2] = 2.0 * COORDS[1, 2]
    np.testing.assert_allclose(gradient, expected, rtol=0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("observe", "error", "message"),
    [
        ({"t": md.temperature}, TypeError, r"`observe\['t'\]` = .* must be md.Observe"),
        (
            {"t": md.Observe(lambda s: None)},
            TypeError,
            "must return an array or a number, got None",
        ),
        (
            {"t": md.Observe(lambda s: s)},
            TypeError,
            "must return an array or a number, got <System",
        ),
        ({"t": md.Observe(lambda s: "hot")}, TypeError, "'hot'"),
    ],
    ids=["bare", "none", "system", "string"],
)
def test_what_cannot_be_recorded(
    chain: Any, observe: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        md.simulate(chain(), VelocityVerlet(dt=DT), 1, observe=observe)


@pytest.mark.parametrize("every", [0, -1, 2.5])
def test_intervals_are_whole_numbers(every: Any) -> None:
    with pytest.raises(ValueError, match=f"`every` = {every} must be a whole number, at least 1"):
        md.Observe(md.temperature, every=every)


def test_only_functions_are_observed() -> None:
    with pytest.raises(TypeError, match=r"`function` = 3.0 must be callable with a System"):
        md.Observe(3.0)  # type: ignore[arg-type]
