"""An example of the project, from the start of its process; a run takes epochs of its training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from xpmd_benchmarks.engines.xpmd_fluid import missing, versions

__all__ = ["missing", "prepare", "versions"]

#: Epochs and steps of each, as it has them when nothing is said.
EXAMPLES = {
    "bond_angle": (20, 150),
    "lennard_jones_sigma": (15, 500),
    "neural_bonds": (20, 400),
}


def prepare(task: dict[str, Any]) -> Any:
    return Training(task)


class Training:
    """The epochs of one training, one after the other."""

    def __init__(self, task: dict[str, Any]) -> None:
        sys.path.insert(0, task["folder"])
        name, options = task["example"], (task["backend"], task["strategy"], task["n_steps"])
        self._losses = _TRAININGS[name](import_module(name), *options)

    def run(self, times: int) -> dict[str, float]:
        losses = [next(self._losses) for _ in range(times)]
        return {"loss": losses[-1]}


def _bond_angle(example: Any, backend: str, strategy: str, n_steps: int) -> Iterator[float]:
    example.N_STEPS = n_steps
    for epoch in example.training(example.evaluated_on(backend, strategy)):
        yield epoch.loss


def _lennard_jones_sigma(
    example: Any, backend: str, strategy: str, n_steps: int
) -> Iterator[float]:
    evaluate = example.evaluated_on(backend, strategy, n_steps)
    for epoch in example.training(evaluate, EXAMPLES["lennard_jones_sigma"][0], 1):
        yield epoch.loss


def _neural_bonds(example: Any, backend: str, strategy: str, n_steps: int) -> Iterator[float]:
    weights, network = example.network_of("plain", backend, 5)
    coords = example.arrays_of(backend)(example.START)
    epochs = EXAMPLES["neural_bonds"][0]
    for _, loss, _ in example.training(
        weights, network, coords, strategy or "reverse", epochs, n_steps
    ):
        yield loss


_TRAININGS: dict[str, Callable[..., Iterator[float]]] = {
    "bond_angle": _bond_angle,
    "lennard_jones_sigma": _lennard_jones_sigma,
    "neural_bonds": _neural_bonds,
}
