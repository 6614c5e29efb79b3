"""A small liquid without any singularity, and a plain simulator: what moving parts are tried on."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd import mixing
from xpmd.atoms import Atoms
from xpmd.backend import Backend
from xpmd.coupling import Coupling
from xpmd.cutoffs import Cutoff, PolynomialCutoff
from xpmd.orthorhombic_boundary import CubicBoundary
from xpmd.pairwise import PairwiseInteraction
from xpmd.placement import place_atoms
from xpmd.simulator import ForceFunction, Simulator, State
from xpmd.system import System
from xpmd.testing.agreement import host_namespace
from xpmd.testing.backends_at_hand import moved
from xpmd.velocities import random_velocities

Array = Any

SIDE = 1.5


class SoftSpheres(PairwiseInteraction):
    """V(r) = epsilon exp(-(r/sigma)^2), switched off so smoothly that differences see nothing of it."""

    cutoff: Cutoff = PolynomialCutoff(activation=0.45, distance=0.72)

    atom_parameters: ClassVar[dict[str, Any]] = {
        "sigma": mixing.lorentz,
        "epsilon": mixing.geometric,
    }
    #: How often Python has evaluated the energy: not at all where compiled code is used again.
    calls: ClassVar[list[int]] = [0]

    def energy(self, r: Array, sigma: Array, epsilon: Array, *, xp: Any) -> Array:
        type(self).calls[0] += 1
        ratio = r / sigma
        return epsilon * xp.exp(-ratio * ratio)


class PlainVerlet(Simulator):
    """v += a dt/2; x += v dt; new forces; v += a dt/2; couplings."""

    dt: Array
    coupling: Coupling | tuple[Coupling, ...] = ()

    stochastic: ClassVar[bool] = False

    def step(
        self, state: State, forces: ForceFunction, system: Any, t: Any, noise: Any, *, xp: Any
    ) -> tuple[State, Any]:
        half = 0.5 * self.dt / system.masses(xp=xp)
        velocities = state.velocities + half * state.forces
        coords = system.boundary.wrap(state.coords + self.dt * velocities, xp=xp)
        found = forces(coords)
        state = state._replace(coords=coords, velocities=velocities + half * found, forces=found)
        return self.couple(state, system, t, noise, xp=xp)

    def inverse(
        self,
        state: State,
        record: Any,
        forces: ForceFunction,
        system: Any,
        t: Any,
        noise: Any,
        *,
        xp: Any,
    ) -> State:
        state = self.uncouple(state, record, system, xp=xp)
        half = 0.5 * self.dt / system.masses(xp=xp)
        velocities = state.velocities - half * state.forces
        coords = system.boundary.wrap(state.coords - self.dt * velocities, xp=xp)
        found = forces(coords)
        return state._replace(coords=coords, velocities=velocities - half * found, forces=found)


def liquid(
    on: Backend,
    dtype: str = "float64",
    *,
    n_atoms: int = 8,
    temperature: float = 300.0,
    **changes: Any,
) -> System:
    """Return a few soft spheres in a box, all moving, their center of mass at rest.

    Args:
        temperature: of the velocities, K.
        changes: arguments of the System, arrays on the host.
    """
    boundary = CubicBoundary(SIDE)
    velocities = random_velocities(12.0, temperature, n_atoms, seed=4)
    arguments: dict[str, Any] = {
        "atoms": Atoms(mass=12.0, sigma=0.25, epsilon=20.0),
        "coords": place_atoms(n_atoms, boundary, 0.35, seed=3),
        "velocities": velocities - host_namespace().mean(velocities, axis=0),
        "boundary": boundary,
        "interactions": (SoftSpheres(),),
    }
    arguments.update(changes)
    return System(**{name: moved(value, on, dtype) for name, value in arguments.items()})
