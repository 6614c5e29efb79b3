"""What every component owes: declared fields, a structure that repeats, purity, a light module."""

from __future__ import annotations

import dis
import functools
import json
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import SkipTest

from xpmd import plugins
from xpmd.module import Module, flatten
from xpmd.testing.backends_at_hand import entry_of
from xpmd.testing.check import Check, ConformanceError

#: Longest that the module of a component may take to import, beyond xpmd and NumPy, seconds of the
#: processor's time: what else runs on the machine does not count.
IMPORT_LIMIT = 0.5
#: Modules whose results change from call to call.
_IMPURE = ("random", "secrets", "time")
_CHANGEABLE = (list, dict, set, bytearray)


def component_checks(component: Module, methods: tuple[str, ...]) -> list[Check]:
    """Return the checks of any component.

    Args:
        methods: those that run inside compiled code.
    """
    return [
        Check("fields", functools.partial(fields, component)),
        Check("structure", functools.partial(structure, component)),
        Check("purity", functools.partial(purity, type(component), methods)),
        Check("import_time", functools.partial(import_time, type(component))),
    ]


def fields(component: Module) -> None:
    """Every attribute is a declared field: a parameter hidden in another would get no gradient."""
    try:
        flatten(component)
    except TypeError as error:
        raise ConformanceError(str(error)) from error


def structure(component: Module) -> None:
    """A component built anew from the same values has the same structure: nothing recompiles."""
    try:
        again = component.replace()
    except TypeError as error:
        raise SkipTest(f"`replace()` without changes is not supported: {error}") from error
    first, second = flatten(component)[1], flatten(again)[1]
    try:
        same = hash(first) == hash(second) and first == second
    except (TypeError, ValueError) as error:
        raise ConformanceError(
            f"its static fields {component._static_names} cannot be hashed and compared ({error}): "
            "make an array a parameter or `md.indices()`, a list a tuple."
        ) from error
    if not same:
        raise ConformanceError(
            "built again from the same values it has another structure, so every call of a loss "
            f"would compile again; look at the static fields {component._static_names}: functions "
            "and objects made anew for each component are never equal."
        )


def purity(cls: type, methods: tuple[str, ...]) -> None:
    """What runs in compiled code reads its arguments, fields and constants, nothing that changes."""
    for method in methods:
        function = getattr(cls, method, None)
        if not isinstance(function, types.FunctionType) or _is_ours(function):
            continue
        for code in _codes(function.__code__):
            for name, stored in _global_names(code):
                where = f"{cls.__name__}.{method}"
                if stored:
                    raise ConformanceError(
                        f"{where} assigns to the global `{name}`: compiled code does so once, when "
                        "it is traced. Return what is needed."
                    )
                value = function.__globals__.get(name)
                if isinstance(value, _CHANGEABLE) or (
                    hasattr(value, "dtype") and not isinstance(value, (type, types.ModuleType))
                ):
                    raise ConformanceError(
                        f"{where} reads the global `{name}`, a {type(value).__name__}, which compiled "
                        "code freezes at its first call: make it a field, or a tuple if it never "
                        "changes."
                    )
                if isinstance(value, types.ModuleType) and value.__name__ in _IMPURE:
                    raise ConformanceError(
                        f"{where} uses the module `{value.__name__}`, which compiled code asks once "
                        "and never again. A simulator or thermostat draws from its `noise`."
                    )


def _is_ours(function: Callable[..., Any]) -> bool:
    """Return whether a method is inherited from the core."""
    return (function.__module__ or "").partition(".")[0] == "xpmd"


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _global_names(code: types.CodeType) -> Iterator[tuple[str, bool]]:
    """Yield each global a piece of code names, and whether it assigns to it."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"):
            yield str(step.argval), step.opname != "LOAD_GLOBAL"


def import_time(cls: type) -> None:
    """The module of the class is quick to import and brings no array library along."""
    if cls.__module__ == "__main__" or "<locals>" in cls.__qualname__:
        raise SkipTest(f"{cls.__name__} is in no module that could be imported on its own.")
    loaded, seconds = _imported(cls.__module__)
    entry = entry_of(cls)
    allowed = {"numpy", *(entry.backends if entry is not None else ())}
    for other in plugins.list("backend"):
        modules = other.modules or (other.name,)
        if other.name in allowed or not allowed.isdisjoint(modules):
            continue
        heavy = sorted(set(modules) & set(loaded))
        if heavy:
            raise ConformanceError(
                f"importing {cls.__module__} imports {', '.join(heavy)}: import them where they are "
                "used, or use `xp`."
            )
    # The first import of a module compiles it, and may meet a cold disk: the best of three counts.
    for _ in range(2):
        if seconds <= IMPORT_LIMIT:
            return
        _imported.cache_clear()
        seconds = min(seconds, _imported(cls.__module__)[1])
    if seconds > IMPORT_LIMIT:
        raise ConformanceError(
            f"importing {cls.__module__} takes {seconds:.2f} s beyond xpmd and NumPy, allowed "
            f"{IMPORT_LIMIT} s: `python -X importtime -c 'import {cls.__module__}'` shows on what."
        )


_SCRIPT = """
import json, sys, time
sys.path[:] = json.loads(sys.argv[1])
import numpy, xpmd
before, start = set(sys.modules), time.process_time()
try:
    __import__(sys.argv[2])
except ModuleNotFoundError as error:
    if error.name is None or not (sys.argv[2] + ".").startswith(error.name + "."):
        raise
    print(json.dumps(None))
else:
    seconds = time.process_time() - start
    names = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(json.dumps([sorted(names), seconds]))
"""


@functools.cache
def _imported(module: str) -> tuple[tuple[str, ...], float]:
    """Return what a module imports, and how long it takes, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps([p or "." for p in sys.path]), module],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConformanceError(f"{module} cannot be imported on its own:\n{done.stderr.strip()}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found is None:
        raise SkipTest(f"{module} is no module that could be imported on its own.")
    return tuple(found[0]), float(found[1])
