"""The Andersen thermostat."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.noise import Noise

Array = Any


class AndersenThermostat(Coupling):
    """With probability dt/tau an atom gets a fresh velocity, sqrt(k T0/m) xi. Canonical.

    Gradients pass through the fresh velocity (to T0 and the mass) and not through the choice of atoms;
    the path through the old velocity of a chosen atom ends.

    Fresh velocities move the center of mass. A simulator that stops it after every step takes energy
    out, and the temperature is low by about T0/N. With `remove_cm_motion=0` all d N degrees of freedom
    are canonical at T0; `md.temperature` still counts d fewer in a periodic box.

    Args:
        temperature: T0, K.
        tau: mean time between collisions of an atom, ps.

    Source: H. C. Andersen, J. Chem. Phys. 72, 2384 (1980).
    """

    temperature: Array
    tau: Array

    canonical: ClassVar[bool] = True
    positive_fields: ClassVar[dict[str, bool]] = {"temperature": True, "tau": False}

    def apply(
        self, state: Any, system: Any, dt: Array, t: Any, noise: Noise, stream: int, *, xp: Any
    ) -> tuple[Any, tuple[Array, ...]]:
        old = state.velocities
        chosen = noise.uniform(stream, (old.shape[0],))[:, None] < dt / self.tau
        spread = xp.sqrt(system.units.boltzmann * self.temperature / system.masses(xp=xp))
        fresh = spread * noise.normal(stream, tuple(old.shape))
        return state._replace(velocities=xp.where(chosen, fresh, old)), (chosen, old)

    def undo(self, state: Any, record: Any, system: Any, *, xp: Any) -> Any:
        chosen, old = record
        return state._replace(velocities=xp.where(chosen, old, state.velocities))
