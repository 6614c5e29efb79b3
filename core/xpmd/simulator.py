"""The contract of a simulator: one step from a state to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from xpmd.concrete import (
    require_positive,
    require_positive_fields,
    require_scalar,
    require_whole,
)
from xpmd.coupling import Coupling
from xpmd.errors import GradientError
from xpmd.module import Module
from xpmd.noise import Noise
from xpmd.units import convert_fields

Array = Any


class State(NamedTuple):
    """What a step maps to the next: positions, velocities, forces, and what a simulator remembers.

    Attributes:
        coords, velocities, forces: `(n, d)`, nm, nm/ps, kJ/mol/nm; forces are those at `coords`.
        memory: arrays a simulator or its couplings carry along, such as a thermostat's variables.
        box: the leaves of the boundary.
    """

    coords: Array
    velocities: Array
    forces: Array
    memory: tuple[Array, ...] = ()
    box: tuple[Array, ...] = ()


#: Forces `(n, d)` at positions `(n, d)`, on a neighbor list that is kept up to date.
ForceFunction = Callable[[Array], Array]


class Simulator(Module):
    """Base of the simulators; `step` is all that one must write.

    Noise comes from streams: a simulator draws from stream 0, its k-th coupling from stream k + 1.
    """

    #: Names of fields that must be positive (True: or zero), beside the time step `dt` if there is one.
    positive_fields: ClassVar[dict[str, bool]] = {}

    #: Fields given as quantities, with their dimension.
    quantities: ClassVar[dict[str, str]] = {
        "dt": "time",
        "temperature": "temperature",
        "friction": "inverse_time",
    }

    #: False if no noise is drawn; `noise` may then be `None`.
    stochastic: ClassVar[bool] = True

    #: Whether it samples the canonical ensemble at its `temperature`.
    canonical: ClassVar[bool] = False

    def __post_init__(self) -> None:
        convert_fields(self, self.quantities)
        require_positive_fields(self)
        if "dt" in self._dynamic_names:
            require_scalar("dt", self.dt)  # type: ignore[attr-defined]
            require_positive("dt", self.dt)  # type: ignore[attr-defined]
        if "remove_cm_motion" in self._static_names:
            require_whole("remove_cm_motion", self.remove_cm_motion, at_least=0)  # type: ignore[attr-defined]
        coupling = getattr(self, "coupling", ())
        several = isinstance(coupling, (list, tuple))
        couplings = tuple(coupling) if several else (coupling,)
        for each in couplings:
            if not isinstance(each, Coupling):
                raise TypeError(
                    f"`coupling` = {each!r} must be thermostats or barostats (instances), one or several."
                )
        if "coupling" in self._dynamic_names:
            object.__setattr__(self, "coupling", couplings)

    @property
    def couplings(self) -> tuple[Coupling, ...]:
        """The thermostats and barostats, in the order in which they act."""
        return tuple(getattr(self, "coupling", ()))

    #: `adjoint(cotangents, pull, system, t, *, xp)` if the simulator says itself how the cotangents of a
    #: state pass a step without couplings: `cotangents` is a `State` of those after it, `pull(w)` gives
    #: J^T w with the forces after the step, to be called once, and a `State` of those before comes back.
    adjoint: ClassVar[Callable[..., State] | None] = None

    @property
    def friction_of_motion(self) -> Any:
        """The g of the equation of motion m dv/dt = F - m g v + noise, 1/ps; `None` for any other."""
        return None

    def prepare(self, state: State, system: Any, *, xp: Any) -> State:
        """Return the state before the first step of a run that starts at step 0."""
        if getattr(self, "remove_cm_motion", 0):
            state = state._replace(velocities=without_cm_motion(state.velocities, system, xp=xp))
        return state

    def step(
        self, state: State, forces: ForceFunction, system: Any, t: Any, noise: Noise, *, xp: Any
    ) -> tuple[State, Any]:
        """Return the state one step later, and a record of what undoing the step would need.

        The record is an array or any nesting of tuples of them.

        Args:
            forces: forces at given positions.
            system: for atoms, boundary and units; its coords and velocities are those of the start.
            t: number of the step, from 0.
            noise: random numbers of this step.
        """
        raise NotImplementedError

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
        """Return the state before the step `t` that ended in `state`.

        Args:
            record: what `step` recorded.
            forces, system, t, noise: as `step` had them.

        Raises:
            GradientError: this simulator has no inverse.
        """
        raise GradientError(
            f"{type(self).__name__} does not say how to undo a step, which gradients by "
            "reconstruction need: write its `inverse`, or use the strategy 'checkpointed'."
        )

    def couple(
        self, state: State, system: Any, t: Any, noise: Noise, *, xp: Any
    ) -> tuple[State, tuple[Any, ...]]:
        """Apply the couplings in order, as the last part of a step; one record each."""
        records = []
        dt = getattr(self, "dt", 0.0)
        for k, coupling in enumerate(self.couplings):
            state, record = coupling.apply(state, system, dt, t, noise, k + 1, xp=xp)
            records.append(record)
        return state, tuple(records)

    def uncouple(self, state: State, records: Any, system: Any, *, xp: Any) -> State:
        """Undo the couplings, the last one first."""
        for coupling, record in zip(reversed(self.couplings), reversed(records), strict=True):
            state = coupling.undo(state, record, system, xp=xp)
        return state


def without_cm_motion(velocities: Array, system: Any, *, xp: Any) -> Array:
    """Return velocities less that of the center of mass."""
    return velocities - cm_velocity(velocities, system, xp=xp)


def cm_velocity(velocities: Array, system: Any, *, xp: Any) -> Array:
    """Return the velocity of the center of mass, sum m v / sum m, `(d,)`, nm/ps."""
    mass = system.masses(xp=xp)
    if mass.ndim == 0:
        return xp.mean(velocities, axis=0)
    return xp.sum(mass * velocities, axis=0) / xp.sum(mass)


def cm_removal_transposed(every: int, cotangents: Array, system: Any, t: Any, *, xp: Any) -> Array:
    """Return cotangents `(n, d)` of the velocities before `remove_cm_motion_every` from those after."""
    if every == 0:
        return cotangents
    mass = system.masses(xp=xp)
    total = xp.sum(cotangents, axis=0)
    share = total / cotangents.shape[0] if mass.ndim == 0 else mass / xp.sum(mass) * total
    if every > 1:
        due = (t + 1) % every == 0
        if isinstance(due, bool):
            return cotangents - share if due else cotangents
        return xp.where(due, cotangents - share, cotangents)
    return cotangents - share


def remove_cm_motion_every(
    every: int, velocities: Array, system: Any, t: Any, *, xp: Any
) -> tuple[Array, Array]:
    """Remove center-of-mass motion after every `every`-th step, never for 0.

    Returns:
        The velocities left `(n, d)`, and what was taken from each `(d,)`.
    """
    if every == 0:
        return velocities, xp.zeros_like(velocities[0, :])
    removed = cm_velocity(velocities, system, xp=xp)
    if every > 1:
        due = (t + 1) % every == 0
        if not isinstance(due, bool):
            removed = xp.where(due, removed, xp.zeros_like(removed))
        elif not due:
            removed = xp.zeros_like(removed)
    return velocities - removed, removed
