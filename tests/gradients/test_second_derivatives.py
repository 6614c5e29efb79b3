"""The derivative of a gradient through a run: right, or refused, but never a silent zero."""

from __future__ import annotations

from typing import Any

import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from slow_on_jax import slow_on_jax
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import VelocityVerlet

STEP = 1e-4


@pytest.fixture
def loss(array: Any) -> Any:
    """The potential energy at the end of a short run, by the side of the box."""
    coords, velocities = start()

    def energy(side: Any) -> Any:
        system = md.System(
            atoms=md.Atoms(mass=40.0, sigma=0.34, epsilon=0.9),
            coords=array(coords[:8]) * side / SIDE,
            velocities=array(velocities[:8]),
            boundary=md.CubicBoundary(side),
            interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.7))],
            neighbor_finder=CellListNeighborFinder(cutoff=0.75),
        )
        return md.potential_energy(md.simulate(system, VelocityVerlet(dt=0.002), 3).system)

    return energy


def _by_differences(gradient: Any, at: Any) -> float:
    return (float(gradient(at + STEP)) - float(gradient(at - STEP))) / (2 * STEP)


@slow_on_jax
@pytest.mark.parametrize("outer", ["reverse", "forward", "finite_difference"])
def test_the_gradient_of_a_gradient(on: md.Backend, array: Any, loss: Any, outer: str) -> None:
    gradient = md.grad(loss)
    refused = {"reverse": ("torch", "jax"), "forward": ("torch",), "finite_difference": ()}
    if on.name in refused[outer]:
        with pytest.raises(md.GradientError, match="differentiated twice in reverse"):
            md.grad(lambda side: gradient(side), outer)(array(SIDE))
        return
    second = float(md.grad(lambda side: gradient(side), outer)(array(SIDE)))
    assert second == pytest.approx(_by_differences(gradient, array(SIDE)), rel=1e-5)


@pytest.mark.parametrize("on", ["jax"], indirect=True)
def test_along_a_direction_by_jax_itself(on: md.Backend, array: Any, loss: Any) -> None:
    import jax

    gradient = jax.grad(loss)
    _, second = jax.jvp(gradient, (array(SIDE),), (array(1.0),))
    assert float(second) == pytest.approx(_by_differences(gradient, array(SIDE)), rel=1e-5)
    with pytest.raises(md.GradientError, match="differentiated twice in reverse"):
        jax.grad(gradient)(array(SIDE))
