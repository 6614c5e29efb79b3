"""Ratios of the figures of a run as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xpmd.benchmark import BenchmarkReport, BenchmarkTable
from xpmd.benchmark_text import cell

COLUMNS = ("suite", "figure", "over", "result")
NOTES = (
    "`figure` over `over`, by what is in brackets; without `over`, the figure itself. All from the run "
    "that the tables below are of.",
)


def ratio_table(reports: Sequence[BenchmarkReport]) -> BenchmarkTable | None:
    """Return the ratios of all reports, `None` if there are none."""
    rows = tuple(
        {
            "suite": report.name,
            "figure": each.figure,
            "over": each.over,
            "result": _in_a_line(each.values, each.unit),
        }
        for report in reports
        for each in report.ratios
    )
    return BenchmarkTable("ratios", COLUMNS, rows, NOTES) if rows else None


def _in_a_line(values: Mapping[str, float], unit: str) -> str:
    words = [
        f"{cell(float(value))}{unit and ' '}{unit}" + (f" ({where})" if where else "")
        for where, value in values.items()
    ]
    return ", ".join(words)
