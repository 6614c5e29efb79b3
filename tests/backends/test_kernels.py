"""Kernels against the generic sums that they stand in for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd.force_derivatives import force_jvp, force_vjp
from xpmd.force_field import pair_forces
from xpmd.kernels import KERNELS
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.module import flatten
from xpmd.neighbor_upkeep import neighbors_of
from xpmd_interactions import Coulomb, LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

N_ATOMS = 30
CUTOFFS = {
    "none": md.NoCutoff(),
    "distance": md.DistanceCutoff(0.8),
    "shifted potential": md.ShiftedPotentialCutoff(0.8),
    "shifted force": md.ShiftedForceCutoff(0.8),
    "spline": md.CubicSplineCutoff(0.6, 0.8),
    "polynomial": md.PolynomialCutoff(0.6, 0.8),
}
BOXES = {
    "cubic": md.CubicBoundary(1.8, 2.0, 2.2),
    "open": md.CubicBoundary(1.8, float("inf"), 2.2),
    "triclinic": md.TriclinicBoundary([[2.0, 0.0, 0.0], [0.3, 2.0, 0.0], [-0.2, 0.4, 2.1]]),
}


class Exponential(md.PairwiseInteraction):
    """V = a exp(-b r), with fields and parameters of its own and no closed form."""

    atom_parameters = {"size": md.mixing.lorentz}

    b: Any
    cutoff: md.Cutoff = md.NoCutoff()

    def energy(self, r: Any, size: Any, *, xp: Any) -> Any:
        return size * xp.exp(-self.b * r)


class Growing(md.PairwiseInteraction):
    """V = k sqrt(reach - r), which is NaN beyond its reach."""

    k: Any
    cutoff: md.Cutoff = md.DistanceCutoff(0.8)

    def energy(self, r: Any, *, xp: Any) -> Any:
        return self.k * xp.sqrt(0.8 - r) ** 3


INTERACTIONS: dict[str, Callable[[md.Cutoff], list[Any]]] = {
    "Lennard-Jones": lambda cutoff: [LennardJones(cutoff=cutoff)],
    "Coulomb": lambda cutoff: [Coulomb(cutoff=cutoff)],
    "several": lambda cutoff: [
        LennardJones(cutoff=cutoff),
        Coulomb(cutoff=md.ShiftedForceCutoff(0.7)),
        Exponential(b=3.0, cutoff=cutoff),
    ],
    "NaN beyond": lambda cutoff: [Growing(k=2.0)],
}


CHOSEN = os.environ.get("XPMD_TEST_BACKENDS", "numpy torch jax").split()


@pytest.fixture(params=[name for name in CHOSEN if name != "array_api_strict"])
def on(request: pytest.FixtureRequest) -> md.Backend:
    """Each library that has kernels for pairs."""
    pytest.importorskip(request.param)
    return md.backend(request.param)


def system_of(
    array: Callable[..., Any],
    interactions: str,
    cutoff: str = "shifted force",
    box: str = "cubic",
    *,
    dtype: str = "float64",
    finder: md.NeighborFinder | None = None,
) -> md.System:
    """Return atoms on a shaken lattice, with parameters of their own and some pairs excluded."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    coords = 0.45 * grid[:N_ATOMS] + rng.uniform(-0.05, 0.05, (N_ATOMS, 3)) - 0.1
    return md.System(
        atoms=md.Atoms(
            mass=10.0,
            sigma=array(rng.uniform(0.3, 0.4, N_ATOMS), dtype),
            epsilon=array(0.7, dtype),
            charge=array(rng.uniform(-0.5, 0.5, N_ATOMS), dtype),
            size=array(rng.uniform(0.5, 1.0, N_ATOMS), dtype),
        ),
        coords=array(coords, dtype),
        boundary=BOXES[box],
        interactions=INTERACTIONS[interactions](CUTOFFS[cutoff]),
        exclusions=md.Exclusions([(0, 1), (4, 9)]),
        neighbor_finder=finder or DistanceNeighborFinder(cutoff=0.9),
        dtype=dtype,
    )


CASES = [
    *((interactions, "shifted force", "cubic") for interactions in INTERACTIONS),
    *(("several", cutoff, "open") for cutoff in CUTOFFS),
    ("several", "polynomial", "triclinic"),
]


