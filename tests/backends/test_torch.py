"""What is peculiar to PyTorch: its default type, 0-d tensors that do not promote, shared memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, TEMPERATURE, liquid
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

torch = pytest.importorskip("torch")


@pytest.fixture(params=["float32", "float64"])
def default(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each type that PyTorch can have as its default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, request.param))
    yield request.param
    torch.set_default_dtype(before)


def run(make: Any, steps: int = 10) -> md.Result:
    finder = DistanceNeighborFinder(cutoff=0.84, every=5)
    system = liquid(make, cells=2, finder=finder)
    thermostat = BerendsenThermostat(temperature=TEMPERATURE, tau=0.1)
    observe = {"energy": md.Observe(md.potential_energy, every=5)}
    return md.simulate(system, VelocityVerlet(DT, coupling=thermostat), steps, observe=observe)


def test_the_default_type_leaves_no_trace(default: str) -> None:
    """A number rounded to 32 bits anywhere on the way would show in the eighth digit."""
    expected = run(np.asarray)
    found = run(lambda value: torch.asarray(value, dtype=torch.float64))
    assert found.coords.dtype == found.velocities.dtype == torch.float64
    assert found.observations["energy"].dtype == torch.float64
    np.testing.assert_allclose(found.coords.numpy(), expected.coords, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        found.observations["energy"].numpy(), expected.observations["energy"], rtol=1e-12
    )


def test_a_run_in_float32_stays_there(default: str) -> None:
    found = run(lambda value: torch.asarray(value, dtype=torch.float32))
    assert found.coords.dtype == found.velocities.dtype == torch.float32
    assert found.observations["energy"].dtype == torch.float32


def test_python_numbers_alone_take_the_default_type(default: str) -> None:
    on = md.backend("torch")
    assert on.dtype_name(on.asarray(0.5)) == default
    assert on.dtype_name(on.asarray([0.5, 1.0])) == default
    # Beside a tensor they take the tensor's type, whatever the default.
    third = torch.tensor(1.0, dtype=torch.float64) / 3
    joined = on.asarray([third, 0.1])
    assert joined.dtype == torch.float64
    assert joined.tolist() == [1.0 / 3.0, 0.1]


def test_a_0d_tensor_of_another_type_is_not_taken_along_in_silence() -> None:
    """float32 * 0-d float64 is float32 in PyTorch: a System refuses the pair instead."""
    coords = torch.zeros((2, 3), dtype=torch.float32)
    sigma = torch.tensor(0.3, dtype=torch.float64)
    with pytest.raises(md.BackendError, match=r"several types.*float32.*float64"):
        md.System(
            atoms=md.Atoms(mass=1.0, sigma=sigma, epsilon=1.0),
            coords=coords,
            boundary=md.CubicBoundary(3.0),
        )


def test_integers_become_floats_of_the_type_asked_for() -> None:
    """int_tensor * float would be float32."""
    on = md.backend("torch")
    made = on.asarray(torch.arange(3), dtype="float64") * 0.1
    assert made.dtype == torch.float64
    assert made.tolist() == [0.0, 0.1, 0.2]


def test_arrays_go_to_the_device_asked_for_and_keep_their_gradient() -> None:
    """`meta` is a device with no memory, which every PyTorch has."""
    on = md.backend("torch")
    leaf = torch.ones(2, requires_grad=True)
    for value in (leaf * 2.0, [leaf[0], 1.0], np.ones(2), range(2), 1.0):
        assert on.asarray(value, device="meta").device.type == "meta"
    assert on.asarray(leaf * 2.0, device="meta").requires_grad
    assert on.asarray(leaf * 2.0, dtype="float64", device="meta").dtype == torch.float64


def test_host_memory_is_read_without_a_warning() -> None:
    on = md.backend("torch")
    read_only = np.arange(3.0)
    read_only.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = on.asarray(read_only)
    made[0] = 5.0
    assert read_only[0] == 0.0


def test_parameters_of_a_module_give_plain_gradients() -> None:
    """A leaf is the parameter itself: what comes back holds no graph."""
    on = md.backend("torch")
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    value, (slope,), _ = on.value_and_grad(lambda x: ((x**3).sum(), ()), (parameter,))
    assert not value.requires_grad
    assert not slope.requires_grad
    assert slope.tolist() == [3.0, 12.0]
    assert parameter.grad is None


def test_a_gradient_of_something_computed_is_followed_on() -> None:
    on = md.backend("torch")
    leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    value, (slope,), _ = on.value_and_grad(lambda x: ((x**3).sum(), ()), (leaf * 2.0,))
    (value + slope.sum()).backward()
    # With y = 2x: d/dx (y^3 + 3 y^2) = 2 (3 y^2 + 6 y).
    y = np.array([2.0, 4.0])
    np.testing.assert_allclose(leaf.grad.numpy(), 2 * (3 * y**2 + 6 * y), rtol=1e-15)


def test_nothing_is_followed_where_nothing_is_differentiated() -> None:
    """Gradients are on by default, and results of plain tensors must be plain tensors."""
    on = md.backend("torch")
    at = torch.tensor([1.0, 2.0], dtype=torch.float64)
    slope = on.radial(lambda s: on.radial(lambda r: r**4, s), at)
    (value,), pull = on.vjp(lambda x: ((x**3).sum(),), at)
    (of_x,) = pull((torch.ones((), dtype=torch.float64),))
    _, (gradient,), (extra,) = on.value_and_grad(lambda x: ((x**3).sum(), (x * 2.0,)), (at,))
    _, (along,) = on.jvp(lambda x: (on.radial(lambda r: r**3, x),), (at,), (at,))
    for found in (slope, value, of_x, gradient, extra, along):
        assert not found.requires_grad
    system = liquid(lambda value: torch.asarray(value, dtype=torch.float64), cells=2)
    for found in (md.potential_energy(system), md.forces(system), md.virial(system)):
        assert not found.requires_grad


def test_what_a_function_looks_at_is_followed() -> None:
    """A parameter that reaches the inner function without being an argument of it."""
    on = md.backend("torch")
    at = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for name in ("radial", "vjp", "value_and_grad"):
        leaf = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        if name == "radial":
            slope = on.radial(lambda s: leaf * s**3, at)  # noqa: B023
        elif name == "vjp":
            _, pull = on.vjp(lambda s: ((leaf * s**3).sum(),), at)  # noqa: B023
            (slope,) = pull((torch.ones((), dtype=torch.float64),))
        else:
            _, (slope,), _ = on.value_and_grad(lambda s: ((leaf * s**3).sum(), ()), (at,))  # noqa: B023
        slope.sum().backward()
        assert float(leaf.grad) == 15.0


def test_nothing_is_followed_where_gradients_are_off() -> None:
    on = md.backend("torch")
    leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        slope = on.radial(lambda s: s**3, leaf)
        (value,), pull = on.vjp(lambda x: ((x**3).sum(),), leaf)
        value_again, (gradient,), _ = on.value_and_grad(lambda x: ((x**3).sum(), ()), (leaf * 1.0,))
        of_x = pull((torch.ones((), dtype=torch.float64),))[0]
    for found in (slope, value, of_x, value_again, gradient):
        assert not found.requires_grad
    for found in (slope, of_x, gradient):
        assert found.tolist() == [3.0, 12.0]


def test_forward_mode_works_where_gradients_are_off() -> None:
    """Forward mode knows nothing of `no_grad`, and a derivative by it must not vanish there."""
    on = md.backend("torch")
    at = torch.tensor([1.0, 2.0], dtype=torch.float64)
    ones = torch.ones_like(at)
    with torch.no_grad():
        _, (along,) = on.jvp(lambda s: (on.radial(lambda r: r**3, s),), (at,), (ones,))
        assert along.tolist() == [6.0, 12.0]

        def slopes(x: Any) -> tuple[Any, ...]:
            (cubes,), pull = on.vjp(lambda y: (y**3,), x)
            return cubes, *pull((ones,))

        _, (of_cubes, of_slopes) = on.jvp(slopes, (at,), (ones,))
        assert of_cubes.tolist() == [3.0, 12.0]
        assert of_slopes.tolist() == [6.0, 12.0]
