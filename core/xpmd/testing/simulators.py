"""The checks of a simulator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xpmd.simulator import Simulator
from xpmd.testing import motion_checks, temperature_checks
from xpmd.testing.backends_at_hand import backend_names
from xpmd.testing.check import Check, Report, run_checks, with_exemptions
from xpmd.testing.component_checks import component_checks
from xpmd.testing.motion import Motion


def simulator_checks(
    simulator: Simulator,
    *,
    order: float | None = None,
    n_steps: int = 8,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of a simulator, to be made one by one; arguments as `check_simulator`."""
    if isinstance(simulator, type) or not isinstance(simulator, Simulator):
        raise TypeError(f"`simulator` = {simulator!r} must be an instance of a md.Simulator.")
    names = backend_names(simulator, backends)
    motion = Motion(simulator, names, n_steps=n_steps)
    checks = component_checks(simulator, ("step", "inverse", "prepare"))
    checks += run_motion_checks(motion, names)
    if not motion.stochastic and "dt" in type(simulator)._dynamic_names:
        checks.append(Check("order", functools.partial(motion_checks.order, motion, order)))
    target = temperature_checks.target_of(simulator)
    if target is not None and simulator.stochastic:
        run = functools.partial(temperature_checks.temperature, motion, target)
        checks.append(Check("temperature", run))
    return with_exemptions(checks, exempt)


def run_motion_checks(motion: Motion, names: Sequence[str]) -> list[Check]:
    """Return the checks of anything that moves atoms."""
    once: dict[str, Callable[[Motion], None]] = {
        "repeatability": motion_checks.repeatability,
        "continuation": motion_checks.continuation,
        "cell": motion_checks.cell,
    }
    if type(motion.simulator).inverse is not Simulator.inverse:
        once["inverse"] = motion_checks.inverse
    each: dict[str, Callable[[Motion, str], None]] = {
        "gradients": motion_checks.gradients,
        "agreement": motion_checks.agreement,
        "precision": motion_checks.precision,
        "compilation": motion_checks.compilation,
    }
    checks = [Check(word, functools.partial(run, motion)) for word, run in once.items()]
    checks += [
        Check(f"{word}-{name}", functools.partial(run, motion, name))
        for name in names
        for word, run in each.items()
        if not (word == "agreement" and name == names[0])
    ]
    return checks


def check_simulator(simulator: Simulator, **settings: Any) -> Report:
    """Check a simulator on every installed backend, on a liquid of eight soft spheres.

    A run must be the same on every backend, for the same seed and however it is cut in two; its
    gradient with respect to every parameter must be that of finite differences; the error must fall
    with the time step, an inverse must undo a step, and a second run must compile nothing.

    Args:
        simulator: an instance, with a time step of about 0.002 ps.
        order: of the error in the time step; only that there is one if left out.
        n_steps: length of the runs that are compared and differentiated.
        backends, exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(type(simulator).__name__, simulator_checks(simulator, **settings))
