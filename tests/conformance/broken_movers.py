"""Simulators, thermostats, finders, strategies and a backend that are wrong in one way each."""

from __future__ import annotations

import random

import numpy as np

import xpmd as md
from xpmd_gradients import FiniteDifference, Reverse
from xpmd_numpy.backend import NumpyBackend
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import RescaleThermostat


class Verlet(VelocityVerlet):
    """Velocity Verlet without its inverse, which the broken ones would have to break, too."""

    remove_cm_motion: int = md.static(default=0)
    inverse = md.Simulator.inverse

    def moved(self, state, forces, system, *, xp, kick=1.0, dt=None):
        """Return the state after a step whose first kick is scaled."""
        dt = self.dt if dt is None else dt
        half = 0.5 * dt / system.masses(xp=xp)
        velocities = state.velocities + kick * half * state.forces
        coords = system.boundary.wrap(state.coords + dt * velocities, xp=xp)
        found = forces(coords)
        return state._replace(coords=coords, velocities=velocities + half * found, forces=found)


class HalfKicked(Verlet):
    """Forgets the first half of the kick."""

    def step(self, state, forces, system, t, noise, *, xp):
        return self.moved(state, forces, system, xp=xp, kick=0.5), ()


class Unwrapped(Verlet):
    """Leaves atoms outside the box."""

    def step(self, state, forces, system, t, noise, *, xp):
        after = self.moved(state, forces, system, xp=xp)
        half = 0.5 * self.dt / system.masses(xp=xp)
        coords = state.coords + self.dt * (state.velocities + half * state.forces)
        return after._replace(coords=coords), ()


class Quiet(Verlet):
    """Says that it draws noise, and draws none."""

    stochastic = True

    def step(self, state, forces, system, t, noise, *, xp):
        return self.moved(state, forces, system, xp=xp), ()


class Dice(Verlet):
    """Throws dice of its own."""

    def step(self, state, forces, system, t, noise, *, xp):
        after = self.moved(state, forces, system, xp=xp)
        return after._replace(velocities=after.velocities * (1.0 + 0.01 * random.random())), ()


class Promoting(Verlet):
    """Turns velocities into float64."""

    def step(self, state, forces, system, t, noise, *, xp):
        after = self.moved(state, forces, system, xp=xp)
        return after._replace(velocities=xp.astype(after.velocities, xp.float64)), ()


class Constant(Verlet):
    """Takes its time step for a constant."""

    def step(self, state, forces, system, t, noise, *, xp):
        dt = system.backend.stop_gradient(self.dt)
        return self.moved(state, forces, system, xp=xp, dt=dt), ()


class OneWay(Verlet):
    """Undoes a step with the forces at its end."""

    def step(self, state, forces, system, t, noise, *, xp):
        return self.moved(state, forces, system, xp=xp), ()

    def inverse(self, state, record, forces, system, t, noise, *, xp):
        half = 0.5 * self.dt / system.masses(xp=xp)
        velocities = state.velocities - half * state.forces
        coords = system.boundary.wrap(state.coords - self.dt * velocities, xp=xp)
        return state._replace(coords=coords, velocities=velocities - half * state.forces)


class Rescale(RescaleThermostat):
    """The rescaling thermostat, whose parts are broken below."""

    def scaled(self, state, system, factor, *, xp):
        """Return the state with velocities scaled to the temperature times a factor."""
        now = md.temperature(system.with_fields(velocities=state.velocities))
        scale = xp.sqrt(factor * self.temperature / xp.where(now > 0, now, xp.ones_like(now)))
        return state._replace(velocities=scale * state.velocities), (scale,)


class TooHot(Rescale):
    """Counts three degrees of freedom too many."""

    def apply(self, state, system, dt, t, noise, stream, *, xp):
        return self.scaled(state, system, 8.0 / 7.0, xp=xp)


class Pushing(Rescale):
    """Moves atoms."""

    undo = md.Coupling.undo

    def apply(self, state, system, dt, t, noise, stream, *, xp):
        state, record = super().apply(state, system, dt, t, noise, stream, xp=xp)
        return state._replace(coords=state.coords + 1e-4), record


class Dividing(RescaleThermostat):
    """Divides by the temperature, zero or not."""

    def apply(self, state, system, dt, t, noise, stream, *, xp):
        now = md.temperature(system.with_fields(velocities=state.velocities))
        scale = xp.sqrt(self.temperature / now)
        return state._replace(velocities=scale * state.velocities), (scale,)


class Undone(Rescale):
    """Undoes twice what it did."""

    def undo(self, state, record, system, *, xp):
        (scale,) = record
        return state._replace(velocities=state.velocities / scale**2)


class Finder(md.CutoffNeighborFinder):
    """All pairs within the cutoff, in a padded half list; broken below."""

    def parts(self, coords, boundary, exclusions, *, backend, xp, cutoff):
        """Return first, second and mask."""
        kind = backend.capabilities.index_dtype
        rows = np.triu_indices(coords.shape[0], k=1)
        i, j = (backend.asarray(row, dtype=kind) for row in rows)
        gaps = [coords[:, a][i] - coords[:, a][j] for a in range(boundary.dimensions)]
        squared = sum(part * part for part in boundary.nearest(gaps, xp=xp))
        mask = squared <= cutoff * cutoff
        if exclusions is not None:
            mask = mask & ~exclusions.excludes(i, j, xp=xp)
        return i, j, mask

    def listed(self, i, j, mask, coords, *, backend, overflow=False, count=0):
        """Return the list."""
        return md.NeighborList(
            i,
            j,
            mask,
            backend.asarray(count, dtype="int32"),
            backend.asarray(overflow, dtype="bool"),
            coords,
            layout="half",
        )

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        i, j, mask = self.parts(
            coords, boundary, exclusions, backend=backend, xp=xp, cutoff=self.cutoff
        )
        return self.listed(i, j, mask, coords, backend=backend)


