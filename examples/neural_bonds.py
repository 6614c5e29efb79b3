"""Train a small neural network to pull three atoms into an equilateral triangle.

    python examples/neural_bonds.py --backend numpy|torch|jax|cupy [--network plain|torch|equinox]
        [--strategy NAME] [--epochs 20] [--steps 400] [--seed 5] [--out out]

The network, 1 - 5 - 1 with 16 weights, gives the force between the two lower atoms from their distance;
the force has no energy. Prints a row an epoch, then writes logo_before.gif and logo_after.gif.

`plain` is written in the functions every array library has, and runs on all of them; `torch` is a
`torch.nn.Module` and `equinox` an `equinox.Module`, each on its own library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optree
from array_libraries import arguments, arrays_of

import xpmd as md
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

DISTANCE_WANTED = 1.0  # nm
HIDDEN = 5
START = [[2.3, 2.07, 0.0], [2.5, 2.93, 0.0], [2.7, 2.07, 0.0]]
COLORS = ["#cb3c33", "#389826", "#9558b2"]

boundary = md.CubicBoundary(5.0)
simulator = VelocityVerlet(dt=0.02, coupling=BerendsenThermostat(temperature=0.01, tau=0.5))


class NetworkBond(md.GeneralInteraction):
    """A force between the atoms 0 and 2 along their distance, f = network(weights, r).

    Args:
        weights: parameters of the network, any nesting of arrays.
        network: function of the weights and a distance `(1,)` that returns `(1,)`, kJ/mol/nm.
    """

    weights: Any
    network: Callable[[Any, Any, Any], Any] = md.static()

    needs_neighbors = False

    def forces(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        apart = system.boundary.displacement(coords[0, :], coords[2, :], xp=xp)
        distance = xp.sqrt(xp.sum(apart * apart))
        pull = self.network(self.weights, xp.reshape(distance, (1,)), xp)
        force = pull[0] * apart / distance
        return xp.stack([force, xp.zeros_like(force), -force])


class Weights(NamedTuple):
    """Two dense layers: `(5, 1)`, `(5,)`, `(1, 5)`, `(1,)`."""

    first: Any
    first_bias: Any
    second: Any
    second_bias: Any


def starting_weights(seed: int) -> Weights:
    """Draw weights uniformly, as Glorot and Bengio do (AISTATS 2010); biases are zero."""
    rng = np.random.default_rng(seed)
    limit = math.sqrt(6.0 / (1 + HIDDEN))
    return Weights(
        rng.uniform(-limit, limit, (HIDDEN, 1)),
        np.zeros(HIDDEN),
        rng.uniform(-limit, limit, (1, HIDDEN)),
        np.zeros(1),
    )


def plain_network(weights: Weights, x: Any, xp: Any) -> Any:
    """tanh(W2 relu(W1 x + b1) + b2)."""
    hidden = weights.first @ x + weights.first_bias
    hidden = xp.where(hidden > 0, hidden, xp.zeros_like(hidden))
    return xp.tanh(weights.second @ hidden + weights.second_bias)


def torch_network(start: Weights) -> tuple[Any, Callable[[Any, Any, Any], Any]]:
    """Return the parameters of a `torch.nn.Module` and the function that applies it."""
    import torch

    model = torch.nn.Sequential(
        torch.nn.Linear(1, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1), torch.nn.Tanh()
    ).double()
    names = ("0.weight", "0.bias", "2.weight", "2.bias")
    params = {name: torch.as_tensor(value) for name, value in zip(names, start, strict=True)}
    return params, lambda weights, x, xp: torch.func.functional_call(model, weights, (x,))


def equinox_network(start: Weights) -> tuple[Any, Callable[[Any, Any, Any], Any]]:
    """Return the parameters of an `equinox.Module` and the function that applies it."""
    import equinox
    import jax

    key = jax.random.key(0)
    model = equinox.nn.MLP(
        1, 1, HIDDEN, 1, activation=jax.nn.relu, final_activation=jax.numpy.tanh, key=key
    )
    arrays, rest = equinox.partition(model, equinox.is_inexact_array)
    structure = jax.tree.structure(arrays)
    params = [jax.numpy.asarray(value) for value in start]

    def apply(weights: Any, x: Any, xp: Any) -> Any:
        model = equinox.combine(jax.tree.unflatten(structure, weights), rest)
        return model(x)

    return params, apply


def network_of(kind: str, library: str, seed: int) -> tuple[Any, Callable[[Any, Any, Any], Any]]:
    """Return starting weights and the function that applies the network to them."""
    start = starting_weights(seed)
    if kind == "plain":
        asarray = arrays_of(library)
        return Weights(*(asarray(value) for value in start)), plain_network
    made_for = {"torch": ("torch", torch_network), "equinox": ("jax", equinox_network)}
    if kind not in made_for:
        raise SystemExit(f"--network {kind}: choose plain, torch or equinox")
    wanted, make = made_for[kind]
    if library != wanted:
        raise SystemExit(f"--network {kind} runs on --backend {wanted}, not on {library}")
    arrays_of(library)
    return make(start)


def simulated(
    weights: Any,
    network: Any,
    coords: Any,
    n_steps: int,
    observe: dict[str, md.Observe] | None = None,
) -> md.Result:
    """Simulate the three atoms with the network's force."""
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=coords,
        boundary=boundary,
        interactions=[NetworkBond(weights, network)],
    )
    return md.simulate(system, simulator, n_steps=n_steps, observe=observe)


