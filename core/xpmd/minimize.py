"""Energy minimization by steepest descent."""

from __future__ import annotations

import math

from xpmd.concrete import require_positive, require_whole
from xpmd.properties import forces, potential_energy
from xpmd.system import System
from xpmd.units import magnitude


def minimize(
    system: System, *, step: float = 0.01, tolerance: float = 1000.0, max_steps: int = 1000
) -> System:
    """Return the System moved downhill until no force component exceeds the tolerance.

    Moves x -> x + h F/max|F|; h grows by 1.2 when the energy falls, else the move is taken back and h
    shrinks fivefold (as Molly.jl and GROMACS do).

    Args:
        step: first h, nm.
        tolerance: largest force component to stop at, kJ/mol/nm.
        max_steps: most moves tried.
    """
    step = magnitude(step, "length", system.units, name="step")
    tolerance = magnitude(tolerance, "force", system.units, name="tolerance")
    require_positive("step", step)
    require_positive("tolerance", tolerance)
    require_whole("max_steps", max_steps, at_least=0)
    backend = system.backend
    energy = float(potential_energy(system))
    pull = forces(system)
    for _ in range(max_steps):
        largest = float(abs(backend.known(pull)).max(initial=0.0))
        if largest <= tolerance:
            break
        xp = backend.xp(system.coords, pull)
        moved = system.boundary.wrap(system.coords + (step / largest) * pull, xp=xp)
        trial = system.with_fields(coords=moved)
        lower = float(potential_energy(trial))
        if math.isfinite(lower) and lower < energy:
            system, energy, step = trial, lower, 1.2 * step
            pull = forces(system)
        else:
            step = step / 5.0
            if step < 1e-12:
                break
    return system
