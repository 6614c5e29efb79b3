"""The rescaling thermostat."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.properties import temperature_of

Array = Any


class RescaleThermostat(Coupling):
    """v *= sqrt(T0/T): the temperature is T0 after every step. Not canonical.

    Atoms at rest stay at rest.

    Args:
        temperature: T0, K.
    """

    temperature: Array

    positive_fields: ClassVar[dict[str, bool]] = {"temperature": True}
    stochastic: ClassVar[bool] = False

    def apply(
        self, state: Any, system: Any, dt: Array, t: Any, noise: Any, stream: int, *, xp: Any
    ) -> tuple[Any, tuple[Array, ...]]:
        now = temperature_of(state.velocities, system, xp=xp)
        moving = now > 0
        ratio = self.temperature / xp.where(moving, now, xp.ones_like(now))
        scale = xp.where(moving, xp.sqrt(ratio), xp.ones_like(now))
        return state._replace(velocities=scale * state.velocities), (scale,)

    def undo(self, state: Any, record: Any, system: Any, *, xp: Any) -> Any:
        (scale,) = record
        return state._replace(velocities=state.velocities / scale)