# A list would lose pairs of an interaction without a cutoff.
EVERY = [
    (*case, finder)
    for case in CASES
    for finder in ("list", "all pairs")
    if finder == "all pairs" or case[1] != "none"
]
EVERY += [(*case, "sorted rows") for case in CASES[2::4]]
FINDERS = {
    "list": DistanceNeighborFinder(cutoff=0.9),
    "all pairs": AllPairs(),
    "sorted rows": CellListNeighborFinder(cutoff=0.9),
}


@pytest.mark.parametrize(("interactions", "cutoff", "box", "finder"), EVERY)
def test_as_the_generic_sums(
    on: md.Backend,
    array: Any,
    interactions: str,
    cutoff: str,
    box: str,
    finder: str,
) -> None:
    system = system_of(array, interactions, cutoff, box, finder=FINDERS[finder])
    neighbors, xp = neighbors_of(system)
    if finder == "sorted rows" and on.capabilities.pair_layout == "full":
        assert neighbors.layout == "sorted"
    rng = np.random.default_rng(6)
    w, direction = (array(rng.standard_normal((N_ATOMS, 3))) for _ in range(2))
    leaves, _ = flatten(system)
    numbers = LeafMap(system).numbers
    outside = {numbers.coords, numbers.velocities, *flatten(numbers.boundary)[0]}
    # Where the force jumps it has no derivative.
    jumps = [each for each in numbers.pairwise if not each.cutoff.continuous_force]
    outside |= {place for each in jumps for place in flatten(each.cutoff)[0]}
    wanted = ["float" in on.dtype_name(leaf) and k not in outside for k, leaf in enumerate(leaves)]
    tangents = [
        array(rng.standard_normal(leaf.shape)) if flag else None
        for leaf, flag in zip(leaves, wanted, strict=True)
    ]

    def everything() -> list[Any]:
        # Inside a compiled function, as it is used.
        def run(coords: Any) -> Any:
            forces = xp.stack(list(pair_forces(system, coords, neighbors, xp=xp)), axis=-1)
            first = force_vjp(system, coords, neighbors, w, wanted)
            second = force_jvp(system, coords, neighbors, direction, tangents)
            return [forces, *first[:2], *second, *(c for c in first[2] if c is not None)]

        return [on.to_numpy(each) for each in on.jit(run)(system.coords)]

    found = everything()
    with md.without_kernels():
        expected = everything()
    assert len(found) == len(expected) > 5
    for one, other in zip(found, expected, strict=True):
        scale = max(np.abs(other).max(), 1e-3)
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * scale)
    # And the kernels did not decline.
    some = LeafMap(system, wanted)
    kernel = md.plugins.get("kernel", f"pair_force_vjp_{on.name}")
    assert kernel(system, system.coords, neighbors, w, some, Cotangents(len(some))) is not None
    forces = md.plugins.get("kernel", f"pair_forces_{on.name}")
    assert forces(system, system.coords, neighbors, xp=xp) is not None


@pytest.mark.parametrize(("interactions", "cutoff", "box", "finder"), EVERY)
def test_energies_and_virials_as_the_generic_sums(
    on: md.Backend, array: Any, interactions: str, cutoff: str, box: str, finder: str
) -> None:
    """Excluded pairs are in none of them, and 1-4 pairs have parameters of their own."""
    system = system_of(
        array, interactions, cutoff, box, finder=AllPairs() if finder == "all pairs" else None
    )
    special = md.SpecialPairs(
        atoms=[[0, 1]], interaction=LennardJones(), weight=0.5, parameters={"epsilon": 0.3}
    )
    with_special = system.replace(interactions=[*system.interactions, special])

    def everything() -> list[Any]:
        return [
            on.to_numpy(function(each))
            for each in (system, with_special)
            for function in (md.potential_energy, md.virial, md.pressure)
        ]

    found = everything()
    with md.without_kernels():
        expected = everything()
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * np.abs(other).max())
    assert abs(found[3] - found[0]) > 1e-3


