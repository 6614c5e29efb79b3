"""Ratios between rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from xpmd.benchmark import BenchmarkRatio

Words = Mapping[str, Any]


class Side(NamedTuple):
    """One of two programs.

    Attributes:
        label: what it is called.
        words: what its rows say, by column.
    """

    label: str
    words: Words


def values_of(rows: Sequence[Words], column: str, words: Words) -> list[float]:
    """Return the values of a column in the rows that say certain words."""
    return [
        row[column]
        for row in rows
        if row.get(column) is not None and all(row.get(key) == each for key, each in words.items())
    ]


def ratio(
    rows: Sequence[Words],
    column: str,
    figure: Side,
    over: Side,
    circumstances: Mapping[str, Words],
) -> list[BenchmarkRatio]:
    """Return the ratio of two programs in each of some circumstances, if both were measured in any.

    Args:
        column: what is compared; of several rows the least counts.
        circumstances: what rows of both say, by the name for it.
    """
    values = {}
    for where, words in circumstances.items():
        top = values_of(rows, column, {**figure.words, **words})
        bottom = values_of(rows, column, {**over.words, **words})
        if top and bottom:
            values[where] = min(top) / min(bottom)
    return [BenchmarkRatio(figure.label, over.label, values)] if values else []


def standing(
    rows: Sequence[Words],
    column: str,
    figure: Side,
    circumstances: Mapping[str, Words],
    *,
    over: str = "",
    unit: str = "",
    choose: Callable[[Sequence[float]], float] = min,
) -> list[BenchmarkRatio]:
    """Return a column's values by themselves, if any was measured.

    Args:
        over: what they are over, if the column is a ratio already.
        choose: makes one value of those of several rows.
    """
    found = {
        where: values_of(rows, column, {**figure.words, **words})
        for where, words in circumstances.items()
    }
    values = {where: choose(each) for where, each in found.items() if each}
    return [BenchmarkRatio(figure.label, over, values, unit)] if values else []
