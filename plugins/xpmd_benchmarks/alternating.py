"""Times of several programs, taken in turns, so that what else the machine does hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from xpmd_benchmarks.remote import Engine, EngineError

#: Steps of the first, short runs.
SHORT = 20
#: A round of a program that takes longer than this many times its share is left out now and then.
_PATIENCE = 4.0
#: Seconds that a run is lengthened to at most, so that what it begins with does not count.
_LENGTHENED = 0.8
#: What is tried out runs for about so many seconds, so that lists are rebuilt as often as they will be.
_TRIAL = 0.15
#: How often.
_TRIALS = 2


def scaled(*columns: tuple[str, float | None, float]) -> dict[str, float | None]:
    """Return values by column, each times a factor; `None` stays what it is."""
    return {column: None if value is None else value * factor for column, value, factor in columns}


@dataclass
class Entrant:
    """One case of one program.

    Attributes:
        engine: the process it runs in.
        key: the name of the case there.
        words: what tells it from others, by column of a table.
        first: seconds of preparing it and of the first short run, compilation included.
        wall, processor: seconds a step, one number a round.
        peak_bytes: most memory of its process so far.
        memory: bytes it needed at most, beyond those before, when it was last weighed.
        found: what its last run returned.
        failure: why it is out, `None` if it is not.
    """

    engine: Engine
    key: str
    words: dict[str, Any]
    first: float | None = None
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    memory: int | None = None
    found: Any = None
    failure: str | None = None

    def prepare(self, task: dict[str, Any], steps: int = SHORT) -> None:
        """Make the case ready and run a few steps, if any."""
        try:
            self.first = self.engine.ask("prepare", key=self.key, task=task)["wall"]
            self.first += self._run(steps)[0] if steps else 0.0
        except EngineError as error:
            self.failure = str(error)

    def take(self, steps: int) -> None:
        """Measure one run; nothing, if something went wrong before."""
        if self.failure is not None:
            return
        try:
            wall, processor = self._run(steps)
        except EngineError as error:
            self.failure = str(error)
        else:
            self.wall.append(wall / steps)
            self.processor.append(processor / steps)

    def try_out(self, steps: int = SHORT) -> float:
        """Return the least seconds that a step takes once everything is compiled."""
        if self.failure is not None:
            return float("inf")
        try:
            taken = self._run(steps)[0]
            more = min(10, int(_TRIAL / taken)) * steps
            # More than once: a list that was too short, say, has everything compiled once again.
            return min(self._run(more)[0] for _ in range(_TRIALS)) / more if more else taken / steps
        except EngineError as error:
            self.failure = str(error)
            return float("inf")

    def weigh(self, steps: int) -> None:
        """Measure one run, and how much memory it takes."""
        if self.failure is not None:
            return
        try:
            answer = self.engine.ask("weigh", key=self.key, times=steps)
        except EngineError as error:
            self.failure = str(error)
            return
        self.wall.append(answer["wall"] / steps)
        self.processor.append(answer["processor"] / steps)
        self.found = answer["found"]
        before, peak = answer["before_bytes"], answer["peak_bytes"]
        self.memory = None if before is None or peak is None else max(peak - before, 0)

    def drop(self) -> None:
        """Forget the case."""
        if self.failure is None:
            self.engine.ask("drop", key=self.key)

    def _run(self, steps: int) -> tuple[float, float]:
        answer = self.engine.ask("run", key=self.key, times=steps)
        self.peak_bytes, self.found = answer["peak_bytes"], answer["found"]
        return answer["wall"], answer["processor"]

    @property
    def best(self) -> float | None:
        """The quickest round, seconds a step."""
        return min(self.wall, default=None)

    @property
    def median(self) -> float | None:
        """The median of the rounds, seconds a step."""
        return statistics.median(self.wall) if self.wall else None

    @property
    def processor_median(self) -> float | None:
        """The median of the processor time, seconds a step."""
        return statistics.median(self.processor) if self.processor else None


def in_turns(
    entrants: Sequence[Entrant],
    *,
    rounds: int,
    seconds: float,
    steps: int | None,
    tell: Callable[[str], None],
    most_steps: int = 20_000,
    least: int = SHORT,
    everyone: int = 2,
    steady: int = 0,
) -> None:
    """Measure each entrant once a round, beside what was measured of it before.

    Args:
        seconds: about what each gets a round; a slow one takes part in fewer rounds.
        steps: of a run; chosen to take `seconds` if left out, a multiple of `least`.
        everyone: in so many rounds all take part, however slow.
        steady: runs are lengthened to so many steps where that takes no longer than a second, for a run
            begins with a list and forces, which belong to no step.
    """
    plans = []
    for entrant in entrants:
        if entrant.failure is None:
            each = entrant.best or entrant.try_out(min(least, steps or least))
            wanted = max(seconds, min(_LENGTHENED, steady * each))
            length = steps or min(most_steps, max(least, round(wanted / each / least) * least))
            plans.append((entrant, length, min(1.0, _PATIENCE * seconds / (each * length))))
    for turn in range(rounds):
        tell(f"round {turn + 1} of {rounds}")
        for entrant, length, share in plans:
            due = turn < everyone or int((turn + 1) * share) > int(turn * share)
            if due and entrant.failure is None:
                entrant.take(length)


def with_ratios(rows: Sequence[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Return rows with the ratio of a column to its smallest value."""
    known = [row[column] for row in rows if row.get(column) is not None]
    least = min(known, default=None)
    return [
        {**row, "ratio": None if least is None or row.get(column) is None else row[column] / least}
        for row in rows
    ]
