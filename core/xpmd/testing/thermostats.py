"""The checks of a thermostat."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from xpmd.coupling import Coupling
from xpmd.noise import Noise
from xpmd.simulator import State
from xpmd.testing import temperature_checks
from xpmd.testing.agreement import SAME, host_namespace, on_host, require_close, require_finite
from xpmd.testing.backends_at_hand import backend_names, usable
from xpmd.testing.check import Check, ConformanceError, Report, run_checks, with_exemptions
from xpmd.testing.component_checks import component_checks
from xpmd.testing.liquid import PlainVerlet
from xpmd.testing.motion import Motion
from xpmd.testing.parameters import Parameters
from xpmd.testing.simulators import run_motion_checks

Array = Any


def thermostat_checks(
    thermostat: Coupling,
    *,
    dt: float = 0.005,
    n_steps: int = 8,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of a thermostat, to be made one by one; arguments as `check_thermostat`."""
    if isinstance(thermostat, type) or not isinstance(thermostat, Coupling):
        raise TypeError(f"`thermostat` = {thermostat!r} must be an instance of a md.Coupling.")
    names = backend_names(thermostat, backends)
    motion = Motion(PlainVerlet(dt, coupling=thermostat), names, n_steps=n_steps)
    target = temperature_checks.target_of(thermostat)
    checks = component_checks(thermostat, ("apply", "undo"))
    if type(thermostat).undo is not Coupling.undo:
        checks.append(Check("undo", functools.partial(undo, motion)))
    checks += [
        Check("reach", functools.partial(reach, motion)),
        Check("temperature", functools.partial(temperature_checks.temperature, motion, target)),
    ]
    checks += [Check(f"rest-{name}", functools.partial(rest, motion, name)) for name in names]
    # What `undo` owes is checked by itself, in a message of its own.
    checks += [check for check in run_motion_checks(motion, names) if check.name != "inverse"]
    return with_exemptions(checks, exempt)


def _applied(motion: Motion, state: State, system: Any, simulator: Any) -> tuple[State, Any]:
    xp = system.backend.xp(state.velocities)
    noise: Noise | None = motion.noise(0, system)
    (coupling,) = simulator.couplings
    after: tuple[State, Any] = coupling.apply(state, system, simulator.dt, 0, noise, 1, xp=xp)
    return after


def reach(motion: Motion) -> None:
    """Velocities are all that it changes."""
    xp = host_namespace()
    system, simulator = motion.parts(motion.reference)
    before = motion.first_state(system, simulator)
    after, _ = _applied(motion, before, system, simulator)
    parts = {"coordinates": "coords", "forces": "forces"}
    for word, field in parts.items():
        old, new = on_host(getattr(before, field)), on_host(getattr(after, field))
        if not bool(xp.all(old == new)):
            raise ConformanceError(f"it changes the {word}; what moves the box is a barostat.")
    for old, new in zip(before.box, after.box, strict=True):
        if not bool(xp.all(on_host(old) == on_host(new))):
            raise ConformanceError("it changes the box; what moves the box is a barostat.")
    if tuple(after.velocities.shape) != tuple(before.velocities.shape):
        raise ConformanceError(
            f"velocities go in with shape {tuple(before.velocities.shape)} and come out with "
            f"{tuple(after.velocities.shape)}."
        )


def undo(motion: Motion) -> None:
    """`undo` gives back the state, from the record of `apply`."""
    system, simulator = motion.parts(motion.reference)
    before = motion.first_state(system, simulator)
    after, record = _applied(motion, before, system, simulator)
    xp = system.backend.xp(before.velocities)
    found = simulator.couplings[0].undo(after, record, system, xp=xp)
    require_close(
        "velocities after `apply` and `undo`",
        on_host(found.velocities),
        on_host(before.velocities),
        wanted_is="before",
        relative=100.0 * SAME,
    )


def rest(motion: Motion, name: str) -> None:
    """Atoms at rest get finite velocities, and finite gradients in reverse mode."""
    on = usable(name)
    system, simulator = motion.parts(on)
    still = system.with_fields(velocities=0.0 * system.velocities)
    parameters = Parameters((still, simulator), on)

    def loss(*values: Array) -> tuple[Array, tuple[Array, ...]]:
        changed, moving = parameters.tree(values)
        state = State(changed.coords, changed.velocities, 0.0 * changed.coords)
        after, _ = _applied(motion, state, changed, moving)
        return on.xp(after.velocities).sum(after.velocities), ()

    value, found, _ = on.value_and_grad(loss, parameters.values)
    require_finite(f"the velocities of atoms that were at rest, on {name}, sum to", on_host(value))
    for parameter, gradient in zip(parameters.names, found, strict=True):
        require_finite(
            f"for atoms at rest d(sum of velocities)/d({parameter}) on {name}", on_host(gradient)
        )


def check_thermostat(thermostat: Coupling, **settings: Any) -> Report:
    """Check a thermostat on every installed backend, with velocity Verlet on a small liquid.

    It must change velocities only, reach its field `temperature` and keep it, give finite gradients
    for atoms at rest, and pass the checks of a simulator that uses it.

    Args:
        thermostat: an instance; with a relaxation time of about 0.05 ps `temperature` is quick.
        dt: time step, ps.
        n_steps: length of the runs that are compared and differentiated.
        backends, exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(type(thermostat).__name__, thermostat_checks(thermostat, **settings))