@pytest.mark.parametrize("box", [*BOXES, "plane"])
@pytest.mark.parametrize("wanted", ["box", "box and sigma"])
def test_a_box_that_is_a_parameter(on: md.Backend, array: Any, box: str, wanted: str) -> None:
    """Its cotangents are sums over the pairs that see an image, in any box."""
    system = system_of(array, "Lennard-Jones", box="cubic" if box == "plane" else box)
    if box == "plane":
        system = system.replace(
            coords=system.coords[:, :2],
            velocities=system.velocities[:, :2],
            boundary=md.RectangularBoundary(1.8, 2.0),
        )
    neighbors, _ = neighbors_of(system)
    numbers = LeafMap(system).numbers
    of_box = set(flatten(numbers.boundary)[0])
    chosen = of_box | ({numbers.atoms.parameters["sigma"]} if "sigma" in wanted else set())
    flags = [place in chosen for place in range(len(flatten(system)[0]))]
    w = array(np.random.default_rng(6).standard_normal(system.coords.shape))

    def everything() -> list[Any]:
        def run(coords: Any) -> Any:
            forces, response, found = force_vjp(system, coords, neighbors, w, flags)
            return [forces, response, *(c for c in found if c is not None)]

        return [on.to_numpy(each) for each in on.jit(run)(system.coords)]

    found = everything()
    with md.without_kernels():
        expected = everything()
    assert len(found) == len(expected) >= 2 + len(of_box)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())
    assert max(np.abs(each).max() for each in found[2:]) > 0.1
    leaves = LeafMap(system, flags)
    kernel = md.plugins.get("kernel", f"pair_force_vjp_{on.name}")
    cotangents = Cotangents(len(leaves))
    assert kernel(system, system.coords, neighbors, w, leaves, cotangents) is not None


class Undefined(Growing):
    """V = k sqrt(0.5 - r)^3, which is NaN for pairs that count."""

    def energy(self, r: Any, *, xp: Any) -> Any:
        return self.k * xp.sqrt(0.5 - r) ** 3


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_number_that_is_none_is_seen(on: md.Backend, array: Any) -> None:
    """Sums that may be reordered are still NaN if something in them is."""
    system = system_of(array, "several")
    system = system.replace(interactions=[*system.interactions, Undefined(k=2.0)])
    neighbors, xp = neighbors_of(system)
    compiled = on.jit(lambda x: list(pair_forces(system, x, neighbors, xp=xp)))
    forces = np.stack([on.to_numpy(part) for part in compiled(system.coords)], axis=-1)
    assert np.isnan(forces).any()
    with pytest.raises(md.SimulationError, match="not finite"):
        md.simulate(system, VelocityVerlet(dt=0.002), 2)


def test_single_precision(on: md.Backend, array: Any) -> None:
    system = system_of(array, "several", dtype="float32")
    found = on.to_numpy(md.forces(system))
    assert found.dtype == np.float32
    exact = on.to_numpy(md.forces(system_of(array, "several")))
    np.testing.assert_allclose(found, exact, rtol=0.0, atol=1e-5 * np.abs(exact).max())
    for function in (md.potential_energy, md.virial):
        found = on.to_numpy(function(system_of(array, "several", dtype="float32")))
        assert found.dtype == np.float32
        exact = on.to_numpy(function(system_of(array, "several")))
        np.testing.assert_allclose(found, exact, rtol=0.0, atol=1e-5 * np.abs(exact).max())


def test_forces_can_be_differentiated_again(on: md.Backend, array: Any) -> None:
    """A loss of the forces themselves, where padding and pairs out of reach must not leave a NaN."""
    system = system_of(array, "NaN beyond")

    def loss(coords: Any) -> Any:
        forces = md.forces(system.replace(coords=coords))
        return on.xp(forces).sum(forces * forces)

    found = on.to_numpy(md.grad(loss)(system.coords))
    with md.without_kernels():
        expected = on.to_numpy(md.grad(loss)(system.coords))
    assert np.abs(expected).max() > 0.0
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_compiled_forces_can_be_differentiated_from_outside() -> None:
    """The derivative of what is compiled is asked for when it has been traced, and that is over."""
    jax = pytest.importorskip("jax")
    system = system_of(jax.numpy.asarray, "several")

    def loss(coords: Any) -> Any:
        return (md.forces(system.replace(coords=coords)) ** 2).sum()

    found = jax.grad(jax.jit(loss))(system.coords)
    np.testing.assert_allclose(found, jax.grad(loss)(system.coords), rtol=1e-10)


def test_nobody_is_left_without_kernels() -> None:
    def fails() -> None:
        with md.without_kernels():
            assert not KERNELS.get()
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    assert KERNELS.get()
