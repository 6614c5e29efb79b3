"""Kernels: what a backend does faster than the sums that are written for all of them.

A kernel is a function registered as a plugin under the name of an operation and of its backend, such as
`pair_forces_jax`. It takes what the generic function takes and returns the same, or `None` where it
does not apply. The generic function stays as its oracle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from xpmd.backend import Backend

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Whether programs made now use kernels.
KERNELS: ContextVar[bool] = ContextVar("KERNELS", default=True)


@contextmanager
def without_kernels() -> Iterator[None]:
    """Compute by the generic sums alone, to see whether a kernel is to blame for a result."""
    token = KERNELS.set(False)
    try:
        yield
    finally:
        KERNELS.reset(token)


def with_kernel(generic: _Function) -> _Function:
    """Return a function that leaves its work to the kernel of its name, if there is one.

    Args:
        generic: a function of a System or of a Backend, and more.
    """
    operation = generic.__name__

    @functools.wraps(generic)
    def either(of: Any, *arguments: Any, **settings: Any) -> Any:
        if KERNELS.get():
            backend = of if isinstance(of, Backend) else of.backend
            kernel = _kernel(operation, backend.name)
            found = None if kernel is None else kernel(of, *arguments, **settings)
            if found is not None:
                return found
        return generic(of, *arguments, **settings)

    return either  # type: ignore[return-value]


_found: dict[tuple[str, str], tuple[int, Callable[..., Any] | None]] = {}


def _kernel(operation: str, backend: str) -> Callable[..., Any] | None:
    """Return the kernel of a backend for an operation, `None` if there is none."""
    from xpmd import plugins

    key, generation = (operation, backend), plugins.generation()
    if key not in _found or _found[key][0] != generation:
        name = f"{operation}_{backend}"
        there = any(entry.name == name for entry in plugins.list("kernel"))
        _found[key] = (generation, plugins.get("kernel", name) if there else None)
    return _found[key][1]
