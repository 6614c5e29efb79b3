"""Positions and velocities as whole numbers, so that every step can be undone to the last bit.

A step made of shears - x changes by a function of v, v by a function of x - is a one-to-one map of whole
numbers, however those functions are rounded. Friction is not, since it brings states together; what it
loses, log2(den/num) bits a step for v -> v num/den, is kept in a buffer beside each velocity.

Sources: D. Levesque and L. Verlet, J. Stat. Phys. 72, 519 (1993), for the shears; D. Maclaurin, D.
Duvenaud and R. P. Adams, ICML 37, 2113 (2015), for the buffer.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

from xpmd.concrete import concrete
from xpmd.errors import GradientError

Array = Any

#: Bits of a position in a periodic box.
POSITION_BITS = 40
#: Distance between positions along an open direction, nm.
OPEN_QUANTUM = 2.0**-36
#: Largest denominator of a friction factor; buffers have to hold it on top of what they keep.
LARGEST_DENOMINATOR = 2**15
#: Buffers are put away when they are larger than this.
FULL_BUFFER = 2**40


class LatticeState(NamedTuple):
    """Whole numbers `(n, d)`: positions, velocities, and what friction has lost."""

    positions: Array
    velocities: Array
    buffers: Array


class Lattice:
    """The lattice of a box and a time step.

    A position is a whole number of quanta q = side/2^40, a velocity one of q/dt, so that a step of v dt
    is a sum of whole numbers.

    Args:
        system: for the boundary and the masses.
        dt: time step, ps.
    """

    def __init__(self, system: Any, dt: Array, *, xp: Any) -> None:
        self._xp, self._system, self.dt = xp, system, dt
        zero = 0.0 * dt
        sides = system.boundary.sides
        self._quanta = [
            side * 2.0**-POSITION_BITS if repeats else OPEN_QUANTUM + zero
            for side, repeats in zip(sides, system.boundary.periodic, strict=True)
        ]

    def _row(self, per: Array | None) -> Array:
        row = self._xp.stack(self._quanta)
        return row if per is None else row / per

    def coords(self, state: LatticeState) -> Array:
        """Return positions in nm."""
        return self._xp.astype(state.positions, self.dt.dtype) * self._row(None)

    def velocities(self, state: LatticeState) -> Array:
        """Return velocities in nm/ps."""
        return self._xp.astype(state.velocities, self.dt.dtype) * self._row(self.dt)

    def nearest(self, coords: Array, velocities: Array) -> LatticeState:
        """Return the whole numbers closest to positions and velocities."""
        xp = self._xp
        positions = self.wrapped(self._whole(coords / self._row(None)))
        whole = self._whole(velocities / self._row(self.dt))
        return LatticeState(positions, whole, xp.zeros_like(whole))

    def _whole(self, numbers: Array) -> Array:
        return self._xp.astype(self._xp.round(numbers), self._xp.int64)

    def wrapped(self, positions: Array) -> Array:
        """Return positions moved into the box."""
        xp, mask = self._xp, 2**POSITION_BITS - 1
        columns = [
            positions[:, k] & mask if repeats else positions[:, k]
            for k, repeats in enumerate(self._system.boundary.periodic)
        ]
        return xp.stack(columns, axis=-1)

    def kick(self, forces: Array, duration: Array) -> Array:
        """Return the change of the velocities by forces during a time, in whole numbers."""
        change = duration * forces / self._system.masses(xp=self._xp)
        return self.change_of_velocity(change)

    def change_of_velocity(self, change: Array) -> Array:
        """Return a change of velocities, nm/ps, in whole numbers."""
        return self._whole(change / self._row(self.dt))


def friction_factor(friction: Any, dt: Any) -> tuple[int, int]:
    """Return numerator and denominator of exp(-friction dt).

    Raises:
        GradientError: the two are not known now.
    """
    known = concrete(friction), concrete(dt)
    if None in known:
        raise GradientError("The fixed-point mode needs a friction and a time step that are known.")
    factor = Fraction(math.exp(-known[0] * known[1])).limit_denominator(LARGEST_DENOMINATOR)
    if factor.numerator == 0:
        raise GradientError(
            f"The fixed-point mode cannot undo a friction of {known[0]}/ps with a time step of "
            f"{known[1]} ps: nothing of a velocity is left."
        )
    return factor.numerator, factor.denominator


def scaled(state: LatticeState, numerator: int, denominator: int, *, xp: Any) -> LatticeState:
    """Return v num/den, with what the division loses in the buffers; undone by num and den exchanged."""
    num = xp.full_like(state.velocities, numerator)
    den = xp.full_like(state.velocities, denominator)
    velocities, buffers = state.velocities, state.buffers
    buffers = buffers * den + xp.remainder(velocities, den)
    velocities = xp.floor_divide(velocities, den) * num + xp.remainder(buffers, num)
    return state._replace(velocities=velocities, buffers=xp.floor_divide(buffers, num))
