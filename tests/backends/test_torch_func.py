"""Losses with a simulation in them inside `torch.func`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import Langevin

torch = pytest.importorskip("torch")

LATTICE = np.stack(np.meshgrid(*[0.2 + 0.4 * np.arange(3)] * 3, indexing="ij"), axis=-1)
START = LATTICE.reshape(-1, 3) + np.random.default_rng(1).uniform(-0.02, 0.02, (27, 3))


def loss(params: Any, gradient: Any = None) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=params["sigma"], epsilon=0.9),
        coords=params["coords"],
        boundary=md.CubicBoundary(1.2),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.5))],
        neighbor_finder=CellListNeighborFinder(cutoff=0.58),
    )
    observe = {"k": md.Observe(md.kinetic_energy, every=5)}
    simulator = Langevin(0.002, 120.0, 1.0)
    run = md.simulate(system, simulator, 20, observe=observe, gradient=gradient, seed=2)
    return (run.coords**2).sum() + run.observations["k"].sum()


@pytest.fixture
def params() -> Any:
    return {
        "sigma": torch.tensor(0.34, dtype=torch.float64),
        "coords": torch.tensor(START, dtype=torch.float64),
    }


@pytest.mark.parametrize("gradient", [None, "checkpointed", "reversible"])
def test_gradients_are_those_of_xpmd(params: Any, gradient: Any) -> None:
    found = torch.func.grad(loss)(params, gradient)
    value, pull = torch.func.vjp(lambda p: loss(p, gradient), params)
    expected_value, expected = md.value_and_grad(loss)(params)
    assert float(value) == pytest.approx(float(expected_value), rel=1e-14)
    (pulled,) = pull(torch.ones_like(value))
    for name, each in expected.items():
        for one in (found[name], pulled[name]):
            np.testing.assert_allclose(one, each, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_not_followed_is_refused(params: Any) -> None:
    """Once more, forwards, or for many at once: an error, and no silent zero."""

    def of_sigma(sigma: Any) -> Any:
        return loss({**params, "sigma": sigma})

    with pytest.raises(md.GradientError, match="differentiated twice"):
        torch.func.grad(torch.func.grad(of_sigma))(params["sigma"])
    with pytest.raises(RuntimeError):
        torch.func.jvp(of_sigma, (params["sigma"],), (torch.ones_like(params["sigma"]),))
    with pytest.raises(md.BackendError, match=r"torch\.func\.vmap"):
        torch.func.vmap(of_sigma)(torch.stack([params["sigma"]] * 2))
