"""One run through the body of a loop without numbers, up to where it needs to know one.

What a body does is recorded in parts, each of which leads from such a place, or from the beginning, to
the next; dispatch, plugins and derivatives are Python and leave no trace. A script says which places
have been passed:

    ()                       to the first `cond`, which needs its predicate
    ("yes",) or ("no",)      through that branch, from its operands
    ("join",)                from what the branch gave to the next place, or to the end
    (..., "host")            from what a host function gave

Each run begins at the beginning of the body again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from torch._subclasses.fake_tensor import FakeTensor

Array = Any
Arrays = tuple[Any, ...]
Script = tuple[str, ...]
Kind = Literal["end", "cond", "branch_end", "host"]


class UntraceableError(Exception):
    """A body does what no graph can hold; it is run as it stands instead."""


class Reached(BaseException):
    """The end of a part: what kind of end, its arrays, and what is to be called there."""

    def __init__(self, kind: Kind, arrays: Sequence[Array], call: Any = None) -> None:
        super().__init__(kind)
        self.kind, self.arrays, self.call = kind, tuple(arrays), call


#: What the loops of a function that is being traced ask.
_trace: ContextVar[Trace | None] = ContextVar("_trace", default=None)


def current_trace() -> Trace | None:
    """Return the trace at work, `None` if there is none."""
    return _trace.get()


def is_traced(array: Array) -> bool:
    """Return whether a tensor has no numbers, because a body is being traced."""
    return isinstance(array, FakeTensor)


class Trace:
    """One run of a function up to a place in the body of one of its loops.

    Args:
        target: numbers of the loops, from the outermost in.
        numbers: what the loops around it count, then its own.
        carry: what its body is given.
        script: the places in the body that are passed.
        given: what is known at each of them.
    """

    def __init__(
        self,
        target: tuple[int, ...],
        numbers: Arrays,
        carry: Arrays,
        script: Script,
        given: Sequence[Arrays],
    ) -> None:
        self.target, self.numbers, self.carry = target, numbers, carry
        self._passed = list(zip(script, given, strict=True))
        self._path: tuple[int, ...] = ()
        self._count = 0
        self.inside = False

    def enter(self, body: Callable[[Any, Arrays], Arrays], around: Callable[[Any], Any]) -> Any:
        """Meet a loop on the way to the body that is wanted.

        Args:
            body: the body of the loop, if it is the one.
            around: calls it with the loop's number, if the one is inside of it.
        """
        path = (*self._path, self._count)
        self._count += 1
        if path == self.target:
            self.inside = True
            raise Reached("end", body(self.numbers[-1], self.carry))
        if path != self.target[: len(path)]:
            raise UntraceableError("A loop comes after another.")
        number = self.numbers[len(path) - 1]
        self._path, self._count = path, 0
        around(number)
        raise UntraceableError("A loop was not met again.")

    def cond(
        self,
        predicate: Array,
        yes: Callable[..., Arrays],
        no: Callable[..., Arrays],
        operands: Arrays,
    ) -> Arrays:
        """Go on as the script says."""
        if not self._passed:
            raise Reached("cond", (predicate, *operands))
        what, known = self._passed.pop(0)
        if what == "join":
            return known
        raise Reached("branch_end", (yes if what == "yes" else no)(*known))

    def host(self, call: Callable[..., Arrays], arrays: Arrays) -> Arrays:
        """Go on with what a host function gave."""
        if not self._passed:
            raise Reached("host", arrays, call)
        _, known = self._passed.pop(0)
        return known


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Have the loops of a function ask a trace."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)
