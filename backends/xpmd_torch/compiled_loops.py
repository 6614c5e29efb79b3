"""Loops whose bodies PyTorch's compiler has compiled; the host counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import optree
import torch

from xpmd_torch.derivatives import is_followed_on
from xpmd_torch.traced_parts import Part, traced_part
from xpmd_torch.traces import Script, Trace, UntraceableError
from xpmd_torch.transformed import is_transformed

Array = Any
Arrays = tuple[Any, ...]

_log = logging.getLogger(__name__)


class CompiledFunction:
    """A function whose loops are compiled when they are met."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.bodies: dict[Any, Body | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        everything: Any = arguments
        leaves, spec = optree.tree_flatten(everything)
        if _running.get() is not None or not all(map(_is_plain, leaves)):
            with running(None):
                return self.function(*arguments)
        with running(Running(self, leaves, spec)):
            return self.function(*arguments)


def _is_plain(leaf: Any) -> bool:
    """Return whether an argument is no tensor, or one with numbers that nobody follows."""
    if not isinstance(leaf, torch.Tensor):
        return True
    ordinary = type(leaf) in (torch.Tensor, torch.nn.Parameter) and not is_transformed(leaf)
    return ordinary and not is_followed_on(leaf)


class Running:
    """One call of a compiled function: where it is in its loops."""

    def __init__(self, function: CompiledFunction, leaves: Sequence[Any], spec: Any) -> None:
        self.function, self.spec = function, spec
        self.leaves = [
            torch.tensor(leaf, dtype=torch.int32) if type(leaf) is int else leaf for leaf in leaves
        ]
        self.key = (spec, tuple(_kind(leaf) for leaf in self.leaves))
        self.path: tuple[int, ...] = ()
        self.count = 0
        self.numbers: tuple[int, ...] = ()

    def next_path(self) -> tuple[int, ...]:
        """Return the path of the next loop."""
        self.count += 1
        return (*self.path, self.count - 1)

    @contextmanager
    def within(self, path: tuple[int, ...], number: int) -> Iterator[None]:
        """Be in the body of a loop."""
        held = self.path, self.count, self.numbers
        self.path, self.count, self.numbers = path, 0, (*self.numbers, number)
        try:
            yield
        finally:
            self.path, self.count, self.numbers = held

    def bodies_key(self, path: tuple[int, ...], carry: Arrays) -> Any:
        """Return what the compiled body of a loop depends on."""
        return (self.key, path, tuple(_kind(part) for part in carry))

    def inputs(self, k: Any, carry: Arrays) -> list[Array]:
        """Return what the parts of a body read."""
        numbers = [torch.tensor(n, dtype=torch.int32) for n in (*self.numbers, k)]
        tensors = [leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor)]
        return [*tensors, *numbers, *carry]


_running: ContextVar[Running | None] = ContextVar("_running", default=None)


def current_run() -> Running | None:
    """Return the call whose loops are being compiled, `None` if there is none."""
    return _running.get()


@contextmanager
def running(run: Running | None) -> Iterator[None]:
    """Have loops belong to a call."""
    token = _running.set(run)
    try:
        yield
    finally:
        _running.reset(token)


def _kind(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return (tuple(leaf.shape), leaf.dtype, leaf.device)
    return leaf


class Body:
    """The body of a loop, part by part."""

    def __init__(self, run: Running, path: tuple[int, ...], carry: Arrays) -> None:
        self.function, self.spec, self.path = run.function.function, run.spec, path
        self.still = [None if isinstance(leaf, torch.Tensor) else (leaf,) for leaf in run.leaves]
        self.n_tensors = sum(each is None for each in self.still)
        self.n_carry = len(carry)
        self.k_place = self.n_tensors + len(path) - 1
        self._parts: dict[Script, Part] = {}

    def _part(self, values: Sequence[Array], script: Script, known: Sequence[Arrays]) -> Part:
        """Return the part after some places, compiled on first use.

        Args:
            values: inputs, then what is known at those places.
            known: the same, place by place.
        """
        found = self._parts.get(script)
        if found is None:
            sizes = [len(group) for group in known]
            found = self._parts[script] = self._traced(values, script, sizes)
        return found

    def _traced(self, values: Sequence[Array], script: Script, sizes: Sequence[int]) -> Part:
        start = self.k_place + 1

        def trace(*inputs: Array) -> Trace:
            carry, place = tuple(inputs[start : start + self.n_carry]), start + self.n_carry
            given = []
            for size in sizes:
                given.append(tuple(inputs[place : place + size]))
                place += size
            numbers = tuple(inputs[self.n_tensors : start])
            return Trace(self.path, numbers, carry, script, given)

        def run(*inputs: Array) -> Any:
            tensors = iter(inputs)
            leaves = [next(tensors) if each is None else each[0] for each in self.still]
            return self.function(*optree.tree_unflatten(self.spec, leaves))

        with running(None):
            return traced_part(run, trace, tuple(values), self.k_place)

    def step(self, values: list[Array], prepared: dict[Script, list[Array]]) -> Arrays:
        """Return what the body makes of its inputs.

        Args:
            prepared: what parts have prepared for the run, filled on the way.

        Raises:
            UntraceableError: a part cannot be compiled.
        """
        script: Script = ()
        known: list[Arrays] = []
        branches: list[tuple[Script, list[Arrays]]] = []
        while True:
            flat = values + [each for group in known for each in group] if known else values
            part = self._part(flat, script, known)
            if script not in prepared:
                prepared[script] = part.prepared(values)
            found = part(flat, prepared[script])
            if part.kind == "end":
                return found
            if part.kind == "cond":
                branches.append((script, known))
                script = (*script, "yes" if bool(found[0]) else "no")
                known = [*known, found[1:]]
            elif part.kind == "host":
                script = (*script, "host")
                known = [*known, part.call(*found)]
            else:
                script, known = branches.pop()
                script, known = (*script, "join"), [*known, found]


def repeated(
    body: Callable[[Array, Arrays], Arrays],
    carry: Arrays,
    times: int,
    keep: Callable[[int, Arrays], None],
) -> Arrays:
    """Apply a body so many times, compiled where it can be; say what came of each."""
    done, run = 0, current_run()
    if run is not None:
        done, carry = _compiled_steps(run, carry, times, keep)
    with running(None):
        for k in range(done, times):
            carry = body(k, carry)
            keep(k + 1, carry)
    return carry


def _compiled_steps(
    run: Running, carry: Arrays, times: int, keep: Callable[[int, Arrays], None]
) -> tuple[int, Arrays]:
    """Go as far as compiled steps lead; return how far that is, and the carry there."""
    path = run.next_path()
    bodies, key = run.function.bodies, run.bodies_key(path, carry)
    if key not in bodies:
        bodies[key] = Body(run, path, carry)
    compiled = bodies[key]
    if compiled is None:
        return 0, carry
    values, prepared = run.inputs(0, carry), dict[Script, list[Array]]()
    with torch.no_grad():
        for k, number in enumerate(torch.arange(times, dtype=torch.int32).unbind()):
            values[compiled.k_place :] = number, *carry
            try:
                carry = compiled.step(values, prepared)
            except UntraceableError as error:
                _log.warning("A loop is run as it stands, for it cannot be compiled: %s", error)
                bodies[key] = None
                return k, carry
            keep(k + 1, carry)
    return times, carry
