"""Which skins are tried, and what is remembered of them at the next size."""

from __future__ import annotations

import math

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.alternating import Entrant
from xpmd_benchmarks.skin_search import (
    LONGEST_LATER_SEARCH,
    LONGEST_SEARCH,
    READY,
    Known,
    _enough,
    skins_to_try,
)

VARIANT = {"skins": (0.3, 0.2, 0.4, 0.5)}


def test_the_usual_one_is_first_then_the_best_so_far():
    anyhow = BenchmarkSettings()
    assert skins_to_try(anyhow, VARIANT, 864, None) == (0.3, 0.2, 0.4, 0.5)
    assert skins_to_try(anyhow, VARIANT, 864, Known(256, 1.0, 0.5)) == (0.3, 0.5, 0.2, 0.4)
    assert skins_to_try(anyhow, VARIANT, 864, Known(256, 1.0, 0.3)) == (0.3, 0.2, 0.4, 0.5)
    assert skins_to_try(anyhow, {}, 864, None) == ()


def test_what_is_asked_for_and_what_fits():
    assert skins_to_try(BenchmarkSettings(skins=(0.7,)), VARIANT, 864, None) == (0.7,)
    assert skins_to_try(BenchmarkSettings(quick=True), VARIANT, 864, None) == (0.3,)
    # Half of the box of 108 atoms is 2.56.
    assert skins_to_try(BenchmarkSettings(), VARIANT, 108, None) == (0.3,)


def test_the_quicker_of_two_with_as_many_atoms_is_remembered():
    slow, quick, other = Known(864, 2.0, 0.3), Known(864, 1.0, 0.5), Known(256, 0.5, 0.2)
    assert slow.or_better(quick) == quick.or_better(slow) == quick
    assert slow.or_better(other) == slow.or_better(None) == slow


def test_two_skins_are_tried_unless_the_program_is_long_in_getting_ready():
    def ready_after(seconds, skin):
        return Entrant(None, "", {"skin": skin}, first=seconds)

    known, quick, slow = (
        Known(864, 1.0, 0.3),
        ready_after(READY / 2, 0.3),
        ready_after(2 * READY, 0.3),
    )
    assert _enough(None, []) == _enough(known, []) == math.inf
    assert _enough(known, [quick]) == _enough(None, [quick]) == math.inf
    assert _enough(known, [slow]) == _enough(known, [quick, quick]) == LONGEST_LATER_SEARCH
    assert _enough(None, [slow]) == LONGEST_SEARCH
    # The best at another size is always tried.
    assert _enough(known, [ready_after(2 * READY, 0.5)]) == math.inf
