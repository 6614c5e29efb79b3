"""The Berendsen thermostat."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.properties import temperature_of

Array = Any


class BerendsenThermostat(Coupling):
    """v *= sqrt(1 + (dt/tau)(T0/T - 1)): the temperature relaxes to T0. Not canonical.

    Atoms at rest stay at rest.

    Args:
        temperature: T0, K.
        tau: relaxation time, ps, at least dt.

    Source: H. J. C. Berendsen et al., J. Chem. Phys. 81, 3684 (1984).
    """

    temperature: Array
    tau: Array

    positive_fields: ClassVar[dict[str, bool]] = {"temperature": True, "tau": False}
    stochastic: ClassVar[bool] = False

    def apply(
        self, state: Any, system: Any, dt: Array, t: Any, noise: Any, stream: int, *, xp: Any
    ) -> tuple[Any, tuple[Array, ...]]:
        now = temperature_of(state.velocities, system, xp=xp)
        moving = now > 0
        ratio = self.temperature / xp.where(moving, now, xp.ones_like(now))
        squared = 1.0 + (dt / self.tau) * (ratio - 1.0)
        scale = xp.where(moving, xp.sqrt(squared), xp.ones_like(now))
        return state._replace(velocities=scale * state.velocities), (scale,)

    def undo(self, state: Any, record: Any, system: Any, *, xp: Any) -> Any:
        (scale,) = record
        return state._replace(velocities=state.velocities / scale)
