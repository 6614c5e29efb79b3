"""`run_many`: many simulations at once, on whatever runs functions elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from xpmd.errors import GradientError, ReplicaError
from xpmd.kernels import KERNELS, without_kernels
from xpmd.module import flatten
from xpmd.result import Result
from xpmd.simulate import simulate
from xpmd.simulator import Simulator
from xpmd.system import System

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future


def run_many(
    systems: System | Iterable[System],
    simulator: Simulator | Sequence[Simulator],
    n_steps: int,
    *,
    executor: Executor | None = None,
    seeds: Iterable[int] | None = None,
    on_error: Literal["raise", "return"] = "raise",
    **options: Any,
) -> list[Any]:
    """Run replicas, each as `simulate` does, and return their Results in order.

    What runs them is an executor of `concurrent.futures` or one like it: threads, processes, loky's, or
    those of a cluster, such as `distributed.Client(...).get_executor()`. What is sent to another process
    must pickle; functions that are written in place (`lambda`) do with loky's and with distributed's.

    Args:
        systems: one System a replica, or one for all of them.
        simulator: one for all replicas, or one each.
        n_steps: number of steps.
        executor: what runs them; is not shut down. loky's processes, which are kept for the next call,
            if left out.
        seeds: of the noise, one a replica; 0, 1, 2, ... if left out.
        on_error: whether to raise, once all have come to their end, if any failed; or to return a
            `ReplicaError` in the place of its Result.
        options: `observe`, `start_step` and `gradient`, as for `simulate`.

    Raises:
        ReplicaError: the first of those that failed, with its number and seed; its `results` are what
            would have been returned.
        GradientError: something is being differentiated; derivatives do not pass to other processes.
    """
    tasks = _tasks(systems, simulator, n_steps, seeds, options)
    if on_error not in ("raise", "return"):
        raise ValueError(f"`on_error` = {on_error!r} must be 'raise' or 'return'.")
    runner = _loky() if executor is None else executor
    futures: list[Future[Any]] = []
    try:
        futures.extend(runner.submit(_run, task) for task in tasks)
        results = [_collected(*pair) for pair in zip(enumerate(futures), tasks, strict=True)]
    except BaseException:  # an interrupt, or a submission that was refused
        for future in futures:
            future.cancel()
        raise
    failed = [each for each in results if isinstance(each, ReplicaError)]
    if failed and on_error == "raise":
        first = failed[0]
        raise ReplicaError(
            f"{len(failed)} of {len(results)} replicas failed. The first is {first}. What the others "
            "returned is in `results` of this error.",
            replica=first.replica,
            seed=first.seed,
            results=results,
        ) from first.__cause__
    return results


class _Told(NamedTuple):
    """Variables that a process must have before it makes arrays; it gets them where this is read."""

    variables: dict[str, str]

    def __reduce__(self) -> Any:
        return _tell, (self.variables,)


def _tell(variables: dict[str, str]) -> _Told:
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    return _Told(variables)


class _Task(NamedTuple):
    """One replica. Its parts are read in this order: `told` before any array is."""

    told: _Told
    process: int
    kernels: bool
    system: System
    simulator: Simulator
    n_steps: int
    seed: int
    options: dict[str, Any]


@dataclass
class _Failure:
    """What went wrong, in a form that can be sent."""

    error: BaseException
    where: str


def _tasks(
    systems: Any, simulator: Any, n_steps: int, seeds: Any, options: dict[str, Any]
) -> list[_Task]:
    unknown = set(options) - {"observe", "start_step", "gradient"}
    if unknown:
        raise TypeError(
            f"run_many: {', '.join(f'`{name}`' for name in sorted(unknown))} is none of its arguments; "
            "beside its own it takes `observe`, `start_step` and `gradient`. Reporters write from one "
            "process: call simulate, or look at the Results."
        )
    seeds = None if seeds is None else list(seeds)
    several = {"systems": _listed(systems, System), "simulator": _listed(simulator, Simulator)}
    lengths = {name: len(each) for name, each in several.items() if each is not None}
    lengths |= {} if seeds is None else {"seeds": len(seeds)}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
        raise ValueError(
            f"How many replicas are wanted is said by a list of systems, of simulators or of seeds, all "
            f"of one length: {found or 'there is none'}."
        )
    (count,) = set(lengths.values())
    systems, simulators = (
        [one] * count if many is None else many
        for one, many in zip((systems, simulator), several.values(), strict=True)
    )
    tasks = []
    for k, (system, each) in enumerate(zip(systems, simulators, strict=True)):
        on = system.backend
        if any(on.is_followed(leaf) for leaf in flatten((system, each))[0]):
            raise GradientError(
                f"Replica {k} of run_many is being differentiated, and derivatives do not pass to other "
                "threads and processes. Call md.simulate in the loss; or run whole gradients elsewhere, "
                "`executor.map(md.value_and_grad(loss), parameters)`."
            )
        told = _Told(dict(on.process_variables()))
        seed = k if seeds is None else seeds[k]
        tasks.append(_Task(told, os.getpid(), KERNELS.get(), system, each, n_steps, seed, options))
    return tasks


def _listed(value: Any, kind: type) -> list[Any] | None:
    """Return a list if there are several, `None` for one of a kind."""
    if isinstance(value, kind):
        return None
    found = list(value) if isinstance(value, Iterable) else [value]
    wrong = [each for each in found if not isinstance(each, kind)]
    if wrong:
        raise TypeError(f"run_many: {wrong[0]!r} must be a {kind.__name__}, or a list of them.")
    return found


def _run(task: _Task) -> Result | _Failure:
    """Run a replica, wherever this is; whatever happens comes back as a value."""
    try:
        if task.kernels:
            return _simulated(task)
        with without_kernels():
            return _simulated(task)
    except Exception as error:
        import traceback

        where = traceback.format_exc()
        if os.getpid() != task.process:
            error = _portable(error)
        return _Failure(error, where)


def _simulated(task: _Task) -> Result:
    return simulate(task.system, task.simulator, task.n_steps, seed=task.seed, **task.options)


def _portable(error: Exception) -> Exception:
    """Return the error, or what it says if it does not pickle: that would break the executor."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _collected(numbered: tuple[int, Future[Any]], task: _Task) -> Any:
    """Wait for a replica and return its Result, or the error that says which it was."""
    number, future = numbered
    try:
        found = future.result()
    except Exception as error:  # it could not be sent, or its process died
        found = _Failure(error, "")
    if not isinstance(found, _Failure):
        return found
    cause = found.error
    failed = ReplicaError(
        f"replica {number}, seed {task.seed}: {type(cause).__name__}: {cause}",
        replica=number,
        seed=task.seed,
    )
    failed.__cause__ = cause
    if found.where:
        failed.add_note(found.where)
    return failed


def _loky() -> Executor:
    try:
        from loky import get_reusable_executor
    except ImportError as error:
        raise ImportError(
            "run_many without an `executor` uses loky's processes: pip install 'xpmd[parallel]', or give "
            "an executor, such as concurrent.futures.ThreadPoolExecutor()."
        ) from error
    executor: Executor = get_reusable_executor()
    return executor
