"""Compiled runs on a library that does not compile unless it is asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Whether simulations that start now run on the compiling form of their backend.
COMPILED: ContextVar[bool] = ContextVar("COMPILED", default=False)


@contextmanager
def compiled(wanted: bool = True) -> Iterator[None]:
    """Have simulations compiled on PyTorch, which takes some seconds for each kind of them.

    Where there is nothing to compile, on NumPy and CuPy, or where all is compiled anyway, on JAX, this
    changes nothing. Only steps are compiled, forwards and backwards; single calls, such as `md.forces`,
    are not.

    Args:
        wanted: `False` to run as by default within.
    """
    token = COMPILED.set(wanted)
    try:
        yield
    finally:
        COMPILED.reset(token)
