"""Train the bond angle of two triatomic molecules so that their ends come 1 nm apart.

    python examples/bond_angle.py --backend numpy|torch|jax|cupy [--strategy NAME] [--out out]

Prints a row an epoch, then writes grad_angle.png (the gradient at every angle) and sim_angle.gif (the
trained molecules in motion).
"""

from __future__ import annotations

import math
from pathlib import Path

from array_libraries import arguments, arrays_of

import xpmd as md
from xpmd_interactions import HarmonicAngle, HarmonicBond
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import BerendsenThermostat

DISTANCE_WANTED = 1.0  # nm
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

# NumPy and CuPy have no differentiation of their own, so there the loss is a black box by default.
DEFAULT_STRATEGY = {"torch": "reverse", "jax": "reverse"}

options = arguments(__doc__, strategy="")
asarray = arrays_of(options.backend)
strategy = options.strategy or DEFAULT_STRATEGY.get(options.backend, "finite_difference")

boundary = md.CubicBoundary(3.0)
coords = asarray(START)
bonds = HarmonicBond(atoms=BONDS, k=100.0, r0=0.7)
simulator = VelocityVerlet(dt=0.05, coupling=BerendsenThermostat(temperature=0.05, tau=0.5))


def simulated(theta, observe=None):
    """Simulate the molecules with a bond angle (radian)."""
    angles = HarmonicAngle(atoms=ANGLES, k=10.0, theta0=theta)
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=coords,
        boundary=boundary,
        interactions=[bonds, angles],
    )
    return md.simulate(system, simulator, n_steps=N_STEPS, observe=observe)


def loss(theta):
    """Return how far the mean distance of the ends is from the one wanted, and that distance."""
    end = simulated(theta).coords
    xp = md.backend_of(end).xp(end)
    ends = boundary.displacement(end[0:4:3, :], end[2:6:3, :], xp=xp)
    distance = xp.mean(xp.sqrt(xp.sum(ends**2, axis=-1)))
    return abs(distance - DISTANCE_WANTED), distance


value_and_gradient = md.value_and_grad(loss, strategy, has_aux=True)


def train() -> float:
    """Print the training table and return the angle found."""
    theta = math.radians(110.0)
    for epoch in range(1, N_EPOCHS + 1):
        (value, distance), gradient = value_and_gradient(theta)
        print(
            f"Epoch {epoch}  |  θ {round(math.degrees(theta), 1)}°  |  "
            f"Final dist {round(float(distance), 2)}  |  Loss {round(float(value), 3)}  |  "
            f"Grad {round(float(gradient), 2)}",
            flush=True,
        )
        theta -= 0.1 * float(gradient)
    return theta


def draw_gradients(path: Path) -> None:
    """Draw the gradient at every third degree."""
    from matplotlib import pyplot

    degrees = range(3, 181, 3)
    gradients = [float(value_and_gradient(math.radians(angle))[1]) for angle in degrees]
    figure, axes = pyplot.subplots(figsize=(6.0, 4.0), dpi=120)
    axes.axhline(0.0, color="0.7", linewidth=1)
    theory = math.degrees(2.0 * math.asin(DISTANCE_WANTED / 1.4))
    axes.axvline(theory, color="#9558b2", linewidth=1, label=f"theory, {theory:.1f}°")
    axes.plot(degrees, gradients, "o-", markersize=3, color="#4063d8")
    axes.set(xlabel="bond angle at rest / degrees", ylabel="dL/dθ / nm per radian")
    axes.set_title(f"Gradient by {strategy} on {options.backend}")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


if __name__ == "__main__":
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    trained = train()
    draw_gradients(out / "grad_angle.png")
    frames = simulated(trained, {"coords": md.Observe(lambda system: system.coords, every=2)})
    md.animate(
        frames.observations["coords"],
        boundary,
        out / "sim_angle.gif",
        bonds=BONDS,
        colors=["#4063d8", "#cb3c33", "#4063d8"] * 2,
        title=f"θ = {math.degrees(trained):.1f}°",
    )
    print(f"Pictures: {out / 'grad_angle.png'}, {out / 'sim_angle.gif'}")
