"""Cutoffs: how a pair energy V(r) ends. Each changes V inside its reach; the core cuts beyond it.

Formulas as in the Molly.jl documentation and, for the polynomial switch, the OpenMM user guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from xpmd.concrete import concrete, followed, require_positive, require_scalar
from xpmd.module import Module, static
from xpmd.units import magnitude

Array = Any
#: V(r), elementwise.
Potential = Callable[[Array], Array]
#: Elementwise derivative of a function at a point.
Derivative = Callable[[Potential, Array], Array]
#: f = -V'(r)/r at s = r^2, then df/ds, then the derivatives of f by the parameters of V.
Radial = Callable[[Array], Iterator[Any]]


class Cutoff(Module):
    """Base of the cutoffs."""

    #: False where the force jumps at the reach, so that energy is not conserved across it.
    continuous_force = True

    #: `radial(potential, squared, *, xp)` if a cutoff also says what it makes of f = -V'(r)/r: from what
    #: `potential` (`Radial`) gives at any s, it yields f, df/ds, a list of df/dp for each parameter of
    #: V, and one for each field of its own that is a parameter.
    radial: ClassVar[Callable[..., Iterator[Any]] | None] = None

    @property
    def reach(self) -> Array | None:
        """Distance beyond which the energy is zero, nm; `None` if there is none."""
        return None

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        """Return the energy at distances within reach.

        Args:
            potential: V(r), elementwise.
            r: distances of any shape, nm.
            derivative: elementwise derivative of a function at a point.
            xp: array namespace.
        """
        raise NotImplementedError


class NoCutoff(Cutoff):
    """V(r) at every distance."""

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        return potential(r)

    def radial(self, potential: Radial, squared: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f, df/ds and the lists of df/dp, from those of V."""
        yield from potential(squared)
        yield []


class DistanceCutoff(Cutoff):
    """V(r) up to and including r = rc, then nothing.

    Energy and force jump at rc. The distance is static: the loss moves with it only through jumps,
    whose derivative would be a silent zero.
    """

    distance: float = static()
    continuous_force = False

    def __post_init__(self) -> None:
        given = magnitude(self.distance, "length", name="distance")
        distance = concrete(given)
        if distance is None or isinstance(distance, list) or followed(given):
            raise TypeError(
                "DistanceCutoff: `distance` must be a plain number, because a sharp cutoff has no "
                "derivative; use a shifted or switched cutoff to differentiate with respect to it."
            )
        require_positive("distance", distance)
        object.__setattr__(self, "distance", distance)

    @property
    def reach(self) -> Array | None:
        return self.distance

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        return potential(r)

    def radial(self, potential: Radial, squared: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f, df/ds and the lists of df/dp, from those of V."""
        yield from potential(squared)
        yield []


class _SmoothCutoff(Cutoff):
    """A cutoff whose distance is a parameter."""

    @property
    def reach(self) -> Array | None:
        return self.distance  # type: ignore[attr-defined]

    def __post_init__(self) -> None:
        for name in self._dynamic_names:
            value = magnitude(getattr(self, name), "length", name=name)
            require_positive(name, value)
            require_scalar(name, value)
            object.__setattr__(self, name, value)
        inner, outer = concrete(getattr(self, "activation", None)), concrete(self.reach)
        if inner is not None and outer is not None and inner >= outer:
            raise ValueError(f"`activation` = {inner} must be below `distance` = {outer}.")


class ShiftedPotentialCutoff(_SmoothCutoff):
    """V(r) - V(rc).

    The force jumps at rc. Energies have a derivative by it; forces, and trajectories, raise
    `GradientError` when they are asked for theirs, which would be a silent zero.
    """

    distance: Array
    continuous_force = False

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        return potential(r) - potential(_placed(potential, self.distance, r, xp))

    def radial(self, potential: Radial, squared: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f, df/ds and the lists of df/dp, from those of V."""
        yield from potential(squared)
        yield [0.0]


class ShiftedForceCutoff(_SmoothCutoff):
    """V(r) - V(rc) - (r - rc) V'(rc): energy and force end at zero."""

    distance: Array

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        end = _placed(potential, self.distance, r, xp)
        return potential(r) - potential(end) - (r - end) * derivative(potential, end)

    def radial(self, potential: Radial, squared: Array, *, xp: Any) -> Iterator[Any]:
        """Yield f, df/ds and the lists of df/dp, from those of V."""
        # V'(rc) = -rc f(rc) is taken from V'(r), so rc f(rc) / r from f.
        rc = xp.asarray(self.distance, dtype=squared.dtype)
        here, end = potential(squared), potential(rc * rc)
        ratio = rc / xp.sqrt(squared)
        at_end = next(end)
        yield next(here) - at_end * ratio
        slope_at_end = next(end)
        yield next(here) + 0.5 * at_end * ratio / squared
        yield [one - other * ratio for one, other in zip(next(here), next(end), strict=True)]
        yield [-(at_end + 2.0 * rc * rc * slope_at_end) * ratio / rc]


class CubicSplineCutoff(_SmoothCutoff):
    """V(r) up to ra, then the cubic through V(ra), V'(ra) that ends flat at zero at rc.

    (2t^3 - 3t^2 + 1) V(ra) + (t^3 - 2t^2 + t)(rc - ra) V'(ra), t = (r - ra)/(rc - ra).
    """

    activation: Array
    distance: Array

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        start = _placed(potential, self.activation, r, xp)
        span = self.distance - self.activation
        t = (r - start) / span
        value, slope = potential(start), derivative(potential, start)
        left = 1 - t
        cubic = (t * t * (2 * t - 3) + 1) * value + t * left * left * span * slope
        return xp.where(r <= start, potential(r), cubic)


class PolynomialCutoff(_SmoothCutoff):
    """S(t) V(r), S = 1 - 6t^5 + 15t^4 - 10t^3, t = (r - ra)/(rc - ra) between ra and rc."""

    activation: Array
    distance: Array

    def energy(self, potential: Potential, r: Array, *, derivative: Derivative, xp: Any) -> Array:
        t = (r - self.activation) / (self.distance - self.activation)
        t = xp.where(t > 0, t, xp.zeros_like(t))
        return (1 - t * t * t * (10 - 15 * t + 6 * t * t)) * potential(r)


def _placed(potential: Potential, distance: Array, r: Array, xp: Any) -> Array:
    """Return a distance in the shape of the potential there: one number if all pairs share parameters.

    An elementwise derivative at it is then one for each pair, or one for all.
    """
    if not hasattr(distance, "ndim"):
        distance = xp.asarray(distance, dtype=r.dtype)
    there = potential(distance)
    return distance if there.ndim == 0 else xp.zeros_like(there) + distance
