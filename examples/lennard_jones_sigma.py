"""Train the size of Lennard-Jones atoms so that each comes 0.5 nm from its nearest neighbor.

    python examples/lennard_jones_sigma.py --backend numpy|torch|jax|cupy [--strategy NAME]
        [--epochs 15] [--steps 500] [--seed 1] [--out out]

Every epoch starts from other random places and velocities. Prints a row an epoch, then writes
rdf_lj.png, the radial distribution at the end of the last simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from array_libraries import arguments, arrays_of
from figure_style import COLORS, figure_style
from matplotlib import rc_context
from matplotlib.figure import Figure

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import RescaleThermostat

DISTANCE_WANTED = 0.5  # nm
# The distance of least energy over sigma.
MINIMUM = 2.0 ** (1.0 / 6.0)
N_ATOMS = 50
MASS = 10.0  # u
TEMPERATURE = 1.0  # K
LEARNING_RATE = 1e-2

boundary = md.CubicBoundary(3.0)
simulator = VelocityVerlet(dt=0.02, coupling=RescaleThermostat(temperature=TEMPERATURE))


class Epoch(NamedTuple):
    """A row of the training table: sigma (nm) and what the simulation gave for it."""

    sigma: float
    separation: float
    loss: float
    gradient: float
    coords: Any

    def __str__(self) -> str:
        return (
            f"σ {round(self.sigma, 3)}  |  Mean min sep expected {round(self.sigma * MINIMUM, 3)}  |  "
            f"Mean min sep end {round(self.separation, 3)}  |  Loss {round(self.loss, 3)}  |  "
            f"Grad {round(self.gradient, 3)}"
        )


def loss(sigma: Any, coords: Any, velocities: Any, n_steps: int) -> tuple[Any, tuple[Any, Any]]:
    """Return how far the mean separation is from the one wanted, the separation, and coordinates."""
    system = md.System(
        atoms=md.Atoms(mass=MASS, sigma=sigma, epsilon=0.2),
        coords=coords,
        velocities=velocities,
        boundary=boundary,
        interactions=[LennardJones(cutoff=md.DistanceCutoff(1.5))],
        neighbor_finder=DistanceNeighborFinder(cutoff=1.8, every=10),
    )
    end = md.simulate(system, simulator, n_steps=n_steps).coords
    separation = md.mean_min_separation(end, boundary)
    return abs(separation - DISTANCE_WANTED), (separation, end)


def evaluated_on(
    library: str, strategy: str | md.GradientStrategy = "reverse", n_steps: int = 500
) -> Callable[[float, int], Epoch]:
    """Return the function that simulates with a sigma and a seed and differentiates."""
    like = arrays_of(library)([0.0])
    value_and_gradient = md.value_and_grad(loss, strategy or "reverse", has_aux=True)

    def evaluate(sigma: float, seed: int) -> Epoch:
        coords = md.place_atoms(
            N_ATOMS, boundary, min_dist=0.6, seed=seed, max_attempts=10_000, like=like
        )
        velocities = md.random_velocities(MASS, TEMPERATURE, N_ATOMS, seed=seed, like=like)
        (value, (separation, end)), gradient = value_and_gradient(
            sigma, coords, velocities, n_steps
        )
        return Epoch(sigma, float(separation), float(value), float(gradient), end)

    return evaluate


def training(evaluate: Callable[[float, int], Epoch], n_epochs: int, seed: int) -> Iterator[Epoch]:
    """Follow the gradient downhill from atoms that are too large."""
    sigma = 0.60 / MINIMUM
    for number in range(n_epochs):
        epoch = evaluate(sigma, 1000 * seed + number)
        yield epoch
        sigma -= LEARNING_RATE * epoch.gradient


def draw(coords: Any, path: Path) -> None:
    """Draw the radial distribution and the distance that was wanted."""
    r, g = md.radial_distribution(coords, boundary, r_max=1.5, n_bins=150, width=0.015)
    known = md.backend_of(r).to_numpy
    with rc_context(figure_style):
        figure = Figure(figsize=(4.6, 3.0))
        axes = figure.subplots()
        axes.plot(known(r), known(g), color=COLORS[0])
        axes.axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
        axes.axvline(DISTANCE_WANTED, color=COLORS[1], linestyle="--", zorder=0)
        axes.text(
            DISTANCE_WANTED + 0.02,
            0.95,
            "wanted: 0.5 nm to the nearest neighbor",
            transform=axes.get_xaxis_transform(),
            va="top",
            color=COLORS[1],
        )
        axes.set(xlabel="distance $r$ / nm", ylabel="$g(r)$", xlim=(0.0, 1.5), ylim=(0.0, None))
        figure.savefig(path)


def main() -> None:
    """Print the training table and draw the radial distribution."""
    options = arguments(__doc__, strategy="reverse", epochs=15, steps=500, seed=1)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    evaluate = evaluated_on(options.backend, options.strategy, options.steps)
    for number, epoch in enumerate(training(evaluate, options.epochs, options.seed), start=1):
        print(f"Epoch {number}  |  {epoch}", flush=True)
    draw(epoch.coords, out / "rdf_lj.png")
    print(f"Picture: {out / 'rdf_lj.png'}")


if __name__ == "__main__":
    main()
