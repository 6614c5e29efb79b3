"""Packages whose names are imported when they are used: listing a package's components costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(components: str, **others: str) -> Callable[[str], Any]:
    """Return a `__getattr__` for a package: a name is imported from where its component is.

    Args:
        components: the module with the package's hook, "xpmd_interactions.components".
        others: modules of further names, such as `load_checkpoint="xpmd_reporters.checkpoint"`.
    """
    package = components.rpartition(".")[0]

    def found(name: str) -> Any:
        # Not for `__path__` and the like, which Python asks for while it imports the package.
        if not name.startswith("_"):
            for target in _targets(components, others):
                module, _, attribute = target.partition(":")
                if attribute == name:
                    return getattr(import_module(module), name)
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return found


def _targets(components: str, others: dict[str, str]) -> list[str]:
    from xpmd.hookspecs import API

    described = import_module(components).xpmd_components(api=API)
    return [
        *(component.target for component in described),
        *(f"{module}:{name}" for name, module in others.items()),
    ]
