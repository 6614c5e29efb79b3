"""`xpmd plugins`: what is installed, what of it works here, and why the rest does not."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xpmd import plugins as registry
from xpmd.errors import PluginError
from xpmd.hookspecs import API, KINDS
from xpmd.plugin_discovery import Failure
from xpmd.registry import Entry

_STYLES = {"ok": "green", "available": "green", "unavailable": "yellow"}
_WIDTH_OF_A_FILE = 160


class Row(NamedTuple):
    """An entry, and its status after a closer look."""

    entry: Entry
    status: str
    reason: str | None


def _looked_at(entry: Entry) -> Row:
    """Return an entry after importing its class, and asking a backend whether it can run here."""
    if entry.status != "ok":
        return Row(entry, entry.status, entry.error)
    try:
        target = registry.load(entry)
    except PluginError as error:
        return Row(entry, "failed", str(error))
    if entry.kind != "backend":
        return Row(entry, "ok", None)
    try:
        reason = target.availability()
    except Exception as error:
        return Row(entry, "failed", f"`availability()` raised {type(error).__name__}: {error}")
    return Row(entry, "available" if reason is None else "unavailable", reason)


def _json(rows: Sequence[Row], failures: Sequence[Failure]) -> str:
    components = [{**asdict(row.entry), "status": row.status, "error": row.reason} for row in rows]
    failed = [
        {
            "distribution": failure.distribution,
            "version": failure.version,
            "entry_point": failure.entry_point,
            "error": failure.reason,
            "traceback": failure.traceback,
        }
        for failure in failures
    ]
    return json.dumps({"api": API, "components": components, "failures": failed}, indent=2)


def _table(rows: Sequence[Row]) -> Table:
    table = Table("kind", "name", "distribution", "version", "status", "backends", "summary")
    for entry, status, _ in rows:
        words: list[Any] = [entry.kind, entry.name, entry.distribution, entry.version]
        backends = "all" if entry.backends == ("*",) else ", ".join(entry.backends)
        style = _STYLES.get(status, "red")
        table.add_row(
            *map(escape, words), f"[{style}]{status}[/]", escape(backends), escape(entry.summary)
        )
    return table


def plugins(
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(KINDS)}.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    check: Annotated[
        bool, typer.Option(help="Import every component and ask the backends whether they can run.")
    ] = True,
) -> None:
    """List interactions, simulators, backends and all the rest, and what is wrong with any."""
    with contextlib.redirect_stdout(sys.stderr):  # what a plugin prints must not end up in the JSON
        try:
            entries = sorted(registry.list(kind), key=lambda entry: entry.key)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--kind") from error
        failures = registry.failures()
        rows = [
            _looked_at(entry) if check else Row(entry, entry.status, entry.error)
            for entry in entries
        ]
    if as_json:
        typer.echo(_json(rows, failures))
        return
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OF_A_FILE)
    console.print(_table(rows))
    reasons = [(row.entry.label, row.reason) for row in rows if row.reason]
    for label, reason in reasons:
        console.print(f"{label}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if failures:
        console.print("\nThese plugins failed to load:", style="red")
        for failure in failures:
            console.print(f"  {failure}", markup=False, highlight=False, soft_wrap=True)
