"""Langevin dynamics by the middle scheme."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.lattice import Lattice, LatticeState, scaled
from xpmd.module import static
from xpmd.noise import Noise
from xpmd.simulator import (
    ForceFunction,
    Simulator,
    State,
    cm_removal_transposed,
    remove_cm_motion_every,
)

Array = Any


class Langevin(Simulator):
    """v += a dt; x += v dt/2; v = c v + sqrt(1 - c^2) sqrt(kT/m) xi; x += v dt/2; c = exp(-friction dt).

    The configurations of a harmonic oscillator are right at every stable time step.

    Args:
        dt: time step, ps.
        temperature: K.
        friction: 1/ps.
        coupling: thermostats and barostats applied after the step.
        remove_cm_motion: remove the motion of the center of mass every so many steps; 0 never.

    Source: Z. Zhang et al., J. Phys. Chem. A 123, 6056 (2019).
    """

    dt: Array
    temperature: Array
    friction: Array
    coupling: Coupling | tuple[Coupling, ...] = ()
    remove_cm_motion: int = static(default=1)

    canonical: ClassVar[bool] = True
    positive_fields: ClassVar[dict[str, bool]] = {"temperature": True, "friction": True}

    @property
    def friction_of_motion(self) -> Any:
        return self.friction

    def _spread(self, kept: Any, system: Any, xp: Any) -> Array:
        """Return sqrt((1 - c^2) kT/m) for a factor c."""
        variance = (1.0 - kept * kept) * system.units.boltzmann * self.temperature
        return xp.sqrt(variance / system.masses(xp=xp))

    def step(
        self, state: State, forces: ForceFunction, system: Any, t: Any, noise: Noise, *, xp: Any
    ) -> tuple[State, Any]:
        mass, half = system.masses(xp=xp), 0.5 * self.dt
        velocities = state.velocities + self.dt * state.forces / mass
        coords = state.coords + half * velocities
        kept = xp.exp(-self.friction * self.dt)
        spread = self._spread(kept, system, xp)
        velocities = kept * velocities + spread * noise.normal(0, tuple(velocities.shape))
        coords = system.boundary.wrap(coords + half * velocities, xp=xp)
        velocities, drift = remove_cm_motion_every(
            self.remove_cm_motion, velocities, system, t, xp=xp
        )
        state = state._replace(coords=coords, velocities=velocities)
        state, of_couplings = self.couple(state, system, t, noise, xp=xp)
        # Forces of the next step: a coupling may have moved the atoms.
        return state._replace(forces=forces(state.coords)), (drift, of_couplings)

    def adjoint(
        self, cotangents: State, pull: ForceFunction, system: Any, t: Any, *, xp: Any
    ) -> State:
        """a = a' + J^T g'; b = b' less its drift + a dt/2; b = c b + a dt/2; g = b dt/m."""
        mass, half = system.masses(xp=xp), 0.5 * self.dt
        of_coords = cotangents.coords + pull(cotangents.forces)
        of_velocities = cm_removal_transposed(
            self.remove_cm_motion, cotangents.velocities, system, t, xp=xp
        )
        of_velocities = of_velocities + half * of_coords
        of_velocities = xp.exp(-self.friction * self.dt) * of_velocities + half * of_coords
        return cotangents._replace(
            coords=of_coords, velocities=of_velocities, forces=self.dt / mass * of_velocities
        )

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
        mass, half = system.masses(xp=xp), 0.5 * self.dt
        drift, of_couplings = record
        state = self.uncouple(state, of_couplings, system, xp=xp)
        velocities = state.velocities + drift
        coords = state.coords - half * velocities
        kept = xp.exp(-self.friction * self.dt)
        spread = self._spread(kept, system, xp)
        velocities = (velocities - spread * noise.normal(0, tuple(velocities.shape))) / kept
        coords = system.boundary.wrap(coords - half * velocities, xp=xp)
        old_forces = forces(coords)
        velocities = velocities - self.dt * old_forces / mass
        return state._replace(coords=coords, velocities=velocities, forces=old_forces)

    def _random_kick(
        self, lattice: Lattice, factor: tuple[int, int], system: Any, noise: Noise, xp: Any
    ) -> Array:
        """Return the change of the velocities by noise, in whole numbers."""
        spread = self._spread(factor[0] / factor[1], system, xp)
        shape = (system.n_atoms, system.boundary.dimensions)
        return lattice.change_of_velocity(spread * noise.normal(0, shape))

    def lattice_step(
        self,
        state: LatticeState,
        forces: Array,
        force_at: ForceFunction,
        lattice: Lattice,
        factor: tuple[int, int],
        system: Any,
        noise: Noise,
        *,
        xp: Any,
    ) -> tuple[LatticeState, Array]:
        """Take a step in whole numbers; return the state after it and the forces there.

        Args:
            factor: numerator and denominator of c.
        """
        state = state._replace(velocities=state.velocities + lattice.kick(forces, self.dt))
        positions = state.positions + (state.velocities >> 1)
        state = scaled(state, *factor, xp=xp)
        velocities = state.velocities + self._random_kick(lattice, factor, system, noise, xp)
        positions = lattice.wrapped(positions + (velocities - (velocities >> 1)))
        return state._replace(positions=positions, velocities=velocities), force_at(positions)

    def lattice_inverse(
        self,
        state: LatticeState,
        forces: Array,
        force_at: ForceFunction,
        lattice: Lattice,
        factor: tuple[int, int],
        system: Any,
        noise: Noise,
        *,
        xp: Any,
    ) -> tuple[LatticeState, Array]:
        """Undo a step in whole numbers; return the state before it and the forces there."""
        velocities = state.velocities
        positions = state.positions - (velocities - (velocities >> 1))
        velocities = velocities - self._random_kick(lattice, factor, system, noise, xp)
        state = scaled(state._replace(velocities=velocities), factor[1], factor[0], xp=xp)
        positions = lattice.wrapped(positions - (state.velocities >> 1))
        old_forces = force_at(positions)
        velocities = state.velocities - lattice.kick(old_forces, self.dt)
        return state._replace(positions=positions, velocities=velocities), old_forces
