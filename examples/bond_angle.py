"""Train the bond angle of two triatomic molecules so that their ends come 1 nm apart.

    python examples/bond_angle.py --backend numpy|torch|jax|cupy [--strategy NAME] [--out out]

Prints a row an epoch, then writes grad_angle.png (loss and gradient at every third degree) and
sim_angle.gif (the trained molecules in motion).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from array_libraries import arguments, arrays_of
from figure_style import COLORS, figure_style
from matplotlib import rc_context
from matplotlib.figure import Figure

import xpmd as md
from xpmd_interactions import HarmonicAngle, HarmonicBond
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

DISTANCE_WANTED = 1.0  # nm
BOND_LENGTH = 0.7  # nm
# The angle between two sides of this length whose ends are that far apart, degrees.
ANGLE_EXPECTED = math.degrees(2.0 * math.asin(0.5 * DISTANCE_WANTED / BOND_LENGTH))
N_STEPS = 150
N_EPOCHS = 20
BONDS = [[0, 1], [1, 2], [3, 4], [4, 5]]
ANGLES = [[0, 1, 2], [3, 4, 5]]
START = [
    [0.8, 0.75, 1.5],
    [1.5, 0.70, 1.5],
    [2.3, 0.75, 1.5],
    [0.8, 2.25, 1.5],
    [1.5, 2.20, 1.5],
    [2.3, 2.25, 1.5],
]

# For a single parameter it is quickest to carry its change along, unless PyTorch or JAX differentiate.
DEFAULT_STRATEGY = {"numpy": "forward", "cupy": "forward"}

boundary = md.CubicBoundary(3.0)
bonds = HarmonicBond(atoms=BONDS, k=100.0, r0=BOND_LENGTH)
simulator = VelocityVerlet(dt=0.05, coupling=BerendsenThermostat(temperature=0.05, tau=0.5))


class Epoch(NamedTuple):
    """A row of the training table: the angle (radian) and what the simulation gave for it."""

    angle: float
    distance: float
    loss: float
    gradient: float

    def __str__(self) -> str:
        return (
            f"θ {round(math.degrees(self.angle), 1)}°  |  Final dist {round(self.distance, 2)}  |  "
            f"Loss {round(self.loss, 3)}  |  Grad {round(self.gradient, 2)}"
        )


def simulated(angle: Any, coords: Any, observe: dict[str, md.Observe] | None = None) -> md.Result:
    """Simulate the molecules with an angle at rest (radian), from these coordinates."""
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=coords,
        boundary=boundary,
        interactions=[bonds, HarmonicAngle(atoms=ANGLES, k=10.0, theta0=angle)],
    )
    return md.simulate(system, simulator, n_steps=N_STEPS, observe=observe)


def loss(angle: Any, coords: Any) -> tuple[Any, Any]:
    """Return how far the mean distance of the ends is from the one wanted, and that distance."""
    end = simulated(angle, coords).coords
    xp = md.backend_of(end).xp(end)
    ends = boundary.displacement(end[0:4:3, :], end[2:6:3, :], xp=xp)
    distance = xp.mean(xp.sqrt(xp.sum(ends**2, axis=-1)))
    return abs(distance - DISTANCE_WANTED), distance


def evaluated_on(
    library: str, strategy: str | md.GradientStrategy = ""
) -> Callable[[float], Epoch]:
    """Return the function that simulates at an angle and differentiates, on an array library."""
    coords = arrays_of(library)(START)
    chosen = strategy or DEFAULT_STRATEGY.get(library, "reverse")
    value_and_gradient = md.value_and_grad(loss, chosen, has_aux=True)

    def evaluate(angle: float) -> Epoch:
        (value, distance), gradient = value_and_gradient(angle, coords)
        return Epoch(angle, float(distance), float(value), float(gradient))

    return evaluate


def training(evaluate: Callable[[float], Epoch]) -> Iterator[Epoch]:
    """Follow the gradient downhill from 110 degrees."""
    angle = math.radians(110.0)
    for _ in range(N_EPOCHS):
        epoch = evaluate(angle)
        yield epoch
        angle -= 0.1 * epoch.gradient


def draw(evaluate: Callable[[float], Epoch], path: Path) -> None:
    """Draw loss and gradient over the angle."""
    degrees = range(3, 181, 3)
    epochs = [evaluate(math.radians(angle)) for angle in degrees]
    with rc_context(figure_style):
        figure = Figure(figsize=(4.6, 4.2))
        above, below = figure.subplots(2, sharex=True)
        above.plot(degrees, [epoch.loss for epoch in epochs], "o-", color=COLORS[0])
        above.set(ylabel="loss $L$ / nm", ylim=(0.0, None))
        # The gradient jumps where the loss has its kink, so no line leads across.
        n_below = sum(angle < ANGLE_EXPECTED for angle in degrees)
        for part in (slice(None, n_below), slice(n_below, None)):
            gradients = [epoch.gradient for epoch in epochs[part]]
            below.plot(degrees[part], gradients, "o-", color=COLORS[1])
        below.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        below.set(xlabel="bond angle at rest $\\theta$ / degree", xlim=(0, 180))
        below.set(ylabel="$\\mathrm{d}L/\\mathrm{d}\\theta$ / nm rad$^{-1}$")
        below.set_xticks(range(0, 181, 30))
        for axes in (above, below):
            axes.axvline(ANGLE_EXPECTED, color=COLORS[2], linestyle="--", zorder=0)
        above.text(
            ANGLE_EXPECTED + 3.0,
            0.9,
            f"isosceles triangle: {ANGLE_EXPECTED:.1f}°",
            transform=above.get_xaxis_transform(),
            color=COLORS[2],
        )
        figure.align_ylabels()
        figure.savefig(path)


def main() -> None:
    """Print the training table and draw the pictures."""
    options = arguments(__doc__, strategy="")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    evaluate = evaluated_on(options.backend, options.strategy)
    for number, epoch in enumerate(training(evaluate), start=1):
        print(f"Epoch {number}  |  {epoch}", flush=True)
    print("Drawing the gradient at 60 angles ...", flush=True)
    draw(evaluate, out / "grad_angle.png")
    coords = arrays_of(options.backend)(START)
    motion = simulated(
        epoch.angle, coords, {"coords": md.Observe(lambda system: system.coords, every=2)}
    )
    md.animate(
        motion.observations["coords"],
        boundary,
        out / "sim_angle.gif",
        bonds=BONDS,
        colors=["#4063d8", "#cb3c33", "#4063d8"] * 2,
        title=f"θ = {math.degrees(epoch.angle):.1f}°",
    )
    print(f"Pictures: {out / 'grad_angle.png'}, {out / 'sim_angle.gif'}")


if __name__ == "__main__":
    main()
