"""Reports of benchmarks as one page of Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkReport
from xpmd.benchmark_ratios import ratio_table
from xpmd.benchmark_text import as_markdown

_INTRODUCTION = """\
# Benchmarks

What `make bench` found on the machine below; it wrote this page. Each program runs in a process of its
own, on the same cores, from the same states; they take turns, so that whatever else the machine does hits
all alike. Times are medians, after everything was compiled and run once. Ratios travel, times do not.
"""
_QUICK = """
**From a quick run that only sees whether all works: the numbers say nothing.**
"""
_AGAIN = """
To do it again, all or a part, beside programs that are installed, in a Python of their own if need be
(`xpmd bench --help` lists the options; `--json FILE` writes all numbers, of which this is a part):

```shell
make bench BENCH="--peer-python jax-md=PYTHON,torchmd=PYTHON,torch-sim=PYTHON"
xpmd bench --suite fluid --sizes 864 --backend jax --peers
```
"""
#: Paths of a machine, which say nothing on another.
_ROOTED = re.compile(r"(?<![\w.~-])/(?:[\w.+-]+/)+([\w.+-]*)")


def page(reports: Sequence[BenchmarkReport], images: str, *, quick: bool) -> str:
    """Return the page.

    Args:
        images: the folder of the figures as seen from the page; "" if there are none.
        quick: whether the numbers mean nothing.
    """
    parts = [_INTRODUCTION, *([_QUICK] if quick else []), _AGAIN, "\n"]
    parts += [f"- {line}\n" for line in _setting([report.setting for report in reports])]
    ratios = ratio_table(reports)
    if ratios is not None:
        parts.append(f"\n{as_markdown(ratios, level=2)}\n")
    for report in reports:
        parts += _section(report)
        if images:
            parts += [f"\n![{each.title}]({images}/{each.name}.png)\n" for each in report.figures]
    return _ROOTED.sub(r"\1", "".join(parts)).replace("\n\n\n", "\n\n")


def _section(report: BenchmarkReport) -> list[str]:
    """Return a report's tables under its name; a single one without a heading of its own."""
    tables = report.tables if report.summary is None else report.summary
    if len(tables) == 1:
        only = replace(tables[0], title=f"{report.name}: {tables[0].title}")
        return [f"\n{as_markdown(only, level=2, capital=False)}\n"]
    head = [f"\n## {report.name}\n"] if tables else []
    return head + [f"\n{as_markdown(table)}\n" for table in tables]


def _setting(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what all reports were made with, one thing a line; what differs as a range."""
    merged: dict[str, list[Any]] = {}
    versions: dict[str, Any] = {}
    for setting in settings:
        for name, value in setting.items():
            if isinstance(value, Mapping):
                versions |= value
            else:
                merged.setdefault(name.partition(" at the ")[0], []).append(value)
    lines = []
    for name, values in merged.items():
        known = sorted({value for value in values if value is not None}, key=_order)
        if known:
            lines.append(f"{name}: {known[0]}" + (f" to {known[-1]}" if len(known) > 1 else ""))
    lines.append("versions: " + ", ".join(f"{name} {value}" for name, value in versions.items()))
    return lines


def _order(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, (int, float))
    return number, value if number else str(value)


def folder_from(page_file: Path, folder: Path) -> str:
    """Return a folder as it is linked from a page."""
    import os

    return Path(os.path.relpath(folder.resolve(), page_file.resolve().parent)).as_posix()
