"""Long tables in short: a row for each program, a column for each thing that was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xpmd.benchmark import BenchmarkTable


class Summary:
    """A table that is filled cell by cell; rows and columns stand in the order they first appear.

    Args:
        index: columns of the long table that tell rows apart.
    """

    def __init__(self, *index: str) -> None:
        self._index = index
        self._columns: dict[str, None] = {}
        self._rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._refused: dict[str, None] = {}

    def put(self, row: Mapping[str, Any], column: str, value: Any) -> None:
        """Put a value of a row of the long table; of several numbers the least stays."""
        words = tuple(row.get(name) for name in self._index)
        if row.get("remark"):
            name = " ".join(str(row.get(part)) for part in self._index if row.get(part))
            self._refused[f"{name}: {row['remark']}."] = None
        if value is None:
            return
        self._columns[column] = None
        cells = self._rows.setdefault(words, {})
        old = cells.get(column)
        cells[column] = value if old is None else min(old, value)

    def table(self, title: str, notes: Sequence[str] = ()) -> BenchmarkTable:
        """Return the table; what could not be measured is in its notes, each reason once."""
        rows = tuple(
            {**dict(zip(self._index, words, strict=True)), **cells}
            for words, cells in self._rows.items()
        )
        columns = (*self._index, *self._columns)
        return BenchmarkTable(title, columns, rows, (*notes, *_in_short(self._refused)))


def _in_short(sentences: Iterable[str]) -> list[str]:
    """Return sentences, those that end alike in one: "A, B: not installed."."""
    heads: dict[str, list[str]] = {}
    for sentence in sentences:
        head, _, reason = sentence.partition(": ")
        heads.setdefault(reason, []).append(head)
    return [f"{', '.join(each)}: {reason}" for reason, each in heads.items()]
