"""Simulate liquid argon and look at its temperature, its energy and its structure.

    python examples/first_steps.py --backend numpy|torch|jax|cupy [--atoms 400] [--steps 1500] [--out out]

Atoms placed at random are moved apart, brought to 94.4 K by Langevin dynamics for `--steps` steps, then
left alone for as many: the liquid of Rahman (Phys. Rev. 136, A405, 1964), with fewer atoms. Once it is
alone its energy is constant and its temperature fluctuates about that of the energy it happens to have.
Prints averages and draws first_steps.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from array_libraries import arguments, arrays_of
from figure_style import COLORS, figure_style
from matplotlib import rc_context
from matplotlib.figure import Figure

import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet

MASS = 39.948  # u
SIGMA = 0.34  # nm
EPSILON = 120.0 * md.units.molar.boltzmann  # kJ/mol
TEMPERATURE = 94.4  # K
DENSITY = 1.374 / MASS * 602.214076  # 1.374 g/cm3 in atoms per nm3
TIME_STEP = 0.01  # ps
SKIN = 0.1  # nm, how much farther than the potential the neighbor list reaches
EVERY = 10  # steps between records


class Liquid(NamedTuple):
    """What was recorded, step 0 included: in a bath for the first `n_bath` records, then alone."""

    n_bath: int
    time: Any  # ps
    temperature: Any  # K
    kinetic: Any  # kJ/mol an atom
    potential: Any
    r: Any  # nm
    g: Any


def start(n_atoms: int, library: str, seed: int = 1) -> md.System:
    """Return atoms at random places, moved apart where they were too close, with thermal velocities."""
    boundary = md.CubicBoundary((n_atoms / DENSITY) ** (1.0 / 3.0))
    reach = min(2.5 * SIGMA, 0.5 * min(boundary.side_lengths()) - SKIN)
    coords = md.place_atoms(n_atoms, boundary, 0.8 * SIGMA, seed, like=arrays_of(library)([0.0]))
    system = md.System(
        atoms=md.Atoms(mass=MASS, sigma=SIGMA, epsilon=EPSILON),
        coords=coords,
        velocities=md.random_velocities(MASS, TEMPERATURE, seed=seed, like=coords),
        boundary=boundary,
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(reach))],
        neighbor_finder=DistanceNeighborFinder(cutoff=reach + SKIN),
    )
    return md.minimize(system, tolerance=100.0)


def simulated(n_atoms: int, n_steps: int, library: str, seed: int = 1) -> Liquid:
    """Bring the liquid to its temperature, then follow it at constant energy."""
    system = start(n_atoms, library, seed)
    farthest = 0.5 * min(system.boundary.side_lengths())

    def structure(system: md.System) -> Any:
        return md.radial_distribution(system, r_max=farthest, n_bins=250, width=0.005)

    records = {
        "temperature": md.Observe(md.temperature, every=EVERY),
        "kinetic": md.Observe(md.kinetic_energy, every=EVERY),
        "potential": md.Observe(md.potential_energy, every=EVERY),
    }
    bath = Langevin(dt=TIME_STEP, temperature=TEMPERATURE, friction=2.0)
    warm = md.simulate(system, bath, n_steps, observe=records, seed=seed)
    records["g"] = md.Observe(lambda system: structure(system)[1], every=EVERY)
    alone = md.simulate(warm.system, VelocityVerlet(dt=TIME_STEP), n_steps, observe=records)

    to_numpy = system.backend.to_numpy

    def both(name: str) -> Any:
        # The end of the first run is the start of the second.
        first, second = (to_numpy(run.observations[name]) for run in (warm, alone))
        return np.concatenate([first, second[1:]])

    return Liquid(
        n_bath=n_steps // EVERY + 1,
        time=TIME_STEP * EVERY * np.arange(2 * (n_steps // EVERY) + 1),
        temperature=both("temperature"),
        kinetic=both("kinetic") / n_atoms,
        potential=both("potential") / n_atoms,
        r=to_numpy(structure(system)[0]),
        g=to_numpy(alone.observations["g"]).mean(axis=0),
    )


def draw(liquid: Liquid, n_atoms: int, path: Path) -> None:
    """Draw temperature and energy over time, and the radial distribution."""
    with rc_context(figure_style):
        figure = Figure(figsize=(6.8, 3.6))
        panels = figure.subplot_mosaic([["T", "g"], ["E", "g"]])
        left = liquid.time[liquid.n_bath - 1]
        for axes in (panels["T"], panels["E"]):
            axes.axvspan(0.0, left, color="0.93", zorder=0)
            axes.set(xlim=(0.0, liquid.time[-1]))
        panels["T"].tick_params(labelbottom=False)
        panels["T"].plot(liquid.time, liquid.temperature, color=COLORS[1])
        spread = TEMPERATURE * (2.0 / (3 * n_atoms - 3)) ** 0.5
        panels["T"].axhspan(TEMPERATURE - spread, TEMPERATURE + spread, color=COLORS[1], alpha=0.2)
        panels["T"].set(ylabel="temperature / K")
        for x, words in ((0.5 * left, "Langevin"), (1.5 * left, "constant energy")):
            panels["T"].text(
                x, 1.02, words, ha="center", transform=panels["T"].get_xaxis_transform()
            )

        energies = {
            "kinetic": liquid.kinetic,
            "total": liquid.kinetic + liquid.potential,
            "potential": liquid.potential,
        }
        for (name, energy), color in zip(energies.items(), (1, 3, 0), strict=True):
            panels["E"].plot(liquid.time, energy, color=COLORS[color], label=name)
        panels["E"].set(xlabel="time / ps", ylabel="$E$ per atom / kJ mol$^{-1}$")
        panels["E"].legend(loc="center right", bbox_to_anchor=(1.0, 0.62))

        minimum = 2.0 ** (1.0 / 6.0) * SIGMA
        panels["g"].axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
        panels["g"].axvline(minimum, color=COLORS[2], linestyle="--", zorder=0)
        panels["g"].text(
            minimum + 0.02,
            0.97,
            "$2^{1/6}\\sigma$",
            color=COLORS[2],
            va="top",
            transform=panels["g"].get_xaxis_transform(),
        )
        panels["g"].plot(liquid.r, liquid.g, color=COLORS[0])
        panels["g"].set(
            xlabel="$r$ / nm", ylabel="$g(r)$", xlim=(0.0, liquid.r[-1]), ylim=(0.0, None)
        )
        figure.align_ylabels([panels["T"], panels["E"]])
        figure.savefig(path)


def main() -> None:
    """Simulate, print averages over the second run and draw."""
    options = arguments(__doc__, atoms=400, steps=1500)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    liquid = simulated(options.atoms, options.steps, options.backend)
    alone = slice(liquid.n_bath - 1, None)
    total = (liquid.kinetic + liquid.potential)[alone]
    highest = liquid.g.argmax()
    print(f"temperature       {liquid.temperature[alone].mean():8.2f} K")
    print(f"potential energy  {liquid.potential[alone].mean():8.3f} kJ/mol an atom")
    print(f"total energy      {total.mean():8.3f} kJ/mol an atom, within {np.ptp(total):.1e}")
    print(f"highest g(r)      {liquid.g[highest]:8.2f} at {liquid.r[highest]:.3f} nm")
    draw(liquid, options.atoms, out / "first_steps.png")
    print(f"Picture: {out / 'first_steps.png'}")


if __name__ == "__main__":
    main()
