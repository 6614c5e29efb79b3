"""The backends a check runs on: those that are installed, and a reason for each that is not."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any
from unittest import SkipTest

from xpmd import plugins
from xpmd.backend import Backend, backend, backend_of
from xpmd.errors import BackendError, PluginError
from xpmd.module import flatten, unflatten
from xpmd.registry import Entry

Array = Any


def entry_of(component: object) -> Entry | None:
    """Return the registry's entry of a component's class, `None` for one that is not registered."""
    cls = component if isinstance(component, type) else type(component)
    target = f"{cls.__module__}:{cls.__qualname__}"
    for entry in plugins.list():
        if entry.target == target:
            return entry
        # An entry may name a package that passes the class on.
        if entry.name == cls.__name__:
            with contextlib.suppress(PluginError):
                if plugins.load(entry) is cls:
                    return entry
    return None


def backend_names(component: object, wanted: Sequence[str] | None = None) -> list[str]:
    """Return the names of the backends to check a component on; imports none of them.

    Args:
        wanted: these only; all that the component's entry names, or else all there are, if left out.

    Raises:
        ValueError: a name is unknown.
    """
    known = [entry.name for entry in plugins.list("backend") if entry.status != "incompatible"]
    known = sorted(set(known), key=lambda name: (name != "numpy", known.index(name)))
    if wanted is not None:
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValueError(f"`backends` = {list(wanted)}: {unknown} are none of {known}.")
        return list(wanted)
    entry = entry_of(component)
    if entry is None or "*" in entry.backends:
        return known
    return [name for name in known if name in entry.backends]


def usable(name: str, dtype: str = "float64") -> Backend:
    """Return a backend, ready for arrays of a type.

    Raises:
        SkipTest: it cannot be used here; says why.
    """
    try:
        found = backend(name)
        found.check_dtype(dtype)
    except (BackendError, PluginError) as error:
        raise SkipTest(str(error)) from error
    return found


def first_usable(names: Sequence[str]) -> Backend:
    """Return the first of several backends that can be used, the one others are compared with.

    Raises:
        SkipTest: none can be used.
    """
    reasons = []
    for name in names:
        try:
            return usable(name)
        except SkipTest as reason:
            reasons.append(str(reason))
    raise SkipTest(" ".join(reasons) or "There is no backend to run on.")


def moved(tree: Any, on: Backend, dtype: str) -> Any:
    """Return a component, or a tree of them, with its float arrays on a backend.

    Plain numbers and integer arrays stay: a System takes them as they are.
    """
    leaves, spec = flatten(tree)
    return unflatten(spec, [_moved_leaf(leaf, on, dtype) for leaf in leaves])


def _moved_leaf(leaf: Any, on: Backend, dtype: str) -> Any:
    if not hasattr(leaf, "dtype"):
        return leaf
    owner = backend_of(leaf)
    values = owner.to_numpy(leaf)
    if "float" not in owner.dtype_name(leaf):
        return values
    return on.asarray(values, dtype=dtype)
