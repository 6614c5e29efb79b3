"""All programs on one fluid: who takes part, with which skin, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.admission import Program, admitted
from xpmd_benchmarks.alternating import Entrant, in_turns, with_ratios
from xpmd_benchmarks.backends import chosen_backends, chosen_dtypes
from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.fluid_states import CUTOFF, DENSITY, DT
from xpmd_benchmarks.peers import peers_for
from xpmd_benchmarks.remote import Engine

#: Rounds, and seconds a program gets in each.
ROUNDS, SECONDS = 7, 1.0
QUICK_ROUNDS, QUICK_SECONDS = 2, 0.05


def programs_for(settings: BenchmarkSettings) -> list[Program]:
    """Return the programs that are wanted, ours first.

    Raises:
        ValueError: there is no such backend, type or peer.
    """
    own = product(chosen_backends(settings), chosen_dtypes(settings))
    found: list[Program] = [(xpmd_fluid, xpmd_fluid.variant(*each), None) for each in own]
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
    """

    def __init__(
        self,
        settings: BenchmarkSettings,
        programs: Sequence[Program],
        state: Path,
        n_atoms: int,
        opened: ExitStack,
    ) -> None:
        self._settings, self._n_atoms, self._opened = settings, n_atoms, opened
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
        most = variant.get("most_atoms")
        if most is not None and self._n_atoms > most:
            return
        engine, versions, refusal = admitted(
            (module, variant, python), self._settings.threads, self._opened
        )
        self.versions |= versions
        if engine is None:
            self.absent.append({**words, "remark": refusal})
            return
        task = {**self.task, **variant["options"], "precision": variant["precision"]}
        self.ready.append((words, engine, task, self._skins(variant)))

    def _skins(self, variant: dict[str, Any]) -> tuple[float, ...]:
        """Return the skins to try, the usual one first; none if the program has no such setting."""
        skins = tuple(variant.get("skins", ()))
        if skins and self._settings.skins:
            return self._settings.skins
        # A list must not reach beyond half the box, where images begin.
        room = 0.99 * (self._n_atoms / DENSITY) ** (1 / 3) / 2 - CUTOFF
        fitting = tuple(skin for skin in skins if skin < room) or skins[:1]
        return fitting[:1] if self._settings.quick else fitting

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
            title = " ".join(map(str, words.values()))
            tried: list[tuple[float, Entrant]] = []
            for skin in skins or (None,):
                settings.tell(title if skin is None else f"{title}, skin {skin:g}")
                entrant = Entrant(engine, f"skin {skin}", {**words, "skin": skin})
                entrant.prepare({**task, "skin": skin})
                each = entrant.try_out() if len(skins) > 1 else 0.0
                tried.append((each, entrant))
            usual, (_, best) = tried[0][1], min(tried, key=lambda pair: pair[0])
            for _, entrant in tried:
                if entrant not in (usual, best):
                    entrant.drop()
            entrants += [usual] if best is usual else [usual, best]
        in_turns(
            entrants,
            rounds=settings.rounds or (QUICK_ROUNDS if quick else ROUNDS),
            seconds=QUICK_SECONDS if quick else SECONDS,
            steps=settings.steps[0] if settings.steps else None,
            tell=settings.tell,
        )
        return with_ratios([_row(each) for each in entrants], "ms a step") + self.absent


def _row(entrant: Entrant) -> dict[str, Any]:
    row = dict(entrant.words)
    for column, value, factor in (
        ("ms a step", entrant.median, 1e3),
        ("best", entrant.best, 1e3),
        ("CPU ms a step", entrant.processor_median, 1e3),
        ("first call s", entrant.first, 1.0),
        ("peak MiB", entrant.peak_bytes, 2.0**-20),
    ):
        row[column] = None if value is None else value * factor
    row["rounds"] = len(entrant.wall)
    if entrant.failure is not None:
        row["remark"] = entrant.failure
    return row
