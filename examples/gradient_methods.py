"""Compare the gradient strategies: agreement, time and memory against the number of steps.

    python examples/gradient_methods.py --backend numpy|torch|jax|cupy [--longest 400] [--out out]

The loss depends on the end of a run of 64 Lennard-Jones atoms under Langevin dynamics, the gradient is
with respect to sigma. Prints a table for each number of steps and draws gradient_methods.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from array_libraries import arguments, arrays_of
from figure_style import figure_style
from matplotlib import rc_context
from matplotlib.figure import Figure

import xpmd as md
from xpmd_gradients import Adjoint, Checkpointed, FiniteDifference, Forward, Reverse, Reversible
from xpmd_interactions import LennardJones
from xpmd_simulators import Langevin

SIDE = 1.72  # nm
SIMULATOR = Langevin(dt=0.002, temperature=120.0, friction=1.0)
STRATEGIES = {
    "reverse": Reverse(),
    "checkpointed": Checkpointed(),
    "reversible": Reversible(),
    "forward": Forward(),
    "adjoint": Adjoint(),
    "finite difference": FiniteDifference(order=2),
}
MARKERS = "osD^vx"


def loss(sigma: Any, coords: Any, velocities: Any, n_steps: int) -> Any:
    """Return a smooth number that depends on where the atoms end."""
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
        coords=coords,
        velocities=velocities,
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )
    end = md.simulate(system, SIMULATOR, n_steps, seed=3).coords
    return system.backend.xp(end).sum(system.backend.xp(end).sin(3.0 * end))


def start(library: str) -> tuple[Any, Any]:
    """Return coordinates on a shaken lattice and velocities at 120 K."""
    asarray, rng = arrays_of(library), np.random.default_rng(2)
    axis = (np.arange(4) + 0.5) * SIDE / 4
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    coords = asarray(grid + rng.uniform(-0.02, 0.02, grid.shape))
    return coords, md.random_velocities(40.0, 120.0, 64, seed=2, like=coords)


def compared(library: str, longest: int) -> dict[int, md.GradientTable]:
    """Return and print a table for each number of steps, doubled until the longest."""
    coords, velocities = start(library)
    sigma = arrays_of(library)(0.34)
    tables, n_steps = {}, 25
    while n_steps <= longest:
        print(f"\n{n_steps} steps")
        tables[n_steps] = md.check_gradient(
            loss,
            sigma,
            coords,
            velocities,
            n_steps,
            strategies=list(STRATEGIES.values()),
            referee="reverse",
        )
        n_steps *= 2
    return tables


def draw(tables: dict[int, md.GradientTable], path: Path) -> None:
    """Draw agreement, time and memory against the number of steps."""
    steps = list(tables)
    with rc_context(figure_style):
        figure = Figure(figsize=(7.2, 3.2))
        panels = figure.subplots(1, 3, sharex=True)
        for k, (name, marker) in enumerate(zip(STRATEGIES, MARKERS, strict=True)):
            rows = [table.rows[k] for table in tables.values()]
            apart = [max(row.difference, 1e-17) for row in rows]
            times = [1e3 * row.seconds for row in rows]
            memory = [max((row.memory or 0) / 1e6, 1e-2) for row in rows]
            for axes, values in zip(panels, (apart, times, memory), strict=True):
                axes.loglog(steps, values, marker=marker, markersize=4, label=name)
        labels = ("difference to reverse mode", "time / ms", "memory / MB")
        for axes, label in zip(panels, labels, strict=True):
            axes.set(xlabel="steps", ylabel=label)
            axes.set_xticks(steps, [str(n_steps) for n_steps in steps])
            axes.minorticks_off()
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        figure.savefig(path)


def main() -> None:
    """Print the tables and draw the figure."""
    options = arguments(__doc__, longest=400)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    draw(compared(options.backend, options.longest), out / "gradient_methods.png")
    print(f"Picture: {out / 'gradient_methods.png'}")


if __name__ == "__main__":
    main()
