"""The way back may be taken again: two pulls through one run give what each alone would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from shaken_lattice import SIDE, start
from xpmd_gradients import Checkpointed, Reverse, Reversible
from xpmd_interactions import LennardJones
from xpmd_simulators import VelocityVerlet

STRATEGIES = {
    "reverse": Reverse(),
    "two levels": Checkpointed(),
    "binomial": Checkpointed(slots=2),
    "reversible": Reversible(anchor_every=4),
}


@pytest.mark.parametrize("on", ["numpy", "torch", "jax"], indirect=True)
@pytest.mark.parametrize("name", STRATEGIES)
def test_pulled_twice(on: md.Backend, array: Any, name: str) -> None:
    coords, velocities = start()

    def end(sigma: Any) -> tuple[Any]:
        system = md.System(
            atoms=md.Atoms(mass=40.0, sigma=sigma, epsilon=0.9),
            coords=array(coords[:8]),
            velocities=array(velocities[:8]),
            boundary=md.CubicBoundary(SIDE),
            interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))],
        )
        run = md.simulate(system, VelocityVerlet(dt=0.004), 16, gradient=STRATEGIES[name])
        return (on.xp(run.coords).sum(on.xp(run.coords).sin(run.coords)),)

    (value,), pull = on.vjp(end, array(0.34))
    one = on.xp(value).ones_like(value)
    first, again = (float(pull((one,))[0]) for _ in range(2))
    assert np.isfinite(first)
    assert first != 0.0
    assert again == pytest.approx(first, rel=1e-12)
