"""One step back of the adjoint of the equation of motion itself, not of its discretization.

Along m dv/dt = F(x, p) - m g v + noise, dx/dt = v the cotangents obey, backwards in time,

    da/d(-t) = J^T b/m,   db/d(-t) = a - g b,   dL/dp = integral b . dF/dp / m dt

for a = dL/dx and b = dL/dv. They are integrated by half a kick, a drift and half a kick.
"""

from __future__ import annotations

from typing import Any

from xpmd.errors import GradientError
from xpmd.force_derivatives import force_vjp
from xpmd.module import flatten, leaf_names
from xpmd.program import Program

Array = Any
Arrays = tuple[Any, ...]


def continuous_step_back(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    now: tuple[Arrays, Arrays],
    after: tuple[Arrays, Arrays],
    cotangents: Arrays,
) -> tuple[Arrays, Arrays]:
    """Return cotangents of a state and of the wanted leaves from those of the state one step later.

    Args:
        places: the wanted leaves.
        now, after: floats of the two states, each with a neighbor list that holds there.
        cotangents: of the state one step later; those of forces are not looked at.
    """
    backend = program.backend
    system, simulator = program.components(leaves)
    xp = backend.xp(*leaves, *now[0])
    mass, dt = system.masses(xp=xp), simulator.dt  # type: ignore[attr-defined]
    half, friction = 0.5 * dt, simulator.friction_of_motion
    flags = [k in places for k in range(len(flatten(system)[0]))]
    totals: list[Array | None] = [None] * len(places)
    of_box: list[Array | None] = [None] * program.n_box
    a, b, *rest = cotangents

    def kicked(state: tuple[Arrays, Arrays], a: Array, b: Array) -> Array:
        floats, lists = state
        _, with_box = program.state(floats, system)
        neighbors = program.neighbors(lists)
        _, response, found = force_vjp(
            with_box, floats[0], neighbors, half * b / mass, flags, forces=False
        )
        for k, place in enumerate(places):
            slope = None if place in program.box_places else found[place]
            totals[k] = _plus(totals[k], slope)
        for k, place in enumerate(program.box_places):
            of_box[k] = _plus(of_box[k], found[place])
        return a + response

    a = kicked(after, a, b)
    b = b * xp.exp(-friction * dt) + dt * a
    a = kicked(now, a, b)
    end = len(rest) - program.n_box
    box = [c if new is None else c + new for c, new in zip(rest[end:], of_box, strict=True)]
    values = (leaves[place] for place in places)
    return (a, b, xp.zeros_like(a), *rest[1:end], *box), tuple(
        xp.zeros_like(value) if total is None else total
        for value, total in zip(values, totals, strict=True)
    )


def check_motion(program: Program, leaves: Arrays, wanted: list[int]) -> None:
    """Raise `GradientError` unless the equation of motion and its derivatives are known.

    Args:
        wanted: places of the leaves a cotangent is wanted of.
    """
    _, simulator = program.components(leaves)
    name = type(simulator).__name__
    if simulator.couplings:
        raise GradientError(
            f"The strategy 'adjoint' knows no equation of motion for "
            f"{type(simulator.couplings[0]).__name__}; use 'reverse', which differentiates the steps "
            "themselves, or a simulator without couplings."
        )
    if simulator.friction_of_motion is None:
        raise GradientError(
            f"The strategy 'adjoint' knows no equation of motion for {name}: its "
            "`friction_of_motion` is None. Use 'reverse', which differentiates the steps themselves."
        )
    spec = program.structure.spec
    allowed = {*program.energy_places, *program.box_places, *program.start_places}
    refused = [leaf_names(spec)[k] for k in wanted if k not in allowed]
    if refused:
        raise GradientError(
            "The strategy 'adjoint' differentiates with respect to parameters of the energy, the box "
            f"and the start, and a derivative with respect to {', '.join(refused)} was asked for. Use "
            "'reverse'."
        )


def _plus(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
