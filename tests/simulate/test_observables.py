"""What is recorded along a run: which steps, which shapes, and the derivative of every record."""

from __future__ import annotations

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


@pytest.fixture
def chain(array: Callable[..., Any]) -> Callable[..., md.System]:
    """Return a function that builds three bonded atoms, with any argument changed."""

    def build(r0: Any = 0.6, **changes: Any) -> md.System:
        arguments = {
            "atoms": md.Atoms(mass=2.0),
            "coords": array(COORDS),
            "velocities": array(VELOCITIES),
            "boundary": md.CubicBoundary(3.0),
            "interactions": [HarmonicBond(atoms=[[0, 1], [1, 2]], k=40.0, r0=r0)],
        }
        return md.System(**{**arguments, **changes})

    return build


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


def test_a_gradient_reaches_every_record(
    on: md.Backend, array: Callable[..., Any], chain: Any
) -> None:
    """dL/dp of a loss over records, of which one is a closure over p, by reverse mode."""
    weights = np.array([0.3, -1.2, 0.7, 2.0])

    def loss(params: Any) -> Any:
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
        system = chain(r0, coords=params["coords"])
        found = md.simulate(system, VelocityVerlet(dt=params["dt"]), 10, observe=observe)
        lengths, energies = found.observations["length"], found.observations["energy"]
        xp = on.xp(lengths, energies)
        return xp.sum(array(weights) * lengths) + energies[0] * energies[1] - energies[2]

    params = {"r0": array([0.5, 0.7]), "a": array(1.3), "coords": array(COORDS), "dt": array(DT)}
    value, gradient = md.value_and_grad(loss)(params)
    assert float(value) == pytest.approx(float(loss(params)), rel=1e-13)
    for name, place in (("r0", (0,)), ("r0", (1,)), ("a", ()), ("dt", ()), ("coords", (1, 2))):
        h = 1e-4
        slope = 0.0
        # Central differences of sixth order.
        for offset, weight in ((1, 0.75), (2, -0.15), (3, 1.0 / 60.0)):
            for sign in (1.0, -1.0):
                moved = np.array(on.to_numpy(params[name]))
                moved[place] += sign * offset * h
                slope += sign * weight * float(loss({**params, name: array(moved)})) / h
        assert float(on.to_numpy(gradient[name])[place]) == pytest.approx(slope, rel=1e-8), name


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
