"""A System: one conversion at its door, after which backend, type, device and gradients stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from four_atoms import COORDS, atoms, bonds, lennard_jones, system
from xpmd.module import flatten
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import BerendsenThermostat


def everything(array: Callable[..., Any]) -> md.System:
    """A System in which every argument is an array of the backend, or follows the others."""
    return system(
        atoms=atoms(mass=array([1.0, 2.0, 3.0, 4.0]), sigma=[0.3, 0.3, 0.3, 0.3], epsilon=1),
        coords=array(COORDS),
        velocities=array(0.1 * COORDS),
        boundary=md.CubicBoundary(3, 3.0, array(4.0)),
        interactions=[lennard_jones(), bonds(k=array([100.0, 200.0]), r0=1)],
        exclusions=md.Exclusions([[0, 1]]),
    )


def test_all_arrays_become_those_of_one_backend(on: md.Backend, array: Callable[..., Any]) -> None:
    built = everything(array)
    assert built.backend is on
    assert built.dtype == "float64"
    leaves, _ = flatten(built)
    assert all(on.is_array(leaf) for leaf in leaves)
    kinds = {on.dtype_name(leaf) for leaf in leaves}
    assert kinds == {"float64", on.capabilities.index_dtype}
    # Integers given for parameters are numbers like any other.
    assert on.dtype_name(built.atoms.epsilon) == "float64"
    assert on.dtype_name(built.specific[0].r0) == "float64"
    assert on.dtype_name(built.boundary.sides[0]) == "float64"
    np.testing.assert_array_equal(on.to_numpy(built.atoms.sigma), 0.3 * np.ones(4))


def test_integer_arrays_become_floats(on: md.Backend) -> None:
    whole = [on.asarray(np.array(value)) for value in ([[0, 0, 0], [1, 0, 0]], [2, 3])]
    built = md.System(md.Atoms(mass=whole[1]), whole[0], md.CubicBoundary(4))
    assert built.backend is on
    assert on.dtype_name(built.coords) == on.dtype_name(built.atoms.mass) == "float64"
    assert float(md.kinetic_energy(built)) == 0.0


def test_plain_numbers_alone_are_numpy() -> None:
    built = md.System(md.Atoms(), COORDS.tolist(), md.CubicBoundary(3))
    assert built.backend.name == "numpy"
    assert built.dtype == "float64"
    assert not built.velocities.any()


def test_what_is_converted_is_not_converted_again(array: Callable[..., Any]) -> None:
    coords = array(COORDS)
    built = system(coords=coords, exclusions=md.Exclusions([[0, 1]]))
    assert built.coords is coords
    again = built.replace(velocities=array(COORDS))
    for name in ("coords", "atoms", "boundary", "exclusions", "neighbor_finder"):
        assert getattr(again, name) is getattr(built, name)
    for new, old in zip(again.interactions, built.interactions, strict=True):
        assert new is old


def test_the_users_components_are_left_alone(array: Callable[..., Any]) -> None:
    given = bonds(k=3)
    built = system(coords=array(COORDS), interactions=[given])
    assert given.k == 3
    assert built.interactions[0] is not given


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_is_that_of_the_arrays_or_the_one_asked_for(
    on: md.Backend, array: Callable[..., Any], dtype: str
) -> None:
    built = system(coords=array(COORDS, dtype=dtype))
    assert built.dtype == dtype
    other = {"float32": "float64", "float64": "float32"}[dtype]
    changed = built.replace(dtype=other)
    floats = [x for x in flatten(changed)[0] if "int" not in on.dtype_name(x)]
    assert {on.dtype_name(leaf) for leaf in floats} == {other}
    assert on.dtype_name(md.kinetic_energy(changed)) == other


def test_float32_stays_float32(on: md.Backend, array: Callable[..., Any]) -> None:
    built = everything(lambda value: array(value, dtype="float32"))
    assert_float32(built, on)


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_the_default_type_of_torch_does_not_matter(default: str) -> None:
    torch = pytest.importorskip("torch")
    on, before = md.backend("torch"), torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, default))
    try:
        for dtype, check in (("float32", assert_float32), ("float64", None)):
            built = everything(lambda value, dtype=dtype: on.asarray(value, dtype=dtype))
            if check is not None:
                check(built, on)
            else:
                end = md.simulate(built, VelocityVerlet(dt=0.001), 1)
                assert end.coords.dtype == md.forces(built).dtype == torch.float64
    finally:
        torch.set_default_dtype(before)


def assert_float32(built: md.System, on: md.Backend) -> None:
    """Hold that nothing computed from a System in float32 is anything else."""
    coupling = BerendsenThermostat(temperature=300, tau=0.1)
    end = md.simulate(built, VelocityVerlet(dt=0.001, coupling=coupling), 1)
    functions = {
        "forces": md.forces,
        "potential energy": md.potential_energy,
        "kinetic energy": md.kinetic_energy,
        "temperature": md.temperature,
        "virial": md.virial,
        "pressure": md.pressure,
    }
    evaluate = on.jit(
        lambda coords: {name: of(built.replace(coords=coords)) for name, of in functions.items()}
    )
    found = {"coords": end.coords, "velocities": end.velocities, **evaluate(built.coords)}
    kinds = {name: on.dtype_name(value) for name, value in found.items()}
    assert kinds == dict.fromkeys(found, "float32")


def test_the_device_is_kept() -> None:
    torch = pytest.importorskip("torch")
    coords = torch.zeros((4, 3), dtype=torch.float64, device="meta")
    entrance = md.backend("torch")
    assert str(entrance.device_of(coords)) == "meta"
    from xpmd.entry import Entrance

    found = Entrance.for_values({"coords": coords}, dtype=None, units=md.units.molar)
    assert str(found.array("mass", 1.0).device) == "meta"
    assert str(found.integers("atoms", [[0, 1]]).device) == "meta"


def energy(sigma: Any, mass: Any, coords: Any, side: Any, k: Any, distance: Any) -> Any:
    cutoff = md.ShiftedForceCutoff(distance)
    built = md.System(
        md.Atoms(mass=mass, sigma=sigma, epsilon=0.2),
        coords,
        md.CubicBoundary(side),
        velocities=coords,
        interactions=[LennardJones(cutoff=cutoff), HarmonicBond([[0, 1]], k=k, r0=0.4)],
    )
    return md.potential_energy(built) + md.kinetic_energy(built) + md.pressure(built)[0, 0]


VALUES = {
    "sigma": np.array([0.3, 0.31, 0.29, 0.3]),
    "mass": np.array(2.0),
    "coords": COORDS,
    "side": np.array(2.1),
    "k": np.array([50.0]),
    "distance": np.array(0.95),
}


def slopes_by_differences() -> dict[str, Any]:
    """Central differences of `energy`, one entry of each argument at a time."""
    slopes = {}
    for name, value in VALUES.items():
        slopes[name] = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = value.copy()
                moved[place] += step
                ends.append(float(energy(**{**VALUES, name: moved})))
            slopes[name][place] = (ends[0] - ends[1]) / 2e-6
    return slopes


@pytest.fixture(scope="module")
def slopes() -> dict[str, Any]:
    return slopes_by_differences()


def test_gradients_of_torch_pass_through_the_door(slopes: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    given = {name: torch.tensor(value, requires_grad=True) for name, value in VALUES.items()}
    energy(**given).backward()
    for name, value in given.items():
        np.testing.assert_allclose(value.grad, slopes[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_gradients_of_jax_pass_through_the_door_when_compiled(slopes: dict[str, Any]) -> None:
    jax = pytest.importorskip("jax")
    slope = jax.jit(jax.grad(lambda values: energy(**values)))
    found = slope({name: jax.numpy.asarray(value) for name, value in VALUES.items()})
    for name, value in found.items():
        np.testing.assert_allclose(value, slopes[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_gradients_of_every_backend_pass_through_the_door(
    on: md.Backend, slopes: dict[str, Any]
) -> None:
    given = {name: on.asarray(value) for name, value in VALUES.items()}
    found = md.grad(lambda values: energy(**values), jit=True)(given)
    for name, value in found.items():
        np.testing.assert_allclose(
            on.to_numpy(value), slopes[name], rtol=1e-6, atol=1e-7, err_msg=name
        )


def test_a_parameter_given_as_a_list_of_scalars_keeps_its_gradient(on: md.Backend) -> None:
    def loss(sigmas: list[Any]) -> Any:
        small, large = sigmas
        built = system(atoms=atoms(sigma=[small, large, small, large]), coords=on.asarray(COORDS))
        return (built.atoms.sigma * built.coords[:, 2]).sum()

    found = md.grad(loss, backend=on)([0.3, 0.4])
    assert [float(x) for x in found] == pytest.approx([0.2, 1.4])


def test_nothing_is_followed_that_was_not_asked_for() -> None:
    torch = pytest.importorskip("torch")
    built = everything(lambda value: torch.tensor(value, dtype=torch.float64))
    for function in (md.forces, md.potential_energy, md.virial, md.temperature):
        assert not function(built).requires_grad
    end = md.simulate(built, VelocityVerlet(dt=0.001), 2)
    assert not end.coords.requires_grad

    def loss(sigma: Any) -> Any:
        stretched = built.replace(atoms=md.Atoms(sigma=sigma, epsilon=0.2))
        return (md.forces(stretched) ** 2).sum() + md.virial(stretched)[0, 0]

    value, slope = md.value_and_grad(loss, backend="torch")(0.3)
    assert not value.requires_grad
    assert not slope.requires_grad


def test_what_a_loss_looks_at_is_followed() -> None:
    """A gradient with respect to one parameter may be differentiated by another that it depends on."""
    torch = pytest.importorskip("torch")
    epsilon = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)

    def loss(sigma: Any) -> Any:
        return md.potential_energy(
            system(coords=torch.tensor(COORDS), atoms=md.Atoms(sigma=sigma, epsilon=epsilon))
        )

    value, slope = md.value_and_grad(loss, backend="torch")(0.3)
    slope.backward()
    # The energy is proportional to epsilon.
    assert float(epsilon.grad) == pytest.approx(float(slope.detach()) / 0.2, rel=1e-12)
    assert value.requires_grad


def test_replacing_an_argument(on: md.Backend, array: Callable[..., Any]) -> None:
    built = everything(array)
    larger = built.replace(boundary=md.CubicBoundary(5.0), exclusions=None)
    assert larger.boundary.side_lengths() == (5.0, 5.0, 5.0)
    assert larger.exclusions is None
    assert built.boundary.side_lengths() == (3.0, 3.0, 4.0)
    assert larger.backend is on
    # The exclusions are looked up anew for another number of atoms.
    more = array(np.concatenate([COORDS, COORDS + 1.0]))
    doubled = built.replace(coords=more, velocities=None, atoms=atoms())
    assert doubled.n_atoms == 8
    assert tuple(doubled.exclusions.partners.shape) == (8, 1)
    assert tuple(doubled.index.shape) == (8,)
    with pytest.raises(ValueError, match=r"`velocities` has shape \(4, 3\), `coords` has \(8, 3\)"):
        built.replace(coords=more, atoms=atoms())


def test_representation(array: Callable[..., Any], on: md.Backend) -> None:
    expected = f"CubicBoundary(3, 3, 4) on {on.name} float64: LennardJones, HarmonicBond>"
    assert repr(everything(array)) == f"<System of 4 atoms in {expected}"
    plain = md.System(md.Atoms(), COORDS[:, :2], md.RectangularBoundary(3.5, float("inf")))
    expected = "RectangularBoundary(3.5, open) on numpy float64: no interactions>"
    assert repr(plain) == f"<System of 4 atoms in {expected}"


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        (md.CubicBoundary(3.0), 4 * 3 - 3),
        (md.CubicBoundary(3.0, 3.0, float("inf")), 4 * 3 - 2),
        (md.CubicBoundary(float("inf")), 4 * 3),
        (md.RectangularBoundary(3.0), 4 * 2 - 2),
        (md.TriclinicBoundary(np.eye(3) * 3.0), 4 * 3 - 3),
    ],
)
def test_degrees_of_freedom(boundary: md.Boundary, expected: int) -> None:
    built = md.System(md.Atoms(), COORDS[:, : boundary.dimensions], boundary)
    assert built.degrees_of_freedom == expected


def test_constraints_take_degrees_of_freedom() -> None:
    class Rods(md.Module):
        n_constraints: int = md.static(default=2)

    assert system(constraints=[Rods()]).degrees_of_freedom == 4 * 3 - 3 - 2
    assert system(constraints=Rods(n_constraints=1)).degrees_of_freedom == 4 * 3 - 3 - 1


def test_one_component_needs_no_list() -> None:
    assert len(system(interactions=lennard_jones()).interactions) == 1
    assert len(system(interactions=(lennard_jones(), bonds())).interactions) == 2
