"""The best skin of a program's neighbor list, beside its usual one."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.alternating import Entrant
from xpmd_benchmarks.fluid_states import CUTOFF, DENSITY
from xpmd_benchmarks.remote import Engine

#: Seconds after which no further skin is tried; and once the best at another size has been.
LONGEST_SEARCH, LONGEST_LATER_SEARCH = 15.0, 3.0
#: A program that was ready within so many seconds tries two skins at each size.
READY = 10.0


class Known(NamedTuple):
    """What was found of a program with a number of atoms.

    Attributes:
        n_atoms: that number.
        per_atom: seconds an atom and step.
        skin: the best, `None` if it has no such setting.
    """

    n_atoms: int
    per_atom: float
    skin: float | None

    def or_better(self, other: Known | None) -> Known:
        """Return this, or the other if that is quicker with as many atoms."""
        if other is None or other.n_atoms != self.n_atoms or other.per_atom > self.per_atom:
            return self
        return other


def skins_to_try(
    settings: BenchmarkSettings, variant: Mapping[str, Any], n_atoms: int, known: Known | None
) -> tuple[float, ...]:
    """Return the usual skin, then that which was the best at another size, then others.

    Args:
        variant: of the program; there are no skins if it has no such setting.
    """
    skins = tuple(variant.get("skins", ()))
    if skins and settings.skins:
        return settings.skins
    # A list must not reach beyond half the box, where images begin.
    room = 0.99 * (n_atoms / DENSITY) ** (1 / 3) / 2 - CUTOFF
    fitting = tuple(skin for skin in skins if skin < room) or skins[:1]
    if settings.quick:
        return fitting[:1]
    others = sorted(fitting[1:], key=lambda skin: known is None or skin != known.skin)
    return fitting[:1] + tuple(others)


def usual_and_best(
    settings: BenchmarkSettings,
    engine: Engine,
    words: dict[str, Any],
    task: dict[str, Any],
    skins: Sequence[float],
    known: Known | None,
) -> list[Entrant]:
    """Return a program with its usual skin and, if that is another, with its best."""
    title = " ".join(map(str, words.values()))
    tried: list[tuple[float, Entrant]] = []
    began = time.perf_counter()
    for skin in skins or (None,):
        enough = _enough(known, [each for _, each in tried])
        if time.perf_counter() - began > enough and not settings.skins:
            break
        settings.tell(title if skin is None else f"{title}, skin {skin:g}")
        entrant = Entrant(engine, f"skin {skin}", {**words, "skin": skin})
        entrant.prepare({**task, "skin": skin})
        tried.append((entrant.try_out() if len(skins) > 1 else 0.0, entrant))
    usual, (_, best) = tried[0][1], min(tried, key=lambda pair: pair[0])
    for _, entrant in tried:
        if entrant not in (usual, best):
            entrant.drop()
    return [usual] if best is usual else [usual, best]


def _enough(known: Known | None, tried: Sequence[Entrant]) -> float:
    """Return the seconds after which some skins are enough: the best at another size must be one."""
    skins = [each.words["skin"] for each in tried]
    if not tried or (known is not None and known.skin not in skins):
        return math.inf
    if len(tried) == 1 and (tried[0].first or math.inf) < READY:
        return math.inf
    return LONGEST_SEARCH if known is None else LONGEST_LATER_SEARCH
