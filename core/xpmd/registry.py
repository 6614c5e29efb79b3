"""The registry: what is installed, by kind and name, and the class behind a name."""

from __future__ import annotations

import difflib
import pkgutil
import threading
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from xpmd.errors import PluginError
from xpmd.hookspecs import API, KINDS, Component
from xpmd.plugin_discovery import (
    OWN_DISTRIBUTION,
    Failure,
    canonical,
    check_component,
    installed_plugins,
    offered_components,
)

Status = Literal["ok", "incompatible", "failed", "ambiguous"]

#: Kinds of which the core itself names members ("numpy", "reverse"): there the name alone means ours,
#: so that no installed package can take it away.
RESERVED = ("backend", "gradient_strategy", "kernel")


@dataclass(frozen=True)
class Entry(Component):
    """A component that some distribution offers.

    Attributes:
        distribution: name of the distribution.
        version: its version.
        status: "ok"; "incompatible": written for another version of the plugin contract;
            "failed": its class could not be imported; "ambiguous": others have the same name.
        error: why the status is not "ok", else `None`.
    """

    distribution: str = "unknown"
    version: str = "unknown"
    status: Status = "ok"
    error: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what no two entries share."""
        return self.kind, self.name, canonical(self.distribution)

    @property
    def qualified_name(self) -> str:
        """Return the name that means this entry alone."""
        return f"{self.distribution}:{self.name}"

    @property
    def label(self) -> str:
        """Return the entry in words, for messages."""
        return f"{self.kind} '{self.name}' of {self.distribution} {self.version}"


def _entry(component: object, distribution: str, version: str) -> Entry:
    """Return the entry of a checked component, marked if it speaks another version."""
    checked = check_component(component)
    described = {field.name: getattr(checked, field.name) for field in fields(Component)}
    entry = Entry(**described, distribution=distribution, version=version)
    if checked.api[0] == API[0]:
        return entry
    reason = (
        f"written for plugin API {checked.api[0]}.{checked.api[1]}, and this xpmd speaks "
        f"{API[0]}.{API[1]}; install versions of xpmd and {distribution} that match"
    )
    return replace(entry, status="incompatible", error=reason)


class Registry:
    """Components by kind and name, read once, when first used, from what is installed."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Entry] = {}
        self._failures: list[Failure] = []
        self._discovered = False
        #: Counts changes, for who keeps what it looked up.
        self.generation = 0
        self._lock = threading.RLock()

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return the entries of a kind, or all; imports none of their classes.

        Raises:
            ValueError: the kind is unknown.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(_unknown("kind", kind, KINDS))
        self._discover()
        rivals = defaultdict(list)
        for entry in self._entries.values():
            if entry.status != "incompatible":
                rivals[entry.kind, entry.name].append(entry)
        return [
            self._with_rivals(entry, rivals[entry.kind, entry.name])
            for entry in self._entries.values()
            if kind in (None, entry.kind)
        ]

    def failures(self) -> list[Failure]:
        """Return the plugins that could not be loaded, and why."""
        self._discover()
        return list(self._failures)

    def find(self, kind: str, name: str) -> Entry:
        """Return the one entry of that name, which may be "distribution:name".

        Raises:
            ValueError: kind or name is unknown; lists the known ones.
            PluginError: several distributions offer it, it speaks another version of the contract,
                or it is unknown and some plugins, any of which may hold it, failed to load.
        """
        if not isinstance(name, str):
            raise TypeError(f"`name` = {name!r} must be the name of a {kind}, as a string")
        distribution, _, plain = name.rpartition(":")
        found = [
            entry
            for entry in self.entries(kind)
            if entry.name == plain
            and (not distribution or canonical(entry.distribution) == canonical(distribution))
        ]
        usable = [entry for entry in found if entry.status != "incompatible"]
        if len(usable) > 1 and kind in RESERVED and not distribution:
            usable = [entry for entry in usable if _is_ours(entry)] or usable
        if len(usable) == 1:
            return usable[0]
        if usable:
            owners = " and ".join(f"{entry.distribution} {entry.version}" for entry in usable)
            names = " or ".join(f"'{entry.qualified_name}'" for entry in usable)
            raise PluginError(f"The {kind} '{name}' is offered by {owners}: write {names}.")
        if found:
            raise PluginError(
                f"The {found[0].label} cannot be used: {found[0].error}.",
                distribution=found[0].distribution,
            )
        raise self._not_found(kind, name)

    def get(self, kind: str, name: str) -> Any:
        """Return the class of a component, importing it now if it was not yet.

        Raises:
            ValueError: kind or name is unknown.
            PluginError: as `find`, or the class cannot be imported.
        """
        return self.load(self.find(kind, name))

    def load(self, entry: Entry) -> Any:
        """Return the class that an entry points to.

        Raises:
            PluginError: it cannot be imported, and the original error is its `__cause__`; or it is
                not what its kind has to be.
        """
        if entry.api[1] > API[1]:
            warnings.warn(
                f"The {entry.label} was written for plugin API {entry.api[0]}.{entry.api[1]}, "
                f"newer than the {API[0]}.{API[1]} of this xpmd; upgrade if anything is missing.",
                stacklevel=4,
            )
        stored = self._entries.get(entry.key, entry)
        try:
            target = pkgutil.resolve_name(entry.target)
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            self._entries[entry.key] = replace(stored, status="failed", error=reason)
            raise PluginError(
                f"The {entry.label} could not be loaded from '{entry.target}': {reason}",
                distribution=entry.distribution,
            ) from error
        mistake = _mistake(entry, target)
        if mistake is not None:
            self._entries[entry.key] = replace(stored, status="failed", error=mistake)
            raise PluginError(
                f"The {entry.label} cannot be used: {mistake}.", distribution=entry.distribution
            )
        if stored.status == "failed":
            self._entries[entry.key] = replace(stored, status="ok", error=None)
        return target

    def register(self, plugin: object, *, distribution: str = "local") -> None:
        """Add components that no installed distribution offers, as in a notebook.

        Args:
            plugin: a `Component`, a list of them, or an object with the hook.
            distribution: the name to list them under; earlier ones of the same name are replaced.

        Raises:
            PluginError: something about it is wrong.
        """
        if isinstance(plugin, Component):
            plugin = [plugin]
        if not isinstance(plugin, list | tuple):
            plugin = offered_components(plugin, distribution)
        fresh = [_entry(component, distribution, "-") for component in plugin]
        self._discover()
        self._entries = self._entries | {entry.key: entry for entry in fresh}
        self.generation += 1

    @contextmanager
    def use(self, plugin: object, *, distribution: str = "local") -> Iterator[None]:
        """Do as `register`, and undo it at the end of the block."""
        self._discover()
        before = self._entries
        self.register(plugin, distribution=distribution)
        try:
            yield
        finally:
            self._entries = before
            self.generation += 1

    def _discover(self) -> None:
        """Ask every installed plugin, once; a plugin that breaks takes no other with it."""
        with self._lock:
            if self._discovered:
                return
            self._discovered = True  # first: a plugin may use the registry while it is imported
            for distribution, version, point in installed_plugins(self._failures):
                try:
                    offered = offered_components(point.load(), f"{distribution}:{point.name}")
                except (Exception, SystemExit) as error:
                    self._failures.append(Failure(distribution, version, point.name, error))
                    continue
                for component in offered:
                    try:
                        self._add(_entry(component, distribution, version))
                    except PluginError as error:
                        self._failures.append(Failure(distribution, version, point.name, error))

    def _add(self, entry: Entry) -> None:
        if entry.key in self._entries:
            raise PluginError(
                f"it offers two components under the name {entry.kind} '{entry.name}'"
            )
        self._entries[entry.key] = entry

    @staticmethod
    def _with_rivals(entry: Entry, rivals: list[Entry]) -> Entry:
        """Return the entry, marked if it is fine in itself and others have the same name."""
        if entry.status != "ok" or len(rivals) < 2:
            return entry
        if entry.kind in RESERVED and _is_ours(entry):
            return entry
        others = ", ".join(e.distribution for e in rivals if e.key != entry.key)
        reason = f"also offered by {others}; write '{entry.qualified_name}' for this one"
        return replace(entry, status="ambiguous", error=reason)

    def _not_found(self, kind: str, name: str) -> Exception:
        """Return the error for a name that nobody offers."""
        message = _unknown(kind, name, [entry.name for entry in self.entries(kind)])
        if not any(_is_ours(entry) for entry in self._entries.values()):
            message += " xpmd's own are missing: it is not installed; pip install -e ."
        distribution = canonical(name.rpartition(":")[0])
        suspects = [
            failure
            for failure in self._failures
            if not distribution or canonical(failure.distribution) == distribution
        ]
        if not suspects:
            return ValueError(message)
        lines = "\n".join(f"  {failure}" for failure in suspects)
        error = PluginError(
            f"{message}\nThese plugins failed to load and may hold it:\n{lines}",
            distribution=suspects[0].distribution,
        )
        error.__cause__ = suspects[0].error
        return error


def _is_ours(entry: Entry) -> bool:
    return canonical(entry.distribution) == OWN_DISTRIBUTION


def _mistake(entry: Entry, target: Any) -> str | None:
    """Return why a target cannot be of its kind, `None` if it can."""
    bases = KINDS.get(entry.kind, ())
    if not bases:
        return None if callable(target) else f"'{entry.target}' is neither a class nor a function"
    if isinstance(target, type) and issubclass(target, tuple(map(pkgutil.resolve_name, bases))):
        return None
    names = " or ".join(f"md.{base.partition(':')[2]}" for base in bases)
    return f"'{entry.target}' is no subclass of {names}, as every {entry.kind} is"


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: the known ones, those that look like it first."""
    known = sorted(set(known))
    by_folded = {word.casefold(): word for word in known}
    plain = name.rpartition(":")[2].casefold()
    close = [by_folded[word] for word in difflib.get_close_matches(plain, by_folded)]
    others = [word for word in known if word not in close]
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"'{name}' is no known {what}.{hint} Known: {', '.join(close + others) or 'none'}."
