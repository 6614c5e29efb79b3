"""PyTorch with the steps of a simulation compiled."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from xpmd.backend import Arrays, Backend, Capabilities
from xpmd_torch.backend import TorchBackend
from xpmd_torch.compiled_loops import CompiledFunction, current_run, repeated, running
from xpmd_torch.traces import UntraceableError, current_trace, is_traced

Array = Any


class CompiledTorchBackend(TorchBackend):
    """PyTorch whose loops have compiled bodies; `md.compiled` has simulations run on it.

    What cannot be compiled, because it has to know numbers on the way, is run as it stands.
    """

    name: ClassVar[str] = "torch_compiled"
    capabilities = Capabilities(
        jit=True,
        native_ad=True,
        dynamic_shapes=False,
        in_place=False,
        pair_layout="full",
        lists_on_host=True,
        devices=("cpu", "cuda"),
    )

    def __reduce__(self) -> Any:
        return compiled_backend, ()

    def compiled(self) -> Backend:
        return self

    def is_traced(self, array: Array) -> bool:
        return is_traced(array)

    def jit(self, function: Callable[..., Any], *, exact: bool = False) -> Callable[..., Any]:
        return function if exact else CompiledFunction(function)

    def repeat(
        self, body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
    ) -> Arrays:
        trace = current_trace()
        if trace is not None:
            return _met(trace, body, carry, times, at_most)
        return repeated(body, tuple(carry), min(int(times), at_most), lambda k, carry: None)

    def repeat_keeping(
        self,
        body: Callable[[Array, Arrays], Arrays],
        carry: Arrays,
        times: Any,
        at_most: int,
        pick: Callable[[Arrays], Arrays],
    ) -> tuple[Arrays, Any]:
        trace = current_trace()
        if trace is not None:
            _met(trace, body, carry, times, at_most)
            raise UntraceableError("Carries are kept inside a loop.")
        rows = tuple(part.new_empty((at_most + 1, *part.shape)) for part in pick(carry))

        def keep(k: int, carry: Arrays) -> None:
            for column, part in zip(rows, pick(carry), strict=True):
                column[k] = part

        keep(0, carry)
        return repeated(body, tuple(carry), min(int(times), at_most), keep), rows

    def row(self, rows: Any, k: Any) -> Arrays:
        if isinstance(k, torch.Tensor):
            return tuple(column.index_select(0, k.reshape(1).long())[0] for column in rows)
        return super().row(rows, k)

    def stacked_rows(self, rows: Any, places: Sequence[int]) -> Arrays:
        return tuple(column[list(places)] for column in rows)

    def scan(
        self, body: Callable[[Arrays, Any], tuple[Arrays, Arrays]], carry: Arrays, xs: Sequence[Any]
    ) -> tuple[Arrays, list[Arrays] | Arrays]:
        trace, run = current_trace(), current_run()
        if trace is not None and not trace.inside:
            trace.enter(_no_body, lambda number: body(carry, number))
        if run is None:
            return super().scan(body, carry, xs)
        path = run.next_path()

        def one(held: Arrays, x: Any) -> tuple[Arrays, Arrays]:
            with run.within(path, x):
                return body(held, x)

        return super().scan(one, carry, xs)

    def while_loop(
        self, condition: Callable[[Arrays], Any], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        if current_trace() is not None:
            raise UntraceableError("A loop ends when a condition says so.")
        with running(None):
            return super().while_loop(condition, body, carry)

    def cond(
        self,
        predicate: Any,
        yes: Callable[..., Arrays],
        no: Callable[..., Arrays],
        *operands: Array,
    ) -> Arrays:
        trace = current_trace()
        if trace is None or not is_traced(predicate):
            return super().cond(predicate, yes, no, *operands)
        return trace.cond(predicate, yes, no, operands)

    def host_call(
        self, function: Callable[..., Sequence[Any]], like: Sequence[tuple[Any, str]], *xs: Array
    ) -> Arrays:
        trace = current_trace()
        if trace is None or not any(is_traced(x) for x in xs):
            return super().host_call(function, like, *xs)
        return trace.host(lambda *known: Backend.host_call(self, function, like, *known), xs)

    def outside(self, function: Callable[..., Arrays], *arrays: Array) -> Arrays:
        trace = current_trace()
        if trace is None or not any(is_traced(x) for x in arrays):
            return function(*arrays)
        return trace.host(function, arrays)


def _met(trace: Any, body: Any, carry: Arrays, times: Any, at_most: int) -> Arrays:
    """Return what a loop gives that a trace meets."""
    if not trace.inside:
        trace.enter(body, lambda number: body(number, carry))
    if not isinstance(times, int):
        raise UntraceableError("How often a loop inside a loop runs is known only later.")
    for k in range(min(times, at_most)):
        carry = body(k, carry)
    return carry


def _no_body(k: Any, carry: Arrays) -> Arrays:
    raise UntraceableError("A loop over a list is not compiled itself.")


def has_compiler() -> bool:
    """Return whether a C++ compiler is here, by which PyTorch compiles for the CPU."""
    named = os.environ.get("CXX")
    return any(shutil.which(each) for each in ([named] if named else ["g++", "clang++", "cl"]))


@functools.cache
def compiled_backend() -> CompiledTorchBackend:
    """Return the one there is; what is compiled is kept by it."""
    return CompiledTorchBackend()
