"""Which skins are tried, and what is remembered of them at the next size."""

from __future__ import annotations

from xpmd.benchmark import BenchmarkSettings
from xpmd_benchmarks.skin_search import Known, skins_to_try

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