class Shortsighted(Finder):
    """Loses the pairs that are almost at the cutoff."""

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        parts = self.parts(
            coords, boundary, exclusions, backend=backend, xp=xp, cutoff=0.95 * self.cutoff
        )
        return self.listed(*parts, coords, backend=backend)


class Doubled(Finder):
    """Lists pairs from both ends in a list that holds them once."""

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        i, j, mask = self.parts(
            coords, boundary, exclusions, backend=backend, xp=xp, cutoff=self.cutoff
        )
        both = xp.concat([i, j]), xp.concat([j, i]), xp.concat([mask, mask])
        return self.listed(*both, coords, backend=backend)


class Inclusive(Finder):
    """Lists excluded pairs."""

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        return super().build(coords, boundary, None, plan, backend=backend, xp=xp)


class Cramped(Finder):
    """Has room for what it saw once, and does not say when that is too little."""

    def plan(self, coords, boundary, exclusions, *, backend):
        xp = backend.xp(coords)
        *_, mask = self.parts(
            coords, boundary, exclusions, backend=backend, xp=xp, cutoff=self.cutoff
        )
        return int(backend.to_numpy(mask).sum())

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        i, j, mask = self.parts(
            coords, boundary, exclusions, backend=backend, xp=xp, cutoff=self.cutoff
        )
        rows, count = backend.nonzero_padded(mask, plan)
        kept = backend.asarray(range(plan), dtype="int32") < count
        return self.listed(i[rows], j[rows], kept, coords, backend=backend, count=count)


class Overshooting(Finder):
    """Pads with an atom that does not exist."""

    def build(self, coords, boundary, exclusions, plan, *, backend, xp):
        found = super().build(coords, boundary, exclusions, plan, backend=backend, xp=xp)
        n_atoms = backend.asarray([coords.shape[0]], dtype=backend.capabilities.index_dtype)
        no = backend.asarray([False], dtype="bool")
        return found.with_fields(
            first=xp.concat([found.first, n_atoms]),
            second=xp.concat([found.second, n_atoms]),
            mask=xp.concat([found.mask, no]),
        )


class Doubling(Reverse):
    """Twice the gradient."""

    def backward(self, back, kept):
        return [None if c is None else 2.0 * c for c in super().backward(back, kept)]


class Restless(FiniteDifference):
    """Another key every time."""

    def key(self):
        return object()


class LastWins(NumpyBackend):
    """Of repeated rows the last counts."""

    name = "abacus"

    def index_add(self, n_rows, rows, values):
        total = self.xp(values).zeros((n_rows, *values.shape[1:]), dtype=values.dtype)
        if hasattr(values, "__xpmd_primal__"):
            return super().index_add(n_rows, rows, values)
        total[rows] = values
        return total


class Detaching(NumpyBackend):
    """Reads numbers out of arrays that are being differentiated."""

    name = "abacus"

    def asarray(self, value, *, dtype=None, device=None):
        if self.is_array(value):
            value = self.to_numpy(value)
        return super().asarray(value, dtype=dtype, device=device)


SETTINGS = {"dt": 0.004}
SIMULATORS = {
    "half a kick": (HalfKicked, {"order"}, "given as 2: runs over the same time with dt = "),
    "no wrapping": (Unwrapped, {"cell"}, "coordinates at the end of a run are outside the box"),
    "noise that is none": (
        Quiet,
        {"repeatability"},
        "`stochastic` is True, and a run with another",
    ),
    "dice": (
        Dice,
        {"purity", "repeatability", "continuation", "gradients", "precision", "order"},
        "uses the module `random`",
    ),
    "float64": (
        Promoting,
        {"precision"},
        "at the end of a run in float32 have type float64 on numpy",
    ),
    "a constant dt": (Constant, {"gradients"}, "d(loss)/d(simulator.dt) on numpy = 0, and finite"),
    "a wrong inverse": (OneWay, {"inverse"}, "coords after three steps and back["),
}
THERMOSTATS = {
    "too hot": (
        TooHot,
        {"temperature"},
        "342.86 +- 0.00 K over 4000 steps, and 300.00 K were asked",
    ),
    "atoms moved": (Pushing, {"reach"}, "it changes the coordinates; what moves the box is a"),
    "a division by zero": (Dividing, {"rest"}, "the velocities of atoms that were at rest"),
    "undone twice": (Undone, {"undo"}, "velocities after `apply` and `undo`["),
}
FINDERS = {
    "pairs lost": (
        Shortsighted,
        {"complete", "upkeep"},
        "pairs within 1.0 nm are missing, such as (",
    ),
    "pairs twice": (
        Doubled,
        {"complete", "exclusions", "overflow", "gradients", "upkeep"},
        "is listed 2 times, and a list of layout 'half' holds each 1 times",
    ),
    "excluded pairs": (Inclusive, {"exclusions"}, "the excluded pairs [("),
    "no room": (Cramped, {"overflow", "upkeep"}, "pairs within 1.0 nm are missing"),
    "an atom too many": (
        Overshooting,
        {"complete", "exclusions", "overflow", "gradients", "upkeep"},
        "padding, too, must name atoms that exist",
    ),
}
