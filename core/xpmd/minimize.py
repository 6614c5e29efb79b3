"""Energy minimization by steepest descent."""

from __future__ import annotations

import math

from xpmd.concrete import require_positive, require_whole
from xpmd.errors import GradientError
from xpmd.implicit import implicit_minimum
from xpmd.module import flatten
from xpmd.properties import forces, potential_energy
from xpmd.system import System
from xpmd.units import magnitude


def minimize(
    system: System,
    *,
    step: float = 0.01,
    tolerance: float = 1000.0,
    max_steps: int = 1000,
    gradient: str | None = None,
) -> System:
    """Return the System moved downhill until no force component exceeds the tolerance.

    Moves x -> x + h F/max|F|; h grows by 1.2 when the energy falls, else the move is taken back and h
    shrinks fivefold (as Molly.jl and GROMACS do).

    Args:
        step: first h, nm.
        tolerance: largest force component to stop at, kJ/mol/nm.
        max_steps: most moves tried.
        gradient: "implicit" to make the coordinates at the minimum differentiable with respect to
            everything in the System but the coordinates it starts from, on which a minimum does not
            depend; the minimum is then refined by Newton steps.

    Raises:
        GradientError: a derivative is being taken and `gradient` was left out, or, on the way back,
            the minimum has none.
    """
    step = magnitude(step, "length", system.units, name="step")
    tolerance = magnitude(tolerance, "force", system.units, name="tolerance")
    require_positive("step", step)
    require_positive("tolerance", tolerance)
    require_whole("max_steps", max_steps, at_least=0)
    if gradient not in (None, "implicit"):
        raise ValueError(f"`gradient` = {gradient!r} must be 'implicit' or None.")

    def descend(start: System) -> System:
        return _descended(start, step, tolerance, max_steps)

    if gradient == "implicit":
        return implicit_minimum(system, descend)  # type: ignore[no-any-return]
    if any(system.backend.is_followed(leaf) for leaf in flatten(system)[0]):
        raise GradientError(
            "minimize cannot be differentiated or compiled: where it stops is decided by the numbers it "
            "meets. Give `gradient='implicit'`, or call it outside of the loss, on arrays without a "
            "gradient."
        )
    return descend(system)


def _descended(system: System, step: float, tolerance: float, max_steps: int) -> System:
    backend = system.backend
    energy = float(backend.to_numpy(potential_energy(system)))
    pull = backend.stop_gradient(forces(system))
    for _ in range(max_steps):
        largest = float(abs(backend.known(pull)).max(initial=0.0))
        if largest <= tolerance:
            break
        xp = backend.xp(system.coords, pull)
        moved = system.boundary.wrap(system.coords + (step / largest) * pull, xp=xp)
        trial = system.with_fields(coords=moved)
        lower = float(backend.to_numpy(potential_energy(trial)))
        if math.isfinite(lower) and lower < energy:
            system, energy, step = trial, lower, 1.2 * step
            pull = backend.stop_gradient(forces(system))
        else:
            step = step / 5.0
            if step < 1e-12:
                break
    return system
