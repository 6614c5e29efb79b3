"""Which backends a benchmark runs on."""

from __future__ import annotations

from collections.abc import Sequence

from xpmd import plugins
from xpmd.backend import backend
from xpmd.benchmark import BenchmarkSettings
from xpmd.registry import Entry
from xpmd_benchmarks.fluid_states import SMALL

DTYPES = ("float32", "float64")
#: Backends whose fluids are measured in double precision, too, if no type is asked for.
DOUBLE = ("jax", "numpy")


def available(entry: Entry) -> bool:
    """Return whether a backend can run here."""
    return entry.status == "ok" and plugins.load(entry).availability() is None


def chosen_backends(settings: BenchmarkSettings) -> list[str]:
    """Return the backends that are wanted, or all that can run here.

    Raises:
        ValueError: a name is unknown.
        BackendError: a backend that is wanted cannot run here.
    """
    for name in settings.backends:
        backend(name)
    known = [entry.name for entry in plugins.list("backend") if available(entry)]
    return list(settings.backends or known)


def chosen_dtypes(settings: BenchmarkSettings) -> list[str]:
    """Return the float types that are wanted, or both.

    Raises:
        ValueError: one is unknown.
    """
    unknown = [name for name in settings.dtypes if name not in DTYPES]
    if unknown:
        raise ValueError(f"`--dtype`: {', '.join(unknown)} is none of {', '.join(DTYPES)}.")
    return list(settings.dtypes or DTYPES)


def dtypes_on(settings: BenchmarkSettings, name: str) -> list[str]:
    """Return the float types for fluids on a backend: those that are wanted, or its usual ones.

    Raises:
        ValueError: one is unknown.
    """
    dtypes = chosen_dtypes(settings)
    return dtypes if settings.dtypes or name in DOUBLE else dtypes[:1]


def compiling_backends() -> list[str]:
    """Return the backends here that compile."""
    here = [entry for entry in plugins.list("backend") if available(entry)]
    return [each.name for each in here if plugins.load(each).capabilities.jit]


def melting_backend(sizes: Sequence[int]) -> str:
    """Return a backend to melt large fluids with: one that compiles if there is any."""
    if max(sizes) <= SMALL:
        return "numpy"
    return next(iter(compiling_backends()), "numpy")
