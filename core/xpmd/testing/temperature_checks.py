"""Whether a thermostat keeps the temperature it is given."""

from __future__ import annotations

import math
from typing import Any
from unittest import SkipTest

from xpmd.concrete import concrete
from xpmd.observe import Observe
from xpmd.properties import temperature_of
from xpmd.simulate import simulate
from xpmd.simulator import without_cm_motion
from xpmd.testing.agreement import host_namespace, on_host
from xpmd.testing.check import ConformanceError
from xpmd.testing.motion import Motion

Array = Any

N_STEPS, _EVERY, _N_BLOCKS = 4000, 10, 12
#: Standard errors that a mean may be off by.
_ERRORS = 5.0
#: A mean known no better than this, as a part of it, says nothing.
_COARSE = 0.025


def target_of(component: Any) -> float | None:
    """Return the temperature a component is set to, K, `None` if it has none."""
    known = concrete(getattr(component, "temperature", None))
    return float(known) if isinstance(known, (int, float)) else None


def temperature(motion: Motion, target: float | None, n_steps: int = N_STEPS) -> None:
    """Started at half of it, the liquid comes to the temperature asked for, and stays there.

    Eight atoms, so that one degree of freedom too many or too few shows. The temperature is that of the
    velocities about their mean, 3N - 3 degrees of freedom, whether or not the thermostat moves the
    center of mass.
    """
    if target is None:
        raise SkipTest("it has no field `temperature`.")
    xp, on = host_namespace(), motion.reference
    system, simulator = motion.parts(on, temperature=0.5 * target)
    result = simulate(
        system,
        simulator,
        n_steps,
        seed=motion.seed,
        observe={"temperature": Observe(_temperature, every=_EVERY)},
    )
    found = on_host(result.observations["temperature"])
    settled = found[found.shape[0] // 4 :]
    length = settled.shape[0] // _N_BLOCKS
    blocks = xp.mean(xp.reshape(settled[: length * _N_BLOCKS], (_N_BLOCKS, length)), axis=1)
    mean = float(xp.mean(blocks))
    error = float(xp.std(blocks)) / math.sqrt(_N_BLOCKS - 1)
    if error > _COARSE * target:
        raise SkipTest(
            f"{n_steps} steps are too few to tell: {mean:.1f} +- {error:.1f} K; give a longer `dt`, a "
            "shorter relaxation time or more `n_steps`."
        )
    if not abs(mean - target) <= _ERRORS * error + 1e-3 * target:
        raise ConformanceError(
            f"the mean temperature is {mean:.2f} +- {error:.2f} K over {n_steps} steps, and "
            f"{target:.2f} K were asked for."
        )


def _temperature(system: Any) -> Array:
    xp = system.backend.xp(system.velocities)
    return temperature_of(without_cm_motion(system.velocities, system, xp=xp), system, xp=xp)
