"""Starting coordinates and velocities: valid, reproducible, the same for every library."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from xpmd.backend import backend, backend_of
from xpmd.errors import BackendError
from xpmd.orthorhombic_boundary import CubicBoundary, RectangularBoundary
from xpmd.placement import place_atoms
from xpmd.triclinic_boundary import TriclinicBoundary
from xpmd.units import molar, reduced
from xpmd.velocities import random_velocities

NAMES = ["numpy", "torch", "jax"]


@pytest.fixture(params=NAMES)
def library(request: pytest.FixtureRequest) -> Any:
    if request.param == "jax":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    try:
        return backend(request.param)
    except BackendError as error:
        pytest.skip(str(error))


def fractions(coords: np.ndarray, vectors: Any) -> np.ndarray:
    return coords @ np.linalg.inv(np.asarray(vectors))


def smallest_distance(coords: np.ndarray, vectors: Any) -> float:
    """Over all pairs and all images within three boxes."""
    vectors = np.asarray(vectors)
    smallest = math.inf
    for images in itertools.product(range(-3, 4), repeat=len(vectors)):
        difference = coords[:, None, :] - coords[None, :, :] + np.asarray(images) @ vectors
        distances = np.sqrt((difference**2).sum(axis=-1))
        np.fill_diagonal(distances, math.inf)
        smallest = min(smallest, float(distances.min()))
    return smallest


@pytest.mark.parametrize(
    ("boundary", "n_atoms", "min_dist"),
    [
        (CubicBoundary(3.0), 50, 0.6),
        (CubicBoundary(3.0, 4.0, 2.0), 45, 0.6),
        (RectangularBoundary(4.0, 5.0), 40, 0.5),
        (TriclinicBoundary([[2.0, 0.0, 0.0], [0.9, 1.8, 0.0], [-0.7, 0.8, 1.9]]), 40, 0.4),
        # Narrower than the distance in one direction, and so skewed that the nearest image is
        # not the one with the nearest fractions.
        (TriclinicBoundary([[2.0, 0.0, 0.0], [1.9, 0.4, 0.0], [-0.7, 0.8, 1.9]]), 3, 0.7),
        (CubicBoundary(3.0, 3.0, 0.5), 10, 0.6),
        (CubicBoundary(1.0), 3, 0.6),
    ],
)
def test_atoms_keep_their_distance_inside_the_box(
    boundary: Any, n_atoms: int, min_dist: float
) -> None:
    coords = place_atoms(n_atoms, boundary, min_dist, seed=1)
    vectors = boundary.cell_vectors()
    assert coords.shape == (n_atoms, boundary.dimensions)
    assert coords.dtype == np.float64
    assert smallest_distance(coords, vectors) >= min_dist
    inside = fractions(coords, vectors)
    assert inside.min() >= -1e-14
    assert inside.max() < 1.0 + 1e-14


def test_seeds_repeat_and_differ() -> None:
    box = CubicBoundary(3.0)
    first = place_atoms(20, box, 0.5, seed=4)
    np.testing.assert_array_equal(first, place_atoms(20, box, 0.5, seed=4))
    assert not np.any(first == place_atoms(20, box, 0.5, seed=5))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_library_has_the_same_coordinates(library: Any, dtype: str) -> None:
    like = library.asarray([0.0], dtype=dtype)
    coords = place_atoms(30, CubicBoundary(3.0), 0.6, seed=2, like=like)
    assert backend_of(coords) is library
    assert library.dtype_name(coords) == dtype
    expected = place_atoms(30, CubicBoundary(3.0), 0.6, seed=2).astype(dtype)
    np.testing.assert_array_equal(library.to_numpy(coords), expected)


def test_coordinates_are_uniform() -> None:
    stats = pytest.importorskip("scipy.stats")
    coords = place_atoms(4000, CubicBoundary(2.0, 3.0, 5.0), 0.0, seed=3)
    for axis, side in enumerate((2.0, 3.0, 5.0)):
        assert stats.kstest(coords[:, axis] / side, "uniform").pvalue > 1e-3


def test_no_atoms() -> None:
    assert place_atoms(0, CubicBoundary(3.0), 0.5).shape == (0, 3)


def test_ten_thousand_atoms_at_liquid_spacing() -> None:
    side = (10_000 * math.pi / 6 / 0.2) ** (1 / 3)
    assert place_atoms(10_000, CubicBoundary(side), 1.0, max_attempts=1000).shape == (10_000, 3)


def test_no_room_says_how_many_fitted() -> None:
    with pytest.raises(
        ValueError, match=r"only \d+ of `n_atoms` = 1000 fitted.*`min_dist` = 0.6"
    ) as caught:
        place_atoms(1000, CubicBoundary(3.0), 0.6)
    assert "comes to a stop near 0.38" in str(caught.value)
    with pytest.raises(ValueError, match="or raise `max_attempts`"):
        place_atoms(80, CubicBoundary(3.0), 0.6, max_attempts=1)


def test_open_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inf.*infinite box"):
        place_atoms(3, CubicBoundary(3.0, math.inf, 3.0), 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_atoms": -1}, "`n_atoms` = -1"),
        ({"min_dist": math.nan}, "`min_dist` = nan"),
        ({"min_dist": -0.1}, "`min_dist` = -0.1"),
        ({"max_attempts": 0}, "`max_attempts` = 0"),
        ({"seed": -1}, "`seed`=-1"),
    ],
)
def test_bad_placements_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        place_atoms(**{"n_atoms": 3, "boundary": CubicBoundary(3.0), "min_dist": 0.5, **settings})


def test_distance_as_a_quantity() -> None:
    unit = pytest.importorskip("openmm.unit")
    coords = place_atoms(20, CubicBoundary(3.0), 6.0 * unit.angstrom, seed=1)
    np.testing.assert_array_equal(coords, place_atoms(20, CubicBoundary(3.0), 0.6, seed=1))


@pytest.mark.parametrize("units", [molar, reduced])
def test_velocities_have_the_temperature(units: Any) -> None:
    n_atoms = 20_000
    velocities = random_velocities(10.0, 300.0, n_atoms=n_atoms, seed=3, units=units)
    assert velocities.shape == (n_atoms, 3)
    found = 10.0 * (velocities**2).mean() / units.boltzmann
    assert abs(found / 300.0 - 1.0) < 4.0 * math.sqrt(2.0 / (3 * n_atoms))
    stats = pytest.importorskip("scipy.stats")
    spread = math.sqrt(units.boltzmann * 300.0 / 10.0)
    assert stats.kstest(velocities.reshape(-1) / spread, "norm").pvalue > 1e-3


def test_velocities_by_mass() -> None:
    heavy = random_velocities(16.0, 300.0, n_atoms=3, seed=5)
    light = random_velocities([1.0, 4.0, 0.0], 300.0, seed=5)
    np.testing.assert_allclose(light[0], 4.0 * heavy[0], rtol=1e-15)
    np.testing.assert_allclose(light[1], 2.0 * heavy[1], rtol=1e-15)
    np.testing.assert_array_equal(light[2], 0.0)
    assert random_velocities(1.0, 300.0, n_atoms=2, dimensions=2).shape == (2, 2)
    assert not np.any(heavy == random_velocities(16.0, 300.0, n_atoms=3, seed=6))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_library_has_the_same_velocities(library: Any, dtype: str) -> None:
    like = library.asarray(np.zeros((20, 3)), dtype=dtype)
    velocities = random_velocities(10.0, 300.0, seed=2, like=like)
    assert backend_of(velocities) is library
    assert library.dtype_name(velocities) == dtype
    tolerance = 1e-15 if dtype == "float64" else 1e-6
    expected = random_velocities(10.0, 300.0, n_atoms=20, seed=2)
    np.testing.assert_allclose(library.to_numpy(velocities), expected, rtol=tolerance)


def test_velocities_go_with_the_mass(library: Any) -> None:
    mass = library.asarray([1.0, 2.0], dtype="float32")
    velocities = random_velocities(mass, 300.0)
    assert backend_of(velocities) is library
    assert library.dtype_name(velocities) == "float32"
    assert tuple(velocities.shape) == (2, 3)


def test_gradients_reach_mass_and_temperature() -> None:
    torch = pytest.importorskip("torch")
    mass = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64, requires_grad=True)
    temperature = torch.tensor(300.0, dtype=torch.float64, requires_grad=True)
    velocities = random_velocities(mass, temperature, seed=1)
    (velocities**2).sum().backward()
    # v^2 goes as T / m.
    squares = (velocities.detach() ** 2).sum(dim=-1)
    np.testing.assert_allclose(mass.grad[:2], (-squares / mass.detach())[:2])
    assert mass.grad[2] == 0.0
    np.testing.assert_allclose(temperature.grad, squares.sum() / 300.0)


def test_velocities_under_jit() -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    drawn = jax.jit(lambda temperature: random_velocities(10.0, temperature, n_atoms=4))(300.0)
    np.testing.assert_allclose(drawn, random_velocities(10.0, 300.0, n_atoms=4), rtol=1e-14)


def test_velocities_take_quantities() -> None:
    unit = pytest.importorskip("openmm.unit")
    given = random_velocities(10.0 * unit.dalton, 300.0 * unit.kelvin, n_atoms=3)
    np.testing.assert_array_equal(given, random_velocities(10.0, 300.0, n_atoms=3))
    with pytest.raises(TypeError, match="`temperature` has the unit"):
        random_velocities(10.0, 1.0 * unit.nanometer, n_atoms=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mass": -1.0}, "`mass`"),
        ({"temperature": -1.0}, "`temperature`"),
        ({"temperature": math.nan}, "`temperature`"),
        ({"n_atoms": None}, "`n_atoms` is needed"),
        ({"mass": [1.0, 2.0]}, "`mass` has 2 values for `n_atoms` = 3"),
        ({"temperature": [1.0, 2.0, 3.0]}, "`temperature` must be a scalar"),
        ({"dimensions": 0}, "`dimensions` = 0"),
    ],
)
def test_bad_velocities_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_velocities(**{"mass": 1.0, "temperature": 300.0, "n_atoms": 3, **settings})


def test_mixed_libraries_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(BackendError, match="several backends"):
        random_velocities(torch.ones(2), 300.0, like=np.zeros((2, 3)))
