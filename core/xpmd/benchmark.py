"""The contract of a benchmark: settings in, a report of tables and figures out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol


def _silent(message: str) -> None:
    return


@dataclass(frozen=True)
class BenchmarkSettings:
    """What a benchmark is asked to measure; what is left out, it chooses itself.

    Args:
        backends: names of backends.
        strategies: names of gradient strategies.
        dtypes: "float32", "float64".
        sizes: numbers of atoms.
        steps: numbers of steps.
        skins: skins of neighbor lists, where there are any.
        peers: names of other programs to measure beside, `None` for none, empty for all.
        interpreters: for a peer, the Python it is installed for, if it is another than this one.
        threads: threads, and cores, that each program gets.
        rounds: how often everything is measured, in turns.
        quick: measure little, to see that all works.
        tell: takes a line on what is going on.
    """

    backends: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    skins: tuple[float, ...] = ()
    peers: tuple[str, ...] | None = None
    interpreters: Mapping[str, str] = field(default_factory=dict)
    threads: int = 2
    rounds: int | None = None
    quick: bool = False
    tell: Callable[[str], None] = _silent


@dataclass(frozen=True)
class BenchmarkTable:
    """Results as rows.

    Args:
        title: what was measured.
        columns: names of the columns, units included.
        rows: values by column: numbers, words, or `None` where there is nothing to say.
        notes: sentences to be read with the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkRatio:
    """A figure over another of the same run, or by itself.

    Args:
        figure: what is compared.
        over: what it is compared with; "" if the value stands by itself.
        values: by the circumstances, such as the number of atoms: ratios, or values with a unit.
        unit: of the values; "" of ratios.
    """

    figure: str
    over: str
    values: Mapping[str, float]
    unit: str = ""


class BenchmarkFigure(Protocol):
    """A drawing of results."""

    @property
    def name(self) -> str:
        """What its file is called, without ending."""

    @property
    def title(self) -> str:
        """One line on what it shows."""

    def draw(self, path: Path) -> None:
        """Draw it into a file."""


@dataclass(frozen=True)
class BenchmarkReport:
    """What a benchmark found.

    Args:
        name: of the benchmark.
        tables: its results.
        figures: drawings of them.
        summary: what of it a page shows: tables in short, or none; the tables themselves if left out.
        setting: machine, versions and whatever else the results depend on.
        ratios: what results come to beside each other.
    """

    name: str
    tables: Sequence[BenchmarkTable]
    figures: Sequence[BenchmarkFigure] = ()
    summary: Sequence[BenchmarkTable] | None = None
    setting: Mapping[str, Any] = field(default_factory=dict)
    ratios: Sequence[BenchmarkRatio] = ()


class Benchmark(ABC):
    """Base of the benchmarks that `xpmd bench` runs; made without arguments."""

    #: One line on what is measured and how.
    description: ClassVar[str] = ""

    @abstractmethod
    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        """Measure.

        Raises:
            ValueError: a setting cannot be met; says which would do.
        """
