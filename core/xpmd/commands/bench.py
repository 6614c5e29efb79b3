"""`xpmd bench`: how fast, how much memory, beside which other programs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xpmd import plugins as registry
from xpmd.benchmark import BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd.benchmark_page import folder_from, page
from xpmd.benchmark_ratios import ratio_table
from xpmd.benchmark_text import as_json, as_text, cells, setting_lines
from xpmd.errors import XpmdError


def bench(
    suite: Annotated[
        list[str] | None, typer.Option(help="Which; several. All if left out.")
    ] = None,
    backend: Annotated[list[str] | None, typer.Option(help="Backends; several.")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="Gradient strategies; several.")
    ] = None,
    dtype: Annotated[list[str] | None, typer.Option(help="float32, float64.")] = None,
    sizes: Annotated[list[str] | None, typer.Option(help="Numbers of atoms: 864,4000.")] = None,
    steps: Annotated[list[str] | None, typer.Option(help="Numbers of steps: 100,500.")] = None,
    skin: Annotated[list[str] | None, typer.Option(help="Skins of neighbor lists.")] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Measure other programs beside.")] = False,
    peer: Annotated[list[str] | None, typer.Option(help="These other programs only.")] = None,
    peer_python: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH: the Python a peer is installed for.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads, and cores, for each.")] = 2,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of measuring.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only see that all works.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all of it.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables as Markdown.")] = None,
    plot: Annotated[Path | None, typer.Option(help="The folder to draw figures into.")] = None,
) -> None:
    """Measure speed and memory; names and numbers may be repeated or separated by commas."""
    settings = BenchmarkSettings(
        backends=tuple(_listed(backend)),
        strategies=tuple(_listed(strategy)),
        dtypes=tuple(_listed(dtype)),
        sizes=tuple(_numbers(sizes, int, "--sizes")),
        steps=tuple(_numbers(steps, int, "--steps")),
        skins=tuple(_numbers(skin, float, "--skin")),
        peers=tuple(_listed(peer)) if peers or peer else None,
        interpreters=_interpreters(peer_python),
        threads=threads,
        rounds=rounds,
        quick=quick,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    if plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise typer.BadParameter("needs pip install 'xpmd[viz]'", param_hint="--plot")
    names = _listed(suite) or [entry.name for entry in registry.list("benchmark")]
    for file in (json_file, markdown):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    reports: list[BenchmarkReport] = []
    for name in names:
        reports.append(_run(name, settings))
        _show(reports[-1])
        # A later suite may be interrupted: what has been measured is there.
        if json_file is not None:
            json_file.write_text(as_json(reports) + "\n", encoding="utf-8")
        if plot is not None:
            plot.mkdir(parents=True, exist_ok=True)
            for figure in reports[-1].figures:
                figure.draw(plot / f"{figure.name}.png")
        if markdown is not None:
            images = "" if plot is None else folder_from(markdown, plot)
            markdown.write_text(page(reports, images, quick=quick), encoding="utf-8")
    ratios = ratio_table(reports)
    if ratios is not None:
        _show_table(Console(), ratios)


def _listed(words: Sequence[str] | None) -> list[str]:
    """Return options that were repeated or separated by commas, one by one."""
    return [each.strip() for word in words or () for each in word.split(",") if each.strip()]


def _numbers(words: Sequence[str] | None, kind: type, option: str) -> list[Any]:
    try:
        found = [kind(word) for word in _listed(words)]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    if any(number <= 0 for number in found):
        raise typer.BadParameter(f"{found} must be positive", param_hint=option)
    return found


def _interpreters(words: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for word in _listed(words):
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise typer.BadParameter(
                f"'{word}' must be NAME=PATH, such as jax-md=/opt/jax-md/bin/python",
                param_hint="--peer-python",
            )
        found[name] = path
    return found


def _run(name: str, settings: BenchmarkSettings) -> BenchmarkReport:
    try:
        report = registry.create("benchmark", name).run(settings)
    except (ValueError, XpmdError) as error:
        raise typer.BadParameter(str(error), param_hint=f"benchmark {name}") from error
    assert isinstance(report, BenchmarkReport)
    return report


def _show(report: BenchmarkReport) -> None:
    console = Console()
    for table in report.tables:
        _show_table(console, table)
    for line in setting_lines(report.setting):
        typer.echo(line)


def _show_table(console: Console, table: BenchmarkTable) -> None:
    if console.is_terminal:
        console.print(_table(table))
        for note in table.notes:
            console.print(note, style="dim", markup=False)
    else:
        typer.echo(as_text(table) + "\n")


def _table(table: BenchmarkTable) -> Table:
    columns, rows = cells(table)
    shown = Table(title=escape(table.title))
    for column in columns:
        numeric = any(isinstance(row.get(column), (int, float)) for row in table.rows)
        shown.add_column(escape(column), justify="right" if numeric else "left")
    for row in rows:
        shown.add_row(*map(escape, row))
    return shown