def loss(weights: Any, network: Any, coords: Any, n_steps: int) -> tuple[Any, Any]:
    """Return how far the mean side is from the one wanted, and that side."""
    end = simulated(weights, network, coords, n_steps).coords
    xp = md.backend_of(end).xp(end)
    sides = boundary.displacement(end, xp.roll(end, 1, axis=0), xp=xp)
    distance = xp.mean(xp.sqrt(xp.sum(sides**2, axis=-1)))
    return abs(distance - DISTANCE_WANTED), distance


class Adam:
    """w -= rate m/(sqrt(v) + 1e-8), with running means m of the gradient and v of its square.

    Source: D. P. Kingma and J. Ba, ICLR 2015. `optax` and `torch.optim` have it, too; this one runs on
    every array library.
    """

    def __init__(self, rate: float, decay: tuple[float, float] = (0.9, 0.999)) -> None:
        self.rate, self.decay, self.n_steps = rate, decay, 0
        self.mean: Any = None
        self.square: Any = None

    def updated(self, weights: Any, gradient: Any) -> Any:
        """Return the weights after a step."""
        one, two = self.decay
        if self.mean is None:
            self.mean = optree.tree_map(lambda g: 0.0 * g, gradient)
            self.square = self.mean
        self.n_steps += 1
        self.mean = optree.tree_map(lambda m, g: one * m + (1 - one) * g, self.mean, gradient)
        self.square = optree.tree_map(
            lambda v, g: two * v + (1 - two) * g * g, self.square, gradient
        )
        scale_mean, scale_square = 1 - one**self.n_steps, 1 - two**self.n_steps
        return optree.tree_map(
            lambda w, m, v: w - self.rate * m / scale_mean / ((v / scale_square) ** 0.5 + 1e-8),
            weights,
            self.mean,
            self.square,
        )


def training(
    weights: Any, network: Any, coords: Any, strategy: str, n_epochs: int, n_steps: int
) -> Iterator[tuple[float, float, Any]]:
    """Yield the distance, the loss and the weights of each epoch."""
    value_and_gradient = md.value_and_grad(loss, strategy, has_aux=True)
    adam = Adam(0.02)
    for _ in range(n_epochs):
        (value, distance), gradient = value_and_gradient(weights, network, coords, n_steps)
        yield float(distance), float(value), weights
        weights = adam.updated(weights, gradient)


def film(weights: Any, network: Any, coords: Any, n_steps: int, path: Path) -> None:
    """Write an animation of the atoms."""
    observe = {"coords": md.Observe(lambda system: system.coords, every=10)}
    rows = simulated(weights, network, coords, n_steps, observe).observations["coords"]
    md.animate(rows, boundary, path, colors=COLORS, seconds_per_frame=0.05)


def main() -> None:
    """Print the training table and write the animations."""
    options = arguments(__doc__, network="plain", strategy="reverse", epochs=20, steps=400, seed=5)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    weights, network = network_of(options.network, options.backend, options.seed)
    coords = arrays_of(options.backend)(START)
    film(weights, network, coords, options.steps, out / "logo_before.gif")
    best = (math.inf, weights)
    epochs = training(weights, network, coords, options.strategy, options.epochs, options.steps)
    for number, (distance, value, now) in enumerate(epochs, start=1):
        print(
            f"Epoch {number}  |  Dist end {round(distance, 3)}  |  Loss {round(value, 3)}",
            flush=True,
        )
        best = min(best, (value, now), key=lambda pair: pair[0])
    film(best[1], network, coords, options.steps, out / "logo_after.gif")
    print(f"Pictures: {out / 'logo_before.gif'}, {out / 'logo_after.gif'}")


if __name__ == "__main__":
    main()
