"""What a System makes of arrays that are not plain, and of gradients that enter in lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_simulators import VelocityVerlet

Array = Any
Make = Callable[..., Array]

COORDS = np.array([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0], [1.0, 1.5, 1.0]])


class Peculiar(np.ndarray):
    """An array that multiplies in a way of its own, as `numpy.matrix` does."""

    def __mul__(self, other: Any) -> Any:
        return 0.0 * np.asarray(self)


def system(coords: Any, sigma: Any = 0.3) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=10.0, sigma=sigma, epsilon=0.2),
        coords=coords,
        boundary=md.CubicBoundary(3.0),
        interactions=[LennardJones()],
    )


@pytest.mark.parametrize(
    "given",
    [
        COORDS.view(Peculiar),
        COORDS.astype(">f8"),
        np.ma.array(COORDS, mask=False),
        np.asfortranarray(COORDS),
        COORDS[::-1][::-1],
        COORDS.tolist(),
    ],
    ids=["subclass", "big-endian", "masked, nothing masked", "by columns", "backwards", "list"],
)
def test_a_system_computes_with_plain_arrays(given: Any) -> None:
    built = system(given)
    assert type(built.coords) is np.ndarray
    assert built.coords.dtype.isnative
    assert built.dtype == "float64"
    np.testing.assert_array_equal(md.forces(built), md.forces(system(COORDS)))


def test_masked_coordinates_are_refused() -> None:
    masked = np.ma.array(COORDS, mask=COORDS > 1.45)
    with pytest.raises(TypeError, match=r"1 masked value\(s\)"):
        system(masked)


def test_a_system_in_single_precision_of_the_other_byte_order() -> None:
    """As trajectories of NetCDF are stored."""
    built = system(COORDS.astype(">f4"))
    assert built.coords.dtype.isnative
    np.testing.assert_allclose(md.forces(built), md.forces(system(COORDS)), rtol=1e-4)


def difference(loss: Callable[[Any, Make], Any], at: float) -> float:
    """Return the slope of a loss by central differences on NumPy."""
    step = 1e-5
    ends = [float(loss(np.asarray(at + d), np.asarray)) for d in (step, -step)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("nested", [False, True])
def test_gradients_enter_in_lists(on: md.Backend, array: Make, nested: bool) -> None:
    """By the sigma of one atom or one of its coordinates, in a list among plain numbers."""

    def of_sigma(sigma: Array, make: Make) -> Array:
        return md.potential_energy(system(make(COORDS), [sigma, 0.3, 0.25]))

    def of_coordinate(x: Array, make: Make) -> Array:
        coords = COORDS.tolist()
        coords[1][0] = x
        return md.potential_energy(system(coords))

    loss, at = (of_coordinate, 1.4) if nested else (of_sigma, 0.31)
    value, slope = md.value_and_grad(lambda x: loss(x, array))(array(at))
    assert on.is_array(value)
    np.testing.assert_allclose(on.to_numpy(slope), difference(loss, at), rtol=1e-7)


def test_an_observable_may_return_a_list(on: md.Backend, array: Make) -> None:
    """A list of numbers that are being differentiated is differentiated."""

    def loss(sigma: Array, make: Make) -> Array:
        observe = {"pair": md.Observe(lambda s: [md.potential_energy(s), 1.0], every=2)}
        built = system(make(COORDS), sigma)
        pair = md.simulate(built, VelocityVerlet(0.002), 2, observe=observe).observations["pair"]
        return built.backend.xp(pair).sum(pair)

    _, slope = md.value_and_grad(lambda x: loss(x, array))(array(0.3))
    np.testing.assert_allclose(on.to_numpy(slope), difference(loss, 0.3), rtol=1e-6)
