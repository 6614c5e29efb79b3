"""Reports of benchmarks as text: aligned columns, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from xpmd.benchmark import BenchmarkReport, BenchmarkTable
from xpmd.text_table import text_table


def cell(value: Any) -> str:
    """Return a value as it stands in a table; numbers to three digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        if value != 0 and not 1e-3 <= abs(value) < 1e6:
            return f"{value:.1e}"
        digits = 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 3
        return f"{value:.{max(digits, 0)}f}"
    return str(value)


def shown_columns(table: BenchmarkTable) -> list[str]:
    """Return the columns in which any row has something."""
    return [name for name in table.columns if any(cell(row.get(name)) for row in table.rows)]


def cells(table: BenchmarkTable) -> tuple[list[str], list[list[str]]]:
    """Return the shown columns and the rows' cells."""
    columns = shown_columns(table)
    return columns, [[cell(row.get(name)) for name in columns] for row in table.rows]


def as_text(table: BenchmarkTable) -> str:
    """Return a table with aligned columns."""
    columns, rows = cells(table)
    return "\n".join([table.title, "", text_table(columns, rows), "", *table.notes])


def as_markdown(table: BenchmarkTable, level: int = 3, *, capital: bool = True) -> str:
    """Return a table in Markdown, its title as a heading of a level."""
    columns, rows = cells(table)
    lines = [columns, ["---"] * len(columns), *rows]
    body = ["| " + " | ".join(word.replace("|", "\\|") for word in line) + " |" for line in lines]
    title = table.title[:1].upper() + table.title[1:] if capital else table.title
    return "\n".join([f"{'#' * level} {title}", "", *body, "", *table.notes])


def as_json(reports: Sequence[BenchmarkReport]) -> str:
    """Return reports as JSON, without their figures."""
    found = [
        {
            "name": report.name,
            "setting": dict(report.setting),
            "tables": [asdict(table) for table in report.tables],
            "ratios": [asdict(each) for each in report.ratios],
        }
        for report in reports
    ]
    return json.dumps({"benchmarks": found}, indent=2)


def setting_lines(setting: Mapping[str, Any]) -> list[str]:
    """Return machine and versions, one thing a line."""
    lines = []
    for name, value in setting.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        lines.append(f"{name}: {value}")
    return lines
