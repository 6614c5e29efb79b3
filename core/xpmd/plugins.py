"""The registry that everything uses: what is installed, and the class behind a name.

md.plugins.list("interaction")
md.plugins.get("interaction", "LennardJones")
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from contextlib import AbstractContextManager
from typing import Any

from xpmd.plugin_discovery import Failure
from xpmd.registry import Entry, Registry

_registry = Registry()


def list(kind: str | None = None) -> tuple[Entry, ...]:
    """Return the components of a kind, or all; imports none of their classes.

    Raises:
        ValueError: the kind is unknown.
    """
    return tuple(_registry.entries(kind))


def get(kind: str, name: str) -> Any:
    """Return the class of a component.

    Args:
        kind: such as "interaction".
        name: its name, or "distribution:name" where two distributions offer the same.

    Raises:
        ValueError: kind or name is unknown; lists the known ones.
        PluginError: it cannot be loaded, or a plugin that may hold it failed to load.
    """
    return _registry.get(kind, name)


def create(kind: str, name: str, /, **settings: Any) -> Any:
    """Return a component with the given settings; errors as for `get`.

    One that is a function, such as an observable, comes back with its settings filled in.
    """
    target = _registry.get(kind, name)
    if not isinstance(target, type):
        return functools.partial(target, **settings) if settings else target
    try:
        return target(**settings)
    except Exception as error:
        note = f"This was the {_registry.find(kind, name).label}, created with {settings}"
        with contextlib.suppress(ValueError, TypeError):  # not every class says what it takes
            note += f"; it takes {inspect.signature(target)}"
        error.add_note(f"{note}.")
        raise


def failures() -> tuple[Failure, ...]:
    """Return the plugins that could not be loaded, and why."""
    return tuple(_registry.failures())


def load(entry: Entry) -> Any:
    """Return the class that an entry points to."""
    return _registry.load(entry)


def generation() -> int:
    """Return how often components have been registered or taken away since the start."""
    return _registry.generation


def register(plugin: object, *, distribution: str = "local") -> None:
    """Add a component, a list of them, or an object with the hook, as in a notebook."""
    _registry.register(plugin, distribution=distribution)


def use(plugin: object, *, distribution: str = "local") -> AbstractContextManager[None]:
    """Do as `register`, and undo it at the end of a `with` block."""
    return _registry.use(plugin, distribution=distribution)
