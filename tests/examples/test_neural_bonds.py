"""The neural network as a force: its gradient, other networks, and where training gets."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import xpmd as md


def test_all_16_weights_against_finite_differences(example: Callable[[str], ModuleType]) -> None:
    module = example("neural_bonds")
    weights, network = module.network_of("plain", "numpy", 5)
    coords = np.asarray(module.START)
    found, wanted = (
        md.grad(module.loss, strategy, has_aux=True)(weights, network, coords, 60)[0]
        for strategy in ("reverse", "finite_difference")
    )
    numbers = 0
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)
        numbers += one.size
    assert numbers == 16


@pytest.mark.parametrize(
    ("library", "kinds"), [("torch", ["plain", "torch"]), ("jax", ["plain", "equinox"])]
)
def test_networks_of_libraries_are_the_same_network(
    example: Callable[[str], ModuleType], library: str, kinds: list[str]
) -> None:
    module = example("neural_bonds")
    found = []
    for kind in kinds:
        weights, network = module.network_of(kind, library, 5)
        coords = module.arrays_of(library)(module.START)
        gradient = md.value_and_grad(module.loss, has_aux=True)
        (value, _), slopes = gradient(weights, network, coords, 20)
        flat = [md.backend_of(x).to_numpy(x).ravel() for x in _leaves(slopes)]
        found.append((float(value), np.concatenate(flat)))
    (value, slopes), (same, others) = found
    assert value == pytest.approx(same, rel=1e-13)
    np.testing.assert_allclose(np.sort(slopes), np.sort(others), rtol=1e-11, atol=1e-15)


def _leaves(tree: Any) -> list[Any]:
    return list(tree.values()) if isinstance(tree, dict) else list(tree)


def test_a_network_on_the_wrong_library_is_refused(example: Callable[[str], ModuleType]) -> None:
    module = example("neural_bonds")
    with pytest.raises(SystemExit, match="runs on --backend torch, not on numpy"):
        module.network_of("torch", "numpy", 5)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["numpy", "jax"])
def test_training_reaches_the_distance(example: Callable[[str], ModuleType], library: str) -> None:
    module = example("neural_bonds")
    weights, network = module.network_of("plain", library, 5)
    coords = module.arrays_of(library)(module.START)
    losses = [row[1] for row in module.training(weights, network, coords, "reverse", 20, 400)]
    assert losses[0] > 0.1
    assert min(losses) < 0.01
