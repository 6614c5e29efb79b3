"""PyTorch's compiler, told to take in what leads to an entry once, however often it is used.

It does so by calling a function of indices for each use of an array that is not in memory, so that work
doubles where something is used twice, and twice again; only afterwards does it look for what is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def entries_shared() -> Iterator[None]:
    """Have entries of arrays that are not in memory remembered while a loop is made."""
    from torch._inductor import ir

    pointwise: Any = ir.Pointwise
    usual = pointwise.make_loader

    def make_loader(self: Any) -> Callable[[Sequence[Any]], Any]:
        memory = vars(self).get("_entries")
        if memory is None:
            memory = _Entries(usual(self))
            object.__setattr__(self, "_entries", memory)
        return memory  # type: ignore[no-any-return]

    pointwise.make_loader = make_loader
    try:
        yield
    finally:
        pointwise.make_loader = usual


class _Entries:
    """The entries of one array in the loop that is being made."""

    def __init__(self, load: Callable[[Sequence[Any]], Any]) -> None:
        self._load = load
        self._loop: Any = None
        self._known: dict[Any, Any] = {}

    def __call__(self, index: Sequence[Any]) -> Any:
        from torch._inductor.virtualized import V

        loop, place = V.get_ops_handler(), tuple(index)
        if loop is not self._loop:
            self._loop, self._known = loop, {}
        if place not in self._known:
            self._known[place] = self._load(index)
        return self._known[place]
