"""`simulate`: a System, a simulator and a number of steps in, a Result out."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from xpmd.array_search import is_float_array
from xpmd.backend import Backend, backend_of
from xpmd.compiling import COMPILED
from xpmd.concrete import require_whole
from xpmd.entry import Entrance
from xpmd.errors import BackendError
from xpmd.gradient_strategy import (
    EnsembleStrategy,
    GradientStrategy,
    LossStrategy,
    TrajectoryStrategy,
    resolve_strategy,
)
from xpmd.module import flatten, unflatten
from xpmd.neighbor_upkeep import constant, plan_neighbors
from xpmd.noise import stream_keys, traced_stream_keys
from xpmd.observe import Observe
from xpmd.reporter import Reporter
from xpmd.result import Result
from xpmd.simulator import Simulator
from xpmd.system import System
from xpmd.trajectory import Trajectory
from xpmd.watch import Watch

Array = Any


def simulate(
    system: System,
    simulator: Simulator,
    n_steps: int,
    *,
    observe: Mapping[str, Observe] | None = None,
    reporters: Sequence[Reporter] = (),
    seed: int = 0,
    start_step: int = 0,
    gradient: str | GradientStrategy | None = None,
    progress: bool = False,
) -> Result:
    """Run a simulation; differentiable with respect to every array in `system` and `simulator`.

    Args:
        system: what is simulated.
        simulator: how, such as `VelocityVerlet(dt=0.002)`.
        n_steps: number of steps.
        observe: what to record by name; records are differentiable.
        reporters: side effects along the way.
        seed: of the noise; the same seed gives the same numbers on every backend. Where `jax.jit` or
            `jax.vmap` compile the simulation, it may be one of their arguments.
        start_step: number of the first step, to continue an earlier run with its noise and schedules.
        gradient: the gradient strategy; that of `value_and_grad`, else "reverse", if left out.
        progress: show a progress bar.

    Raises:
        SimulationError: the state stopped being finite; names the step and an atom.
        NeighborOverflowError: a neighbor list could not be made large enough.
    """
    _check_arguments(system, simulator, n_steps, start_step)
    if observe is not None and not isinstance(observe, Mapping):
        raise TypeError(
            f"`observe` = {observe!r} must be a dict, such as {{'rg': md.Observe(...)}}."
        )
    observe = dict(observe or {})
    for name, each in observe.items():
        if not isinstance(each, Observe):
            raise TypeError(
                f"`observe[{name!r}]` = {each!r} must be md.Observe(function, every=...)."
            )
    shown = _reporters(reporters)
    if progress:
        from xpmd.progress import Progress

        shown.append(Progress())
    backend = system.backend
    entrance = Entrance(backend, system.dtype, backend.device_of(system.coords), system.units, True)
    for value in flatten(simulator)[0]:
        _same_backend(backend, value)
    simulator = entrance.component(simulator)
    strategy = resolve_strategy(gradient)
    if gradient is not None and isinstance(strategy, LossStrategy) and not strategy.forward_mode:
        raise ValueError(
            f"`gradient` = {gradient!r} differentiates a loss as a whole, of which simulate sees a part: "
            "give it to md.value_and_grad. simulate takes strategies along a trajectory, such as "
            "'reverse'."
        )
    moving = system
    if COMPILED.get():
        moving = system.with_fields(backend=backend.compiled())
    leaves, spec = flatten((moving, simulator))
    # A rule that is called when what is differentiated here is gone must not look at it again.
    coords = backend.stop_gradient(moving.coords)
    planned = moving.with_fields(coords=coords, boundary=constant(moving.boundary, backend))
    intervals = [each.every for each in observe.values()] + [r.every for r in shown]
    interval = math.gcd(*intervals) if intervals else None
    n_streams = 1 + len(simulator.couplings)
    if backend.is_array(seed) and backend.is_traced(seed):
        keys = traced_stream_keys(seed, n_streams, xp=backend.xp(seed))
    else:
        keys = backend.asarray(stream_keys(seed, n_streams), dtype="int32", device=entrance.device)
    trajectory = Trajectory(
        backend=moving.backend,
        spec=spec,
        shapes=(system.n_atoms, *((tuple(x.shape), backend.dtype_name(x)) for x in leaves)),
        n_steps=int(n_steps),
        start_step=int(start_step),
        interval=interval,
        keep_records=bool(observe),
        watch=Watch(shown),
        strategy=_for_run(strategy, system, int(n_steps)),
        find_plan=functools.cache(lambda: plan_neighbors(planned, coords)),
        ensemble=strategy if isinstance(strategy, EnsembleStrategy) else None,
    )
    run = trajectory.primal
    if trajectory.strategy is not None:
        run = backend.custom_vjp(
            trajectory.primal, trajectory.forward, trajectory.backward, selective=True
        )
    elif trajectory.ensemble is not None:
        run = backend.custom_vjp(
            trajectory.sampled,
            trajectory.sampled_forward,
            trajectory.sampled_backward,
            selective=True,
        )
    elif isinstance(strategy, LossStrategy) and strategy.forward_mode:
        run = backend.custom_jvp(trajectory.primal, trajectory.along, one_way=True)
    with ExitStack() as opened:
        for reporter in shown:
            opened.callback(reporter.close)
            reporter.start(int(n_steps), int(start_step))
        outputs = run(*leaves, keys)
    box_spec = flatten(system.boundary)[1]
    n_box = len(flatten(system.boundary)[0])
    end = _at(system, box_spec, outputs[: 2 + n_box])
    records = outputs[2 + n_box :]
    sampled: tuple[Array, ...] = ()
    if trajectory.ensemble is not None:
        records, sampled = records[:-2], tuple(records[-2:])

    def observed(name: str, of: Sequence[Array]) -> Array:
        return _observed(name, observe[name], system, box_spec, of, interval or 1)

    def average(name: str) -> Array:
        rows = observed(name, [backend.stop_gradient(part) for part in records])
        stride = observe[name].every // (interval or 1)
        return _sampled_average(rows, sampled[0][::stride], sampled[1][::stride], backend)

    observations = {name: observed(name, records) for name in observe}
    last = int(start_step) + int(n_steps)
    return Result(end, observations, last, average if sampled else None)


def _for_run(strategy: GradientStrategy, system: System, n_steps: int) -> TrajectoryStrategy | None:
    """Return the strategy that is to go back along a run, `None` if none is."""
    if not isinstance(strategy, TrajectoryStrategy):
        return None
    numbers = 3 * system.n_atoms * system.boundary.dimensions  # coordinates, velocities, forces
    return strategy.for_run(n_steps, numbers * (8 if system.dtype == "float64" else 4))


def _sampled_average(rows: Array, weights: Array, logs: Array, backend: Backend) -> Array:
    """Return sum w O, with the derivative sum w (dO + (O - <O>) dl) it has under sampling."""
    xp = backend.xp(rows, logs)
    shape = (-1, *([1] * (rows.ndim - 1)))
    weights = xp.reshape(weights / xp.sum(weights), shape)
    mean = xp.sum(weights * rows, axis=0)
    apart = backend.stop_gradient(rows - mean)
    return mean + xp.sum(weights * apart * xp.reshape(logs, shape), axis=0)


def _at(system: System, box_spec: Any, snapshot: Sequence[Array]) -> System:
    """Return the System at a snapshot: coords, velocities and the leaves of the box."""
    boundary = unflatten(box_spec, snapshot[2:]) if len(snapshot) > 2 else system.boundary
    return system.with_fields(coords=snapshot[0], velocities=snapshot[1], boundary=boundary)


def _observed(
    name: str,
    observe: Observe,
    system: System,
    box_spec: Any,
    records: Sequence[Array],
    interval: int,
) -> Array:
    """Evaluate a function on every record that is due, outside the primitive."""
    backend, stride = system.backend, observe.every // interval
    rows = [part[::stride, ...] for part in records]

    def of_snapshot(*snapshot: Array) -> tuple[Array, ...]:
        value = observe.function(_at(system, box_spec, snapshot))
        if backend.is_array(value):
            return (value,)
        device = backend.device_of(snapshot[0])
        try:
            if value is None:  # which some libraries would make NaN
                raise TypeError("nothing was returned")
            return (backend.asarray(value, dtype=system.dtype, device=device),)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`observe[{name!r}]`: {observe.function!r} must return an array or a number, "
                f"got {value!r}."
            ) from error

    return backend.map(of_snapshot, *rows)[0]


def _check_arguments(system: Any, simulator: Any, n_steps: Any, start_step: Any) -> None:
    if not isinstance(system, System):
        raise TypeError(f"`system` = {system!r} must be a System.")
    if not isinstance(simulator, Simulator):
        raise TypeError(
            f"`simulator` = {simulator!r} must be an instance of a simulator, such as "
            "VelocityVerlet(dt=0.002)."
        )
    for name, value in (("n_steps", n_steps), ("start_step", start_step)):
        require_whole(name, value, at_least=0)


def _reporters(reporters: Any) -> list[Reporter]:
    """Return the reporters as a list, one given alone included."""
    shown = list(reporters) if isinstance(reporters, (list, tuple)) else [reporters]
    for each in shown:
        if not isinstance(each, Reporter):
            raise TypeError(f"`reporters`: {each!r} must be an instance of a md.Reporter.")
        require_whole("every", each.every, at_least=1)
    return shown


def _same_backend(backend: Backend, value: Any) -> None:
    if is_float_array(value) and not backend.is_array(value):
        raise BackendError(
            f"A setting of the simulator is an array of {backend_of(value).name}, but the System is on "
            f"{backend.name}. Convert it first."
        )
