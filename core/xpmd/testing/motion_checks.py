"""What a run of a simulator owes: gradients, the same numbers on every backend, repeatable noise."""

from __future__ import annotations

import itertools
import math
from typing import Any
from unittest import SkipTest

from xpmd.simulate import simulate
from xpmd.testing.agreement import SAME, SINGLE, host_namespace, on_host, require_close
from xpmd.testing.backends_at_hand import usable
from xpmd.testing.check import ConformanceError
from xpmd.testing.differences import require_slopes
from xpmd.testing.liquid import SoftSpheres
from xpmd.testing.motion import Motion

Array = Any

#: So hot, K, that atoms cross the box within so many steps.
_HOT, _N_HOT = 3e5, 40


def gradients(motion: Motion, name: str) -> None:
    """d(loss)/dp in reverse mode, for every parameter of System and simulator."""
    _, found = motion.gradient(name)
    for parameter, gradient in found.items():
        require_slopes(
            f"d(loss)/d({parameter}) on {name}", on_host(gradient), motion.slopes(parameter)
        )


def agreement(motion: Motion, name: str) -> None:
    """A run ends where it ends on the reference backend."""
    usable(name)
    reference = motion.reference.name
    if name == reference:
        raise SkipTest(f"{name} is what the other backends are compared with.")
    _require_same_end(
        motion.end(name), motion.end(reference), f"on {name}", f"on {reference}", 100.0 * SAME
    )


def precision(motion: Motion, name: str) -> None:
    """What goes in as float32 or float64 comes out as that, and the two are close."""
    for dtype in ("float64", "float32"):
        on = usable(name, dtype)
        end = motion.end(name, dtype)
        for what in ("coords", "velocities"):
            found = on.dtype_name(getattr(end, what))
            if found != dtype:
                raise ConformanceError(
                    f"{what} at the end of a run in {dtype} have type {found} on {name}."
                )
    if motion.stochastic:
        return  # the noise of float32 is a sequence of its own
    _require_same_end(
        motion.end(name, "float32"), motion.end(name), f"in float32 on {name}", "in float64", SINGLE
    )


def compilation(motion: Motion, name: str) -> None:
    """A second run, with other values of all parameters, compiles nothing."""
    on = usable(name)
    if not on.capabilities.jit:
        raise SkipTest(f"{name} compiles nothing.")
    motion.end(name)
    changed = motion.parameters(on)
    others = [
        on.asarray(on_host(value) * 1.001, dtype=on.dtype_name(value)) for value in changed.values
    ]
    system, simulator = changed.tree(others)
    before = SoftSpheres.calls[0]
    simulate(system, simulator, motion.n_steps, seed=motion.seed + 1)
    traced = SoftSpheres.calls[0] - before
    if traced:
        raise ConformanceError(
            f"a second run on {name}, with other values of the same shapes, was compiled again: the "
            f"energy was traced {traced} times."
        )


def repeatability(motion: Motion) -> None:
    """The same seed gives the same run; another seed another one, if noise is drawn, else the same."""
    name = motion.reference.name
    first, again = motion.end(name, seed=1), motion.end(name, seed=1, progress=False)
    other = motion.end(name, seed=2)
    xp = host_namespace()
    if not bool(xp.all(on_host(first.velocities) == on_host(again.velocities))):
        raise ConformanceError("two runs with the same seed differ.")
    same = bool(xp.all(on_host(first.velocities) == on_host(other.velocities)))
    if same and motion.stochastic:
        raise ConformanceError(
            "`stochastic` is True, and a run with another seed is the same: draw from `noise`, or set "
            "`stochastic = False`."
        )
    if not same and not motion.stochastic:
        raise ConformanceError("`stochastic` is False, and a run with another seed differs.")


