"""Memory against the number of steps, as the allocator counts it, on NumPy."""

from __future__ import annotations

import functools
import gc
from typing import Any

import numpy as np
import pytest

import xpmd as md
from allocator_peak import allocator_peak, nothing_collected
from shaken_lattice import SIDE, start
from xpmd_gradients import Adjoint, Checkpointed, Forward, Reverse, Reversible, Score
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import OBABO, Langevin, VelocityVerlet

N_ATOMS = 24
VERLET = VelocityVerlet(0.001)
LANGEVIN = Langevin(0.001, 100.0, 1.0, remove_cm_motion=0)


def loss(
    sigma: Any,
    simulator: Any,
    n_steps: int,
    average: int | None = None,
    finder: Any = None,
) -> Any:
    """Return a number that depends on the end, or on the average over records every so many steps."""
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
        coords=coords[:N_ATOMS],
        velocities=velocities[:N_ATOMS],
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
        neighbor_finder=finder,
    )
    observe = {"k": md.Observe(md.kinetic_energy, every=average)} if average else {}
    run = md.simulate(system, simulator, n_steps, observe=observe, seed=3)
    return run.average("k") if average else np.sum(np.sin(3.0 * run.coords))


def peak(strategy: Any, simulator: Any, n_steps: int, **options: Any) -> int:
    """Return the bytes in use at most while a gradient is taken, beyond those before."""
    gradient = md.grad(loss, strategy)
    gradient(0.34, simulator, 20, **options)
    return allocator_peak(lambda: gradient(0.34, simulator, n_steps, **options))


@functools.cache
def state() -> float:
    """Return the bytes of a state, from what keeping all of them takes."""
    return (peak("reverse", VERLET, 120) - peak("reverse", VERLET, 20)) / 100


def test_reverse_keeps_every_state() -> None:
    """Coordinates, velocities and forces, which is what the others save."""
    plain = 3 * N_ATOMS * 3 * 8
    assert plain < state() < 1.5 * plain


SOME = {
    "reverse": (Reverse(), VERLET),
    "two levels": (Checkpointed(), VERLET),
    "binomial": (Checkpointed(slots=2), VERLET),
    "anchors": (Reversible(anchor_every=8), LANGEVIN),
    "fixed point": (Reversible(fixed_point=True), VERLET),
    "fixed point, Langevin": (Reversible(fixed_point=True), LANGEVIN),
    "adjoint": (Adjoint(), VERLET),
    "forward": (Forward(), VERLET),
    "score": (Score(), OBABO(0.001, 100.0, 1.0)),
}


@pytest.mark.parametrize("name", SOME)
def test_no_cycles_are_left_behind(name: str) -> None:
    """What a step leaves goes at once: the peak does not depend on when a collector comes round."""
    strategy, simulator = SOME[name]
    gradient = md.grad(loss, strategy)
    options = {"average": 5 if name == "score" else None, "finder": CellListNeighborFinder(0.84)}
    found = []
    for n_steps in (20, 40):
        # Once beforehand: a program that is new may put an old one, of another test, out of memory.
        gradient(0.34, simulator, n_steps, **options)
        with nothing_collected():
            gradient(0.34, simulator, n_steps, **options)
            found.append(gc.collect())
    assert found[1] <= found[0]


#: Strategy, simulator, and how many bytes a step may add, where a state has some two thousand.
#: To undo a step of velocity Verlet takes the drift that it removed, three numbers.
FLAT = {
    "anchors": (lambda n: Reversible(anchor_every=n // 10), VERLET, 32),
    "fixed point": (lambda n: Reversible(fixed_point=True), VERLET, 8),
    "fixed point, Langevin": (lambda n: Reversible(fixed_point=True), LANGEVIN, 8),
    "adjoint": (lambda n: Adjoint(anchor_every=n // 10), VERLET, 32),
    "forward": (lambda n: Forward(), VERLET, 8),
    "score": (lambda n: Score(), OBABO(0.001, 100.0, 1.0), 8),
}


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", FLAT)
def test_flat_in_steps(name: str) -> None:
    """The same number of anchors and records for ten times as many steps."""
    strategy, simulator, each = FLAT[name]
    short, long = (
        peak(strategy(n), simulator, n, average=n // 10 if name == "score" else None)
        for n in (1_000, 10_000)
    )
    assert long - short < 9_000 * each < 0.02 * 9_000 * state()
