"""Lists inside a compiled simulation, where nothing is known and nothing can be raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from neighbors.lennard_jones_boxes import CUTOFF, FINDERS, LIST_CUTOFF, lennard_jones
from xpmd_interactions import LennardJones
from xpmd_neighbors import AllPairs
from xpmd_simulators import VelocityVerlet

jax = pytest.importorskip("jax")
jnp = jax.numpy


def array(value: Any, dtype: str = "float64") -> Any:
    return jnp.asarray(np.asarray(value, dtype=dtype))


def compiled(finder: md.NeighborFinder, function: Callable[[md.System], Any]) -> Any:
    """Return what a function of a System gives while coordinates and box are unknown."""
    system = lennard_jones(array, finder, n_atoms=60)

    @jax.jit
    def run(coords: Any, scale: Any) -> Any:
        sides = [scale * side for side in (3.2, 3.6, 4.0)]
        return function(system.replace(coords=coords, boundary=md.CubicBoundary(*sides)))

    return np.asarray(run(system.coords, jnp.asarray(1.0)))


def moved(system: md.System) -> Any:
    return md.simulate(system, VelocityVerlet(dt=0.002), 5).coords


@pytest.mark.parametrize("finder", ["cells", pytest.param("host", marks=pytest.mark.slow)])
def test_a_capacity_that_suffices(finder: str) -> None:
    """Also where the box is unknown, so that cells are a guess."""
    expected = moved(lennard_jones(np.asarray, AllPairs(), n_atoms=60))
    found = compiled(FINDERS[finder].replace(capacity=40), moved)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("finder", ["cells", pytest.param("host", marks=pytest.mark.slow)])
def test_a_capacity_that_does_not_poisons(finder: str) -> None:
    small = FINDERS[finder].replace(capacity=3)
    assert np.isnan(compiled(small, moved)).all()

    def properties(system: md.System) -> Any:
        found = md.potential_energy(system), md.forces(system), md.virial(system)
        return jnp.concatenate([jnp.reshape(each, (-1,)) for each in found])

    assert np.isnan(compiled(small, properties)).all()


@pytest.mark.slow
def test_a_gradient_of_a_list_that_is_too_small_is_poisoned() -> None:
    system = lennard_jones(array, FINDERS["cells"].replace(capacity=3), n_atoms=60)

    def loss(coords: Any) -> Any:
        return jnp.sum(moved(system.replace(coords=coords)) ** 2)

    assert np.isnan(np.asarray(jax.jit(jax.grad(loss))(system.coords))).all()


@pytest.mark.parametrize("finder", FINDERS)
def test_few_atoms_need_no_capacity(finder: str) -> None:
    """All pairs are listed then."""
    expected = md.potential_energy(lennard_jones(np.asarray, AllPairs(), n_atoms=60))
    found = compiled(FINDERS[finder], md.potential_energy)
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("finder", FINDERS)
def test_many_atoms_need_a_capacity(finder: str) -> None:
    def run(coords: Any, function: Callable[[md.System], Any]) -> Any:
        system = md.System(
            atoms=md.Atoms(mass=1.0, sigma=0.3, epsilon=1.0),
            coords=coords,
            boundary=md.CubicBoundary(100.0),
            interactions=[LennardJones(cutoff=md.DistanceCutoff(CUTOFF))],
            neighbor_finder=FINDERS[finder],
        )
        return function(system)

    coords = jnp.zeros((1025, 3))
    for function in (moved, md.forces):
        with pytest.raises(md.NeighborOverflowError, match="`capacity`"):
            jax.jit(run, static_argnums=1)(coords, function)


def test_a_cutoff_that_is_a_parameter() -> None:
    """A smooth cutoff may vary up to the cutoff of the list, and not beyond in silence."""

    def energy(finder: md.NeighborFinder, distance: Any) -> Any:
        cutoff = md.PolynomialCutoff(0.6, distance)
        return md.potential_energy(lennard_jones(array, finder, cutoff=cutoff, n_atoms=60))

    finder = FINDERS["cells"].replace(capacity=60)
    listed = jax.jit(jax.value_and_grad(lambda distance: energy(finder, distance)))
    whole = jax.jit(jax.value_and_grad(lambda distance: energy(AllPairs(), distance)))
    for distance in (0.8, 1.0, LIST_CUTOFF):
        np.testing.assert_allclose(listed(distance), whole(distance), rtol=1e-11)
    assert np.isnan(listed(LIST_CUTOFF + 0.001)[0])


def test_a_box_that_is_unknown_and_too_narrow() -> None:
    """No System was there to refuse it when the compiled function is called."""
    system = lennard_jones(array, AllPairs(), n_atoms=60)

    @jax.jit
    def energy(side: Any) -> Any:
        return md.potential_energy(system.replace(boundary=md.CubicBoundary(side)))

    assert np.isfinite(energy(2.01 * CUTOFF))
    assert np.isnan(energy(1.99 * CUTOFF))
