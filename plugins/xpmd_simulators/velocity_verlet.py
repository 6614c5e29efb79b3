"""Velocity Verlet."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.coupling import Coupling
from xpmd.lattice import Lattice, LatticeState
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


class VelocityVerlet(Simulator):
    """v += a dt/2; x += v dt; wrap; new forces; v += a dt/2; remove drift; couplings.

    Second order, symplectic and reversible without couplings.

    Args:
        dt: time step, ps.
        coupling: thermostats and barostats, one or several, applied in order after the step.
        remove_cm_motion: remove the motion of the center of mass every so many steps; 0 never.

    Source: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982).
    """

    dt: Array
    coupling: Coupling | tuple[Coupling, ...] = ()
    remove_cm_motion: int = static(default=1)

    stochastic: ClassVar[bool] = False

    @property
    def friction_of_motion(self) -> Any:
        return 0.0

    def step(
        self, state: State, forces: ForceFunction, system: Any, t: Any, noise: Noise, *, xp: Any
    ) -> tuple[State, Any]:
        mass, half = system.masses(xp=xp), 0.5 * self.dt
        velocities = state.velocities + half * state.forces / mass
        coords = system.boundary.wrap(state.coords + self.dt * velocities, xp=xp)
        new_forces = forces(coords)
        velocities = velocities + half * new_forces / mass
        velocities, drift = remove_cm_motion_every(
            self.remove_cm_motion, velocities, system, t, xp=xp
        )
        state = state._replace(coords=coords, velocities=velocities, forces=new_forces)
        state, of_couplings = self.couple(state, system, t, noise, xp=xp)
        return state, (drift, of_couplings)

    def adjoint(
        self, cotangents: State, pull: ForceFunction, system: Any, t: Any, *, xp: Any
    ) -> State:
        """b = b' less its drift; a = a' + J^T (g' + b dt/2m); b += a dt; g = b dt/2m."""
        mass, half = system.masses(xp=xp), 0.5 * self.dt
        of_velocities = cm_removal_transposed(
            self.remove_cm_motion, cotangents.velocities, system, t, xp=xp
        )
        response = pull(cotangents.forces + half / mass * of_velocities)
        of_coords = cotangents.coords + response
        of_velocities = of_velocities + self.dt * of_coords
        return cotangents._replace(
            coords=of_coords, velocities=of_velocities, forces=half / mass * of_velocities
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
        velocities = state.velocities + drift - half * state.forces / mass
        coords = system.boundary.wrap(state.coords - self.dt * velocities, xp=xp)
        old_forces = forces(coords)
        velocities = velocities - half * old_forces / mass
        return state._replace(coords=coords, velocities=velocities, forces=old_forces)

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
        """Take a step in whole numbers; return the state after it and the forces there."""
        half = 0.5 * self.dt
        velocities = state.velocities + lattice.kick(forces, half)
        positions = lattice.wrapped(state.positions + velocities)
        new_forces = force_at(positions)
        velocities = velocities + lattice.kick(new_forces, half)
        return state._replace(positions=positions, velocities=velocities), new_forces

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
        half = 0.5 * self.dt
        velocities = state.velocities - lattice.kick(forces, half)
        positions = lattice.wrapped(state.positions - velocities)
        old_forces = force_at(positions)
        velocities = velocities - lattice.kick(old_forces, half)
        return state._replace(positions=positions, velocities=velocities), old_forces
