"""The derivative of a minimum by the implicit function theorem.

At a minimum F(x*, p) = 0, so with the Hessian H = -dF/dx

    dL/dp = (dF/dp)^T u,   H u = dL/dx*

and nothing of the way to the minimum has to be known. H u = b is solved by conjugate gradients, whose
products H u come from `force_vjp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd.errors import GradientError
from xpmd.force_derivatives import force_vjp
from xpmd.force_field import total_forces
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import neighbors_of

Array = Any
Arrays = tuple[Any, ...]

#: Residual at which the linear equations count as solved, relative to their right-hand side.
SOLVED = 1e-12
#: The same, relative to what it takes for an answer to be of any use.
USABLE = 1e-6
#: Newton steps after the descent, which converge quadratically.
MOST_NEWTON_STEPS = 12


def implicit_minimum(system: Any, descend: Callable[[Any], Any]) -> Any:
    """Return a System at its minimum, whose coordinates have derivatives with respect to its leaves.

    Args:
        system: where to start; the minimum does not depend on its coordinates.
        descend: how a System without gradients comes close to its minimum.

    Raises:
        GradientError: on the way back, if the minimum is not isolated.
    """
    backend = system.backend
    leaves, spec = flatten(system)
    at: list[Any] = []
    flags: list[bool] = []

    def primal(*values: Array) -> Arrays:
        at[:] = [polished(descend(unflatten(spec, values)))]
        return (at[0].coords,)

    def forward(*values: Array, wanted: Sequence[bool]) -> tuple[Arrays, Any]:
        flags[:] = wanted
        return primal(*values), ()

    def backward(residuals: Any, cotangents: Arrays) -> list[Array | None]:
        (minimum,), (cotangent,) = at, cotangents
        if cotangent is None:
            return [None] * len(leaves)
        neighbors, _ = neighbors_of(minimum)
        solution = solved(minimum, neighbors, cotangent, strict=True)
        *_, found = force_vjp(minimum, minimum.coords, neighbors, solution, flags, forces=False)
        return list(found)

    run = backend.custom_vjp(primal, forward, backward, selective=True)
    (coords,) = run(*leaves)
    return system.with_fields(coords=coords)


def polished(system: Any) -> Any:
    """Return a System taken from near its minimum to it, as far as rounding lets it, by Newton steps."""
    backend = system.backend
    best, least = system, float("inf")
    for _ in range(MOST_NEWTON_STEPS):
        neighbors, xp = neighbors_of(system)
        forces = total_forces(system, system.coords, neighbors, xp=xp)
        size = float(abs(backend.known(forces)).max(initial=0.0))
        if not size < 0.5 * least:
            break
        best, least = system, size
        step = solved(system, neighbors, forces, strict=False)
        moved = system.boundary.wrap(system.coords + step, xp=xp)
        system = system.with_fields(coords=moved)
    return best


def solved(system: Any, neighbors: Any, right: Array, *, strict: bool) -> Array:
    """Return u with H u = b by conjugate gradients.

    Directions along which the energy does not change have no place in b, and none in u.

    Args:
        right: b, `(n, d)`.
        strict: whether to insist on a solution.
    """
    backend = system.backend
    xp = backend.xp(right)
    flags = [False] * len(flatten(system)[0])

    def product(u: Array) -> Array:
        return -force_vjp(system, system.coords, neighbors, u, flags, forces=False)[1]

    def dot(a: Array, b: Array) -> float:
        return float(backend.known(xp.sum(a * b)))

    right = _without_drift(product, right, dot, xp)
    solution, residual = xp.zeros_like(right), right
    direction = residual
    now = target = dot(residual, residual)
    for _ in range(10 * max(1, int(right.shape[0] * right.shape[1]))):
        if now <= SOLVED**2 * target:
            break
        image = product(direction)
        curvature = dot(direction, image)
        if curvature <= 0.0:
            break
        length = now / curvature
        solution = solution + length * direction
        residual = residual - length * image
        before, now = now, dot(residual, residual)
        direction = residual + (now / before) * direction
    if strict and now > USABLE**2 * target:
        raise GradientError(
            "The minimum has no derivative: the equations for it could not be solved (residual "
            f"{(now / target) ** 0.5:.1e} of the right-hand side). Either the energy does not change "
            "along some direction that the loss depends on, or the minimization stopped before the "
            "minimum; lower `tolerance`."
        )
    return solution


def _without_drift(
    product: Callable[[Array], Array], right: Array, dot: Callable[[Array, Array], float], xp: Any
) -> Array:
    """Return b less a motion of all atoms together, where the energy does not change with that."""
    ones = xp.ones_like(right)
    image = product(ones)
    typical = product(right)
    stiffness = (dot(typical, typical) / max(dot(right, right), 1e-300)) ** 0.5
    if (dot(image, image) / dot(ones, ones)) ** 0.5 > 1e-8 * max(stiffness, 1e-300):
        return right
    return right - xp.mean(right, axis=0)
