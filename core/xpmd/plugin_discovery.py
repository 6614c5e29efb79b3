"""Finding the installed plugins and asking each, on its own, what it offers.

The loop over entry points is ours because pluggy's stops at the first plugin that breaks and drops
the second of two with one name in silence.
"""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

import pluggy

from xpmd import hookspecs
from xpmd.errors import PluginError
from xpmd.hookspecs import GROUP, KINDS, Component

OWN_DISTRIBUTION = "xpmd"

_NAME = re.compile(r"[^\s:]+")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Failure:
    """A plugin, or a descriptor of one, that could not be used.

    Attributes:
        distribution: what to `pip install` or uninstall.
        version: its version.
        entry_point: which of its plugins.
        error: what went wrong.
    """

    distribution: str
    version: str
    entry_point: str
    error: BaseException

    @property
    def reason(self) -> str:
        """Return the error in one line."""
        return f"{type(self.error).__name__}: {self.error}"

    @property
    def traceback(self) -> str:
        """Return the error as Python prints it."""
        return "".join(traceback.format_exception(self.error))

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (plugin '{self.entry_point}'): {self.reason}"


def canonical(distribution: str) -> str:
    """Return the name of a distribution in the one spelling that package indexes use."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Return name and version, from the name of its folder where the metadata is damaged."""
    folder = str(getattr(distribution, "_path", "unknown")).replace("\\", "/").rpartition("/")[2]
    name, _, version = folder.rpartition(".")[0].partition("-")
    with contextlib.suppress(Exception):
        name = distribution.metadata["Name"] or name
        version = distribution.version or version
    return name or "unknown", version or "unknown"


def _offers_plugins(distribution: Distribution) -> bool:
    """Return whether a distribution has entry points of our group; quicker than to parse them all."""
    text = distribution.read_text("entry_points.txt") or ""
    return re.search(rf"^\s*\[\s*{GROUP}\s*\]", text, re.MULTILINE) is not None


def installed_plugins(failures: list[Failure]) -> Iterator[tuple[str, str, EntryPoint]]:
    """Yield distribution, version and entry point of each installed plugin; imports none of them.

    Obeys `XPMD_DISABLE_PLUGINS=1` (only xpmd's own) and `XPMD_PLUGINS=a,b` (only these and ours).

    Args:
        failures: takes the distributions whose entry points cannot be read, or that are asked for
            in `XPMD_PLUGINS` and not installed.
    """
    disabled = os.environ.get("XPMD_DISABLE_PLUGINS", "").lower() not in ("", "0", "false", "no")
    wanted = {
        canonical(word) for word in re.split(r"[,\s]+", os.environ.get("XPMD_PLUGINS", "")) if word
    }
    seen: set[str] = set()
    for distribution in distributions():
        try:
            if not _offers_plugins(distribution):
                continue
            points = list(distribution.entry_points.select(group=GROUP))
            unreadable = None
        except Exception as error:
            points, unreadable = [], error
        name, version = _identity(distribution)
        if canonical(name) in seen:
            continue  # hidden by the one of the same name that stands earlier on the path
        seen.add(canonical(name))
        own = canonical(name) == OWN_DISTRIBUTION
        if not own and (disabled or (wanted and canonical(name) not in wanted)):
            continue
        if unreadable is not None:
            failures.append(Failure(name, version, "entry_points.txt", unreadable))
        for point in points:
            yield name, version, point
    for name in sorted(set() if disabled else wanted - seen):
        missing = PluginError(
            f"XPMD_PLUGINS names it, but no plugin of that name is installed; those are: "
            f"{', '.join(sorted(seen)) or 'none'}",
            distribution=name,
        )
        failures.append(Failure(name, "-", "-", missing))


def offered_components(plugin: object, name: str) -> list[object]:
    """Return whatever a plugin's hook returns, still to be checked one by one.

    Raises:
        PluginError: it has no hook, a misspelt one, or one that returns no list.
        Exception: anything that the hook itself raises.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{error}; the one hook is `xpmd_components(api)`") from error
    if not manager.hook.xpmd_components.get_hookimpls():
        raise PluginError("it has no function `xpmd_components` marked with `@xpmd.hookimpl`")
    answers = manager.hook.xpmd_components(api=hookspecs.API)
    answer: object = answers[0] if answers else None
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise PluginError(f"`xpmd_components` must return a list of `Component`, not {answer!r}")
    return list(answer)


def check_component(component: object) -> Component:
    """Return a descriptor that is fit to be listed.

    Raises:
        PluginError: it is no `Component`, or a field of it makes no sense; says which.
    """
    if not isinstance(component, Component):
        raise PluginError(f"`xpmd_components` must return `Component`s only, not {component!r}")
    api, kind, name = component.api, component.kind, component.name
    if not (isinstance(api, tuple) and len(api) == 2 and all(isinstance(n, int) for n in api)):
        raise PluginError(f"`api` = {api!r} of {kind} {name!r} must be two integers, as in (1, 0)")
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise PluginError(f"`name` = {name!r} of a {kind} must be a word without colon or space")
    same_api = api[0] == hookspecs.API[0]
    if not isinstance(kind, str) or (same_api and kind not in KINDS):
        raise PluginError(f"`kind` = {kind!r} of {name!r} is none of {', '.join(KINDS)}")
    if not isinstance(component.target, str) or (
        same_api and not _TARGET.fullmatch(component.target)
    ):
        raise PluginError(
            f"`target` = {component.target!r} of {kind} {name!r} must look like "
            "'package.module:Class'"
        )
    for field in ("backends", "modules"):
        words = getattr(component, field)
        if not (isinstance(words, tuple) and all(isinstance(word, str) for word in words)):
            raise PluginError(f"`{field}` = {words!r} of {kind} {name!r} must be a tuple of names")
    return component
