"""Memory against the number of steps, as the allocator counts it, on NumPy."""

from __future__ import annotations

import functools
import gc
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_gradients import Checkpointed, Forward, Score
from xpmd_interactions import LennardJones
from xpmd_simulators import OBABO, VelocityVerlet

N_ATOMS = 24
EVERY = 60


def loss(sigma: Any, simulator: Any, n_steps: int, average: bool) -> Any:
    coords, velocities = start()
    system = md.System(
        atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
        coords=coords[:N_ATOMS],
        velocities=velocities[:N_ATOMS],
        boundary=md.CubicBoundary(SIDE),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
    )
    observe = {"k": md.Observe(md.kinetic_energy, every=EVERY)} if average else {}
    run = md.simulate(system, simulator, n_steps, observe=observe, seed=3)
    return run.average("k") if average else np.sum(np.sin(3.0 * run.coords))


def peak(strategy: Any, simulator: Any, n_steps: int, *, average: bool = False) -> int:
    """Return the bytes in use at most while a gradient is taken, beyond those before."""
    gradient = md.grad(loss, strategy)
    gradient(0.34, simulator, n_steps, average)
    gc.collect()
    assert not tracemalloc.is_tracing(), "another test left its count on, whose peak would be found"
    tracemalloc.start()
    try:
        gradient(0.34, simulator, n_steps, average)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


VERLET = VelocityVerlet(0.001)
FLAT = {
    "forward": (Forward(), VERLET, False),
    "score": (Score(), OBABO(0.001, 100.0, 1.0), True),
}


@functools.cache
def state() -> float:
    """Return the bytes of a state, from what keeping all of them takes."""
    return (peak("reverse", VERLET, 120) - peak("reverse", VERLET, 20)) / 100


def test_reverse_keeps_every_state() -> None:
    """Coordinates, velocities and forces, which is what the others save."""
    plain = 3 * N_ATOMS * 3 * 8
    assert plain < state() < 3 * plain


@pytest.mark.slow
@pytest.mark.parametrize("name", FLAT)
def test_flat_in_steps(name: str) -> None:
    """Less than a twentieth of the states that six hundred more steps go through."""
    strategy, simulator, average = FLAT[name]
    short, long = (peak(strategy, simulator, n, average=average) for n in (120, 720))
    assert long - short < 0.05 * 600 * state()


@pytest.mark.slow
def test_checkpoints_take_the_memory_of_two_square_roots() -> None:
    """At most 2 ceil(sqrt n) + 2 states more than one step needs."""
    n_steps = 900
    one, many = (peak(Checkpointed(), VERLET, n) for n in (1, n_steps))
    assert many - one < (2 * math.ceil(math.sqrt(n_steps)) + 2) * state()
