"""Every observable of one state: on all backends, its gradient, its symmetries, corner cases."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import xpmd as md
import xpmd_observables as obs
from xpmd_interactions import LennardJones

N, SIDE = 8, 3.0
_numbers = np.random.default_rng(3)
COORDS = np.stack(np.meshgrid([0.2, 1.1], [0.3, 1.2], [0.25, 1.15]), axis=-1).reshape(-1, 3)
COORDS = COORDS + _numbers.normal(size=COORDS.shape) * 0.08
VELOCITIES = _numbers.normal(size=COORDS.shape)
REFERENCE = COORDS + _numbers.normal(size=COORDS.shape) * 0.2
PAIRS = [[0, 1], [2, 5], [7, 3]]
CHAINS = [[0, 1, 3, 2], [4, 5, 7, 6]]


def leaves(side: float = SIDE, charge: Any = None) -> dict[str, Any]:
    """Return the arrays that a state is made of, as NumPy has them."""
    q = np.linspace(-1.0, 1.5, N) if charge is None else charge
    return {
        "coords": COORDS,
        "velocities": VELOCITIES,
        "sides": np.asarray([side, side * 1.1, side * 0.95]),
        "mass": np.linspace(1.0, 3.0, N),
        "charge": q,
    }


def system_of(values: dict[str, Any]) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=values["mass"], charge=values["charge"], sigma=0.3, epsilon=0.5),
        coords=values["coords"],
        velocities=values["velocities"],
        boundary=md.CubicBoundary(*(values["sides"][k] for k in range(3))),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(1.2))],
    )


@dataclass(frozen=True)
class Row:
    """What is true of an observable.

    Attributes:
        function: of a System.
        by: the arrays that it depends on.
        variant: whether another row calls the same code, so that JAX, which compiles for long, may
            leave this one to the slow tests.
        rotation, translation, images, permutation: whether it stays the same under them. Under
            `images` single atoms are moved by whole box vectors, in a box of their own.
    """

    function: Callable[[md.System], Any]
    by: tuple[str, ...] = ("coords",)
    variant: bool = False
    rotation: bool = True
    translation: bool = True
    images: bool = True
    permutation: bool = True


AS_THEY_ARE = {"images": False}
ROWS: dict[str, Row] = {
    "mean_min_separation": Row(md.mean_min_separation, ("coords", "sides")),
    "radial_distribution": Row(
        lambda s: obs.radial_distribution(s, r_max=1.3, n_bins=20)[1], ("coords", "sides")
    ),
    "partial radial_distribution": Row(
        lambda s: obs.radial_distribution(
            s, r_max=1.3, n_bins=8, width=0.2, first=[0, 1, 2], second=[2, 3, 4, 5]
        )[1],
        ("coords", "sides"),
        permutation=False,
        variant=True,
    ),
    "radius_of_gyration": Row(obs.radius_of_gyration, ("coords", "mass"), **AS_THEY_ARE),
    "pair_distances": Row(
        lambda s: obs.pair_distances(s, PAIRS), ("coords", "sides"), permutation=False
    ),
    "distance_matrix": Row(obs.distance_matrix, ("coords", "sides"), permutation=False),
    "group_distance": Row(
        lambda s: obs.group_distance(s, [0, 1, 2], [5, 6]),
        ("coords", "sides", "mass"),
        permutation=False,
    ),
    "nearest group_distance": Row(
        lambda s: obs.group_distance(s, [0, 1, 2], [5, 6], measure="nearest"),
        ("coords", "sides"),
        permutation=False,
        variant=True,
    ),
    "center_of_mass": Row(
        obs.center_of_mass, ("coords", "mass"), rotation=False, translation=False, **AS_THEY_ARE
    ),
    "bond_angles": Row(
        lambda s: obs.bond_angles(s, [[0, 1, 2], [4, 6, 5]]), ("coords", "sides"), permutation=False
    ),
    "dihedral_angles": Row(
        lambda s: obs.dihedral_angles(s, [[0, 1, 2, 4], [4, 6, 5, 1]]),
        ("coords", "sides"),
        permutation=False,
    ),
    "whole": Row(
        lambda s: obs.radius_of_gyration(obs.whole(s, [[k, k + 1] for k in range(N - 1)])),
        ("coords", "sides", "mass"),
        permutation=False,
    ),
    "rmsd": Row(
        lambda s: obs.rmsd(s, s.backend.asarray(REFERENCE, dtype="float64"), mass=None),
        ("coords", "mass"),
        permutation=False,
        **AS_THEY_ARE,
    ),
    "rmsd as it stands": Row(
        lambda s: obs.rmsd(s, REFERENCE[:3], atoms=[0, 1, 2], superpose=False),
        rotation=False,
        translation=False,
        permutation=False,
        **AS_THEY_ARE,
        variant=True,
    ),
    "distance_rmsd": Row(
        lambda s: obs.distance_rmsd(s, obs.distance_matrix(REFERENCE)),
        ("coords", "sides"),
        permutation=False,
        variant=True,
    ),
    "hydrodynamic_radius": Row(obs.hydrodynamic_radius, ("coords", "sides")),
    "dipole_moment": Row(
        obs.dipole_moment, ("coords", "charge"), rotation=False, translation=False, **AS_THEY_ARE
    ),
    "dipole_moment about the center": Row(
        lambda s: obs.dipole_moment(s, about="center_of_mass"),
        ("coords", "charge", "mass"),
        rotation=False,
        **AS_THEY_ARE,
        variant=True,
    ),
    "steinhardt": Row(
        lambda s: obs.steinhardt(s, cutoff=1.4, start=0.9), ("coords", "sides"), permutation=False
    ),
    "steinhardt of neighbors": Row(
        lambda s: obs.steinhardt(s, degree=2, cutoff=1.4, start=0.9, average="neighbors"),
        ("coords", "sides"),
        permutation=False,
        variant=True,
    ),
    "steinhardt of all": Row(
        lambda s: obs.steinhardt(s, degree=2, cutoff=1.4, start=0.9, average="all"),
        ("coords", "sides"),
        variant=True,
    ),
    "straightness": Row(
        lambda s: obs.straightness(s, CHAINS), ("coords", "sides"), permutation=False
    ),
    "segment_order": Row(
        lambda s: obs.segment_order(s, CHAINS), ("coords", "sides"), permutation=False
    ),
    "segment_order along z": Row(
        lambda s: obs.segment_order(s, CHAINS, director=[0.0, 0.0, 2.0]),
        ("coords", "sides"),
        rotation=False,
        permutation=False,
        variant=True,
    ),
    "contacts": Row(
        lambda s: obs.contacts(obs.pair_distances(s, PAIRS), distance=1.0, width=0.2),
        ("coords", "sides"),
        permutation=False,
    ),
    "density": Row(obs.density, ("sides", "mass")),
    "number_density": Row(obs.number_density, ("sides",), variant=True),
    "volume": Row(obs.volume, ("sides",)),
    "box_parameters": Row(obs.box_parameters, ("sides",)),
    "total_energy": Row(obs.total_energy, ("coords", "velocities", "sides", "mass"), variant=True),
    "scalar_pressure": Row(obs.scalar_pressure, ("coords", "velocities", "sides", "mass")),
    "potential_energy": Row(md.potential_energy, ("coords", "sides"), variant=True),
    "kinetic_energy": Row(md.kinetic_energy, ("velocities", "mass")),
    "temperature": Row(md.temperature, ("velocities", "mass")),
    "pressure": Row(
        md.pressure, ("coords", "velocities", "sides", "mass"), rotation=False, variant=True
    ),
}


def value_of(row: Row, values: dict[str, Any]) -> np.ndarray:
    return np.asarray(row.function(system_of(values)))


def weight_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.random.default_rng(5).normal(size=shape))


@functools.cache
def differentiated(name: str, library: str) -> Callable[..., Any]:
    """Return value and gradients of a weighted sum of an observable, compiled once where possible."""
    row, on = ROWS[name], md.backend(library)
    weight = weight_of(value_of(row, leaves()).shape)
    fixed = {key: on.asarray(value, dtype="float64") for key, value in leaves().items()}

    def loss(*arrays: Any) -> tuple[Any, tuple[Any, ...]]:
        found = row.function(system_of({**fixed, **dict(zip(row.by, arrays, strict=True))}))
        return on.xp(found).sum(found * on.asarray(weight, dtype="float64")), (found,)

    return on.jit(lambda *xs: on.value_and_grad(loss, xs))


def check_values_and_gradients(name: str, on: md.Backend) -> None:
    row, values = ROWS[name], leaves()
    # Atoms on either side of the boundary, so that the box matters to distances.
    values["coords"] = (values["coords"] - 0.65) % values["sides"]
    expected = value_of(row, values)
    weight = weight_of(expected.shape)
    arrays = [on.asarray(values[key], dtype="float64") for key in row.by]
    _, slopes, (found,) = differentiated(name, on.name)(*arrays)
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-11, atol=1e-12)
    step = 1e-5
    for key, slope in zip(row.by, slopes, strict=True):
        along = np.random.default_rng(7).normal(size=values[key].shape)
        moved = [
            np.sum(weight * value_of(row, {**values, key: values[key] + sign * step * along}))
            for sign in (1, -1)
        ]
        expected_slope = (moved[0] - moved[1]) / (2 * step)
        assert abs(expected_slope) > 1e-6, f"{name} does not depend on {key} here"
        np.testing.assert_allclose(
            np.sum(on.to_numpy(slope) * along), expected_slope, rtol=2e-6, atol=1e-8, err_msg=key
        )


VARIANTS = [name for name, row in ROWS.items() if row.variant]
LIBRARIES = ["numpy", "torch", "array_api_strict", pytest.param("jax", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", [name for name in ROWS if name not in VARIANTS])
def test_values_and_gradients_agree_on_every_backend(name, on):
    check_values_and_gradients(name, on)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_values_and_gradients_of_variants(name, library):
    check_values_and_gradients(name, md.backend(library))


def rotation(seed: int = 0) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.rotation])
def test_turning_everything_changes_nothing(name):
    # In a box so large that it is not noticed; a box itself cannot be turned.
    row, values = ROWS[name], leaves(side=60.0)
    middle = np.asarray([20.0, 20.0, 20.0])
    values["coords"] = values["coords"] + middle
    turn = rotation()
    center = values["coords"].mean(axis=0)
    turned = {
        **values,
        "coords": (values["coords"] - center) @ turn.T + center,
        "velocities": values["velocities"] @ turn.T,
    }
    before = value_of(row, values)
    np.testing.assert_allclose(value_of(row, turned), before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.translation])
def test_moving_everything_changes_nothing(name):
    row, values = ROWS[name], leaves()
    moved = {**values, "coords": values["coords"] + np.asarray([0.7, -4.3, 1.9])}
    np.testing.assert_allclose(value_of(row, moved), value_of(row, values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.images])
def test_another_image_of_an_atom_changes_nothing(name):
    row, values = ROWS[name], leaves()
    images = np.random.default_rng(2).integers(-2, 3, size=(N, 3))
    moved = {**values, "coords": values["coords"] + images * values["sides"]}
    np.testing.assert_allclose(value_of(row, moved), value_of(row, values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.permutation])
def test_another_order_of_the_atoms_changes_nothing(name):
    row, values = ROWS[name], leaves()
    order = np.random.default_rng(4).permutation(N)
    mixed = {key: value if key == "sides" else value[order] for key, value in values.items()}
    np.testing.assert_allclose(value_of(row, mixed), value_of(row, values), rtol=1e-9, atol=1e-9)


def degenerate() -> dict[str, np.ndarray]:
    line = np.zeros((N, 3))
    line[:, 0] = 0.3 * np.arange(N) + 0.1
    plane = COORDS * np.asarray([1.0, 1.0, 0.0])
    twins = COORDS.copy()
    twins[1] = twins[0]
    twins[5] = twins[4]
    return {
        "on a line": line,
        "in a plane": plane,
        "in the same place": twins,
        "all in one place": np.ones((N, 3)),
        "mirrored": REFERENCE * np.asarray([-1.0, 1.0, 1.0]),
        "identical": REFERENCE,
    }


FINITE = [
    name
    for name, row in ROWS.items()
    # Two particles in one place have an infinite Lennard-Jones energy.
    if "coords" in row.by and name not in ("potential_energy", "total_energy")
    if "pressure" not in name
]


def check_finite(name: str, on: md.Backend) -> None:
    for case, coords in degenerate().items():
        values = {**leaves(), "coords": coords}
        by = (on.asarray(values[key], dtype="float64") for key in ROWS[name].by)
        _, slopes, (found,) = differentiated(name, on.name)(*by)
        for each in (found, *slopes):
            assert np.isfinite(on.to_numpy(each)).all(), case


@pytest.mark.parametrize("name", [name for name in FINITE if name not in VARIANTS])
def test_values_and_slopes_stay_finite(name, on):
    check_finite(name, on)


@pytest.mark.parametrize("name", [name for name in FINITE if name in VARIANTS])
@pytest.mark.parametrize("library", LIBRARIES)
def test_values_and_slopes_of_variants_stay_finite(name, library):
    check_finite(name, md.backend(library))