def continuation(motion: Motion) -> None:
    """A run in two parts ends where a run in one does."""
    on, n_steps = motion.reference, motion.n_steps
    system, simulator = motion.parts(on)
    half = simulate(system, simulator, n_steps // 2, seed=motion.seed).system
    end = simulate(
        half, simulator, n_steps - n_steps // 2, seed=motion.seed, start_step=n_steps // 2
    ).system
    _require_same_end(end, motion.end(on.name), "of two runs", "of one", 100.0 * SAME)


def cell(motion: Motion) -> None:
    """Coordinates are inside the box at the end, also of atoms that left it on the way."""
    xp, on = host_namespace(), motion.reference
    system, simulator = motion.parts(on, temperature=_HOT)
    end = simulate(system, simulator, _N_HOT, seed=motion.seed).system
    coords, sides = on_host(end.coords), xp.asarray(end.boundary.side_lengths())
    outside = ~((coords >= 0.0) & (coords <= sides))
    if bool(xp.any(outside)):
        raise ConformanceError(
            f"coordinates at the end of a run are outside the box, such as {float(coords[outside][0])} "
            f"in one of {float(sides[0])} nm: put them through `system.boundary.wrap` after every move."
        )
    if tuple(end.velocities.shape) != tuple(end.coords.shape):
        raise ConformanceError(f"velocities have shape {tuple(end.velocities.shape)} at the end.")


def inverse(motion: Motion) -> None:
    """Undoing three steps, by their records, leads back to where they began."""
    system, simulator = motion.parts(motion.reference)
    state = start = motion.first_state(system, simulator)
    records = []
    for t in range(3):
        state, record = motion.step(state, t, system, simulator)
        records.append(record)
    for t in (2, 1, 0):
        state = motion.step_back(state, records[t], t, system, simulator)
    xp = host_namespace()
    for what in ("coords", "velocities", "forces"):
        found, wanted = on_host(getattr(state, what)), on_host(getattr(start, what))
        if what == "coords":
            sides = xp.asarray(system.boundary.side_lengths())
            found = found - xp.round((found - wanted) / sides) * sides
        require_close(
            f"{what} after three steps and back",
            found,
            wanted,
            wanted_is="before",
            relative=1000.0 * SAME,
        )


def order(motion: Motion, expected: float | None) -> None:
    """Half the time step has 1/2^order of the error at the end of the same time."""
    on = motion.reference
    dt = float(on_host(motion.parts(on)[1].dt))
    ends = []
    for k in range(4):
        system, simulator = motion.parts(on)
        simulator = simulator.with_fields(dt=on.asarray(dt / 2**k, dtype="float64"))
        ends.append(simulate(system, simulator, motion.n_steps * 2**k, seed=motion.seed).system)
    sizes = [_distance(a, b) for a, b in itertools.pairwise(ends)]
    found = math.log2(sizes[1] / sizes[2]) if min(sizes) > 0.0 else math.inf
    least, most = (0.8, math.inf) if expected is None else (expected - 0.25, expected + 0.25)
    if not least <= found <= most:
        wanted = "it must converge, with 1 at least" if expected is None else f"given as {expected}"
        raise ConformanceError(
            f"the order of the error in dt is {found:.3f}, {wanted}: runs over the same time with dt = "
            f"{dt:.4g}, {dt / 2:.4g}, {dt / 4:.4g} and {dt / 8:.4g} differ by "
            f"{', '.join(f'{size:.3g}' for size in sizes)}."
        )


def _distance(first: Any, second: Any) -> float:
    xp = host_namespace()
    apart = on_host(first.velocities) - on_host(second.velocities)
    return float(xp.sqrt(xp.sum(apart * apart)))


def _require_same_end(found: Any, wanted: Any, which: str, wanted_is: str, relative: float) -> None:
    xp = host_namespace()
    sides = xp.asarray(wanted.boundary.side_lengths())
    for what in ("coords", "velocities"):
        ours, theirs = on_host(getattr(found, what)), on_host(getattr(wanted, what))
        if what == "coords":
            # At a face of the box rounding decides on which side of it an atom is.
            ours = ours - xp.round((ours - theirs) / sides) * sides
        require_close(
            f"{what} at the end {which}", ours, theirs, wanted_is=wanted_is, relative=relative
        )
