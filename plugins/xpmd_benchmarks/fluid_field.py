"""All programs on one fluid: who takes part, with which skin, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import Program, admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, scaled, with_ratios
from xpmd_benchmarks.backends import chosen_backends, dtypes_on
from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.fluid_states import CUTOFF, DT
from xpmd_benchmarks.peers import peers_for
from xpmd_benchmarks.remote import Engine
from xpmd_benchmarks.skin_search import Known, skins_to_try, usual_and_best

#: Rounds, and seconds a program gets in each.
ROUNDS, SECONDS = 3, 0.2
#: Steps of a run at least, where they take no longer than a second.
STEADY = 100
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.05
#: Unless it is asked for, a size at which a step would take longer is left out, seconds.
LONGEST_STEP = 0.2


def programs_for(settings: BenchmarkSettings) -> list[Program]:
    """Return the programs that are wanted, ours first.

    Raises:
        ValueError: there is no such backend, type or peer.
    """
    found: list[Program] = [
        (xpmd_fluid, xpmd_fluid.variant(backend, dtype), None)
        for backend in chosen_backends(settings)
        for dtype in dtypes_on(settings, backend)
    ]
    for module, python in peers_for(settings, "fluid"):
        variants = module.variants(settings.threads)
        found += [(module, each, python) for each in variants if "fluid" in each["tasks"]]
    return found


class Field:
    """Those that take part with a fluid.

    Args:
        programs: what `programs_for` returned.
        state: the file with the fluid.
        opened: closes the processes at the end.
        known: what was found of programs at another size; what is found here is added.
    """

    def __init__(
        self,
        settings: BenchmarkSettings,
        programs: Sequence[Program],
        state: Path,
        n_atoms: int,
        opened: ExitStack,
        known: dict[tuple[str, ...], Known],
    ) -> None:
        self._settings, self._n_atoms, self._opened = settings, n_atoms, opened
        self._known = known
        self.task = {
            "name": "fluid",
            "arrays": str(state),
            "cutoff": CUTOFF,
            "dt": DT,
            "threads": settings.threads,
        }
        self.versions: dict[str, str] = {}
        self.absent: list[dict[str, Any]] = []
        #: Words for a row, process, task without a skin, and the skins to try.
        self.ready: list[tuple[dict[str, Any], Engine, dict[str, Any], tuple[float, ...]]] = []
        for program in programs:
            self._admit(*program)

    def _admit(self, module: Any, variant: dict[str, Any], python: str | None) -> None:
        words = {
            "atoms": self._n_atoms,
            "program": module.NAME,
            "variant": variant["variant"],
            "precision": variant["precision"],
        }
        settings, most = self._settings, variant.get("most_atoms")
        if most is not None and self._n_atoms > most:
            return
        known = self._known.get(_name(words))
        expected = 0.0 if known is None else known.per_atom * self._n_atoms
        if expected > LONGEST_STEP and not settings.sizes:
            remark = f"left out: {expected:.1f} s a step; --sizes {self._n_atoms} does it"
            self.absent.append({**words, "remark": remark})
            return
        program = module, variant, python
        engine, versions, refusal = admitted(program, settings.threads, self._opened)
        self.versions |= versions
        if engine is None:
            self.absent.append({**words, "remark": refusal})
            return
        task = {**self.task, **variant["options"], "precision": variant["precision"]}
        skins = skins_to_try(settings, variant, self._n_atoms, known)
        self.ready.append((words, engine, task, skins))

    def cases(self) -> list[tuple[dict[str, Any], Engine, dict[str, Any]]]:
        """Return words, process and task of each, with its usual skin."""
        return [
            (words, engine, {**task, "skin": skins[0] if skins else None})
            for words, engine, task, skins in self.ready
        ]

    def measured(self) -> list[dict[str, Any]]:
        """Return a row for each program with its usual skin and one with its best."""
        settings, quick = self._settings, self._settings.quick
        entrants: list[Entrant] = []
        for words, engine, task, skins in self.ready:
            known = self._known.get(_name(words))
            entrants += usual_and_best(settings, engine, words, task, skins, known)
        in_turns(
            entrants,
            rounds=settings.rounds or (QUICK_ROUNDS if quick else ROUNDS),
            seconds=QUICK_SECONDS if quick else SECONDS,
            steps=settings.steps[0] if settings.steps else None,
            tell=settings.tell,
            steady=0 if quick else STEADY,
        )
        for one in entrants:
            if one.best is not None:
                name = _name(one.words)
                found = Known(self._n_atoms, one.best / self._n_atoms, one.words["skin"])
                self._known[name] = found.or_better(self._known.get(name))
        return with_ratios([_row(one) for one in entrants], "ms a step") + self.absent


def _name(words: dict[str, Any]) -> tuple[str, ...]:
    return words["program"], words["variant"], words["precision"]


def _row(entrant: Entrant) -> dict[str, Any]:
    row = dict(entrant.words)
    row |= scaled(
        ("ms a step", entrant.median, 1e3),
        ("best", entrant.best, 1e3),
        ("CPU ms a step", entrant.processor_median, 1e3),
        ("first call s", entrant.first, 1.0),
        ("peak MiB", entrant.peak_bytes, 2.0**-20),
    )
    row["rounds"] = len(entrant.wall)
    if entrant.failure is not None:
        row["remark"] = entrant.failure
    return row
