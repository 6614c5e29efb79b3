"""Langevin dynamics by the OBABO splitting."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.module import static
from xpmd.noise import Noise
from xpmd.simulator import ForceFunction, Simulator, State, remove_cm_motion_every

Array = Any


class OBABO(Simulator):
    """v = c v + s xi; v += f dt/2m; x += v dt; v += f dt/2m; v = c v + s xi'; c = exp(-friction dt/2).

    s = sqrt((1 - c^2) kT/m). Two random numbers for each coordinate and velocity, so every next state
    has a probability density, which gradients by likelihood ratio need.

    Args:
        dt: time step, ps.
        temperature: K.
        friction: 1/ps.
        coupling: thermostats and barostats applied after the step.
        remove_cm_motion: remove the motion of the center of mass every so many steps; 0 never.

    Source: G. Bussi and M. Parrinello, Phys. Rev. E 75, 056707 (2007).
    """

    dt: Array
    temperature: Array
    friction: Array
    coupling: Coupling | tuple[Coupling, ...] = ()
    remove_cm_motion: int = static(default=0)

    canonical: ClassVar[bool] = True
    positive_fields: ClassVar[dict[str, bool]] = {"temperature": True, "friction": True}

    def _kept_and_spread(self, system: Any, xp: Any) -> tuple[Array, Array]:
        """Return c and s."""
        kept = xp.exp(-0.5 * self.friction * self.dt)
        variance = (1.0 - kept * kept) * system.units.boltzmann * self.temperature
        return kept, xp.sqrt(variance / system.masses(xp=xp))

    @property
    def friction_of_motion(self) -> Any:
        return self.friction

    def step(
        self, state: State, forces: ForceFunction, system: Any, t: Any, noise: Noise, *, xp: Any
    ) -> tuple[State, Any]:
        mass, half, shape = system.masses(xp=xp), 0.5 * self.dt, tuple(state.velocities.shape)
        kept, spread = self._kept_and_spread(system, xp)
        velocities = kept * state.velocities + spread * noise.normal(0, shape)
        velocities = velocities + half * state.forces / mass
        coords = system.boundary.wrap(state.coords + self.dt * velocities, xp=xp)
        new_forces = forces(coords)
        velocities = velocities + half * new_forces / mass
        velocities = kept * velocities + spread * noise.normal(0, shape, draw=1)
        velocities, drift = remove_cm_motion_every(
            self.remove_cm_motion, velocities, system, t, xp=xp
        )
        state = state._replace(coords=coords, velocities=velocities, forces=new_forces)
        state, of_couplings = self.couple(state, system, t, noise, xp=xp)
        return state, (drift, of_couplings)

    def inverse(
        self,
        state: State,
        record: Any,
        forces: ForceFunction,
        system: Any,
        t: Any,
        noise: Noise,
        *,
        xp: Any,
    ) -> State:
        mass, half, shape = system.masses(xp=xp), 0.5 * self.dt, tuple(state.velocities.shape)
        drift, of_couplings = record
        state = self.uncouple(state, of_couplings, system, xp=xp)
        kept, spread = self._kept_and_spread(system, xp)
        velocities = state.velocities + drift
        velocities = (velocities - spread * noise.normal(0, shape, draw=1)) / kept
        velocities = velocities - half * state.forces / mass
        coords = system.boundary.wrap(state.coords - self.dt * velocities, xp=xp)
        old_forces = forces(coords)
        velocities = velocities - half * old_forces / mass
        velocities = (velocities - spread * noise.normal(0, shape)) / kept
        return state._replace(coords=coords, velocities=velocities, forces=old_forces)

    def score_weights(
        self, system: Any, noise: Noise, shape: tuple[int, ...], *, xp: Any
    ) -> tuple[Array, Array]:
        """Return how the log-density of a step changes with the forces before and after it.

        d log p/d f(x) = xi dt/(2 m s),   d log p/d f(x') = c xi' dt/(2 m s)

        The step is the one whose `noise` is given; the states it joins are held fixed.
        """
        kept, spread = self._kept_and_spread(system, xp)
        scale = 0.5 * self.dt / (system.masses(xp=xp) * spread)
        return scale * noise.normal(0, shape), kept * scale * noise.normal(0, shape, draw=1)
