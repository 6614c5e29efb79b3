"""All programs on the gradient of one system: who takes part, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import Admission, Program, admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, with_ratios
from xpmd_benchmarks.backends import chosen_backends, chosen_dtypes
from xpmd_benchmarks.engines import xpmd_gradient
from xpmd_benchmarks.fluid_states import CUTOFF, DT
from xpmd_benchmarks.gradient_rows import expected_gradients, gradient_row
from xpmd_benchmarks.peers import peers_for
from xpmd_benchmarks.remote import Engine

STRATEGIES = ("reverse", "checkpointed", "reversible", "forward")
#: Up to so many atoms all pairs are looked at.
ALL_PAIRS = 200
#: Skin of the neighbor lists.
SKIN = 0.4
#: Rounds, and seconds a program gets in each.
ROUNDS, SECONDS = 2, 0.1
QUICK_ROUNDS, QUICK_SECONDS = 1, 0.01
#: A run that takes longer than this is measured once, seconds.
ONCE = 1.0
#: Of a program whose runs take longer, one strategy is measured unless more are asked for, seconds.
LONGEST = 3.0
#: A number of steps that would take longer is left out unless it is asked for, seconds.
LONGEST_OF_ALL = 10.0
#: Of a program that takes longer to compile, one strategy is measured unless more are asked for, seconds.
LONGEST_FIRST = 15.0
#: Seconds of a run alone, and first over second run, by which one sees that nothing is compiled.
SLOW, COMPILED = 0.3, 1.5


def programs_for(settings: BenchmarkSettings, n_atoms: int) -> list[Program]:
    """Return the programs that are wanted, ours first: small ones in double precision, others in single.

    Raises:
        ValueError: there is no such backend, type, strategy or peer.
    """
    from xpmd.gradient_strategy import resolve_strategy

    strategies = settings.strategies or STRATEGIES
    for name in strategies:
        resolve_strategy(name)
    usual = ["float64"] if n_atoms <= ALL_PAIRS else ["float32"]
    dtypes = chosen_dtypes(settings) if settings.dtypes else usual
    own = product(chosen_backends(settings), dtypes, strategies)
    found: list[Program] = [(xpmd_gradient, xpmd_gradient.variant(*each), None) for each in own]
    for module, python in peers_for(settings, "gradient"):
        found += [
            (module, each, python)
            for each in module.variants(settings.threads)
            if "gradient" in each["tasks"] and each["precision"] in dtypes
        ]
    return found


class GradientField:
    """Those that take part with a system.

    Args:
        programs: what `programs_for` returned.
        state: the file with the system.
        opened: closes the processes at the end.
    """

    def __init__(
        self,
        settings: BenchmarkSettings,
        programs: Sequence[Program],
        state: Path,
        n_atoms: int,
        steps: Sequence[int],
        opened: ExitStack,
    ) -> None:
        self._settings, self._steps, self._opened = settings, sorted(steps), opened
        self._words = {"atoms": n_atoms}
        skin = None if n_atoms <= ALL_PAIRS else (settings.skins or (SKIN,))[0]
        base = {"arrays": str(state), "cutoff": CUTOFF, "dt": DT, "skin": skin, "name": "gradient"}
        self._task = {**base, "threads": settings.threads}
        self.versions: dict[str, str] = {}
        self._absent: list[dict[str, Any]] = []
        #: One process for all strategies of a program: much of what they import and compile is the same.
        self._admitted: dict[tuple[str, ...], Admission] = {}
        #: Seconds of a run with the derivative, of programs that take long.
        self._slow: dict[tuple[str, str], float] = {}
        #: The run, and the run with its derivative.
        self._pairs: list[tuple[Entrant, Entrant]] = []
        for program in programs:
            self._admit(program)

    def _admit(self, program: Program) -> None:
        module, variant, _ = program
        words = {
            **self._words,
            "program": module.NAME,
            "variant": variant["variant"],
            "precision": variant["precision"],
            "strategy": variant["strategy"],
        }
        slow = self._slow.get((module.NAME, variant["variant"]))
        if slow is not None and not self._settings.strategies:
            remark = "left out: the first run with another took long; --strategy names it"
            self._absent.append({**words, "remark": remark})
            return
        key = (module.NAME, variant["variant"], variant["precision"])
        if key not in self._admitted:
            self._admitted[key] = admitted(program, self._settings.threads, self._opened)
        engine, versions, refusal = self._admitted[key]
        self.versions |= versions
        if engine is None:
            self._absent.append({**words, "remark": refusal})
            return
        task = {**self._task, **variant["options"], "precision": variant["precision"]}
        each = 0.0
        for n_steps in self._steps:
            row = {**words, "steps": n_steps}
            if each * n_steps > LONGEST_OF_ALL and not self._settings.steps:
                remark = f"left out: {each * n_steps:.0f} s a run; --steps {n_steps} does it"
                self._absent.append({**row, "remark": remark})
                continue
            self._settings.tell(" ".join(map(str, row.values())))
            alone = self._entrant(engine, task, row, derivative=False, warm_up=True)
            # Who is slow without a derivative and has compiled nothing gains little by a second run.
            taken = alone.best or 0.0
            warm_up = taken < SLOW or (alone.first or 0.0) > COMPILED * taken
            whole = self._entrant(engine, task, row, derivative=True, warm_up=warm_up)
            each = (whole.best or 0.0) / n_steps
            if n_steps == self._steps[0]:
                first = whole.first or 0.0
                longest = first if first > LONGEST_FIRST else each * n_steps
                if longest > LONGEST:
                    self._slow[module.NAME, variant["variant"]] = longest
            self._pairs.append((alone, whole))

    def _entrant(
        self,
        engine: Engine,
        task: dict[str, Any],
        row: dict[str, Any],
        *,
        derivative: bool,
        warm_up: bool,
    ) -> Entrant:
        entrant = Entrant(engine, f"{row['strategy']} {row['steps']} {derivative}", row)
        each = {**task, "n_steps": row["steps"], "derivative": derivative}
        entrant.prepare(each, int(warm_up))
        entrant.weigh(1)
        return entrant

    def measured(self) -> list[dict[str, Any]]:
        """Return a row for each program and number of steps."""
        settings, quick = self._settings, self._settings.quick
        in_turns(
            [each for pair in self._pairs for each in pair if (pair[1].best or 0.0) < ONCE],
            rounds=settings.rounds or (QUICK_ROUNDS if quick else ROUNDS),
            seconds=QUICK_SECONDS if quick else SECONDS,
            steps=None,
            tell=settings.tell,
            least=1,
            everyone=1,
        )
        expected = expected_gradients(
            self._task, {pair[0].words["steps"] for pair in self._pairs}, settings.threads
        )
        rows = [gradient_row(*pair, expected[pair[0].words["steps"]]) for pair in self._pairs]
        found: list[dict[str, Any]] = []
        for n_steps in self._steps:
            same = [row for row in rows if row["steps"] == n_steps]
            found += with_ratios(same, "ms a step")
        return found + self._absent
