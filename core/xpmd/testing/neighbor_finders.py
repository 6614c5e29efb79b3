"""The checks of a neighbor finder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xpmd.neighbor_finder import NeighborFinder
from xpmd.testing import neighbor_checks
from xpmd.testing.backends_at_hand import backend_names
from xpmd.testing.check import Check, Report, run_checks, with_exemptions
from xpmd.testing.component_checks import component_checks


def neighbor_finder_checks(
    finder: NeighborFinder,
    *,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of a neighbor finder; arguments as for `check_neighbor_finder`."""
    if isinstance(finder, type) or not isinstance(finder, NeighborFinder):
        raise TypeError(f"`finder` = {finder!r} must be an instance of a md.NeighborFinder.")
    names = backend_names(finder, backends)
    each: dict[str, Callable[[NeighborFinder, str], None]] = {
        "complete": neighbor_checks.complete,
        "exclusions": neighbor_checks.exclusions,
        "overflow": neighbor_checks.overflow,
        "compilation": neighbor_checks.compilation,
        "gradients": neighbor_checks.gradients,
    }
    checks = component_checks(finder, ("build",))
    checks += [
        Check("plan", functools.partial(neighbor_checks.plan, finder, names)),
        Check("upkeep", functools.partial(neighbor_checks.upkeep, finder, names)),
    ]
    checks += [
        Check(f"{word}-{name}", functools.partial(run, finder, name))
        for name in names
        for word, run in each.items()
    ]
    return with_exemptions(checks, exempt)


def check_neighbor_finder(finder: NeighborFinder, **settings: Any) -> Report:
    """Check a neighbor finder on every installed backend.

    Every pair within its reach must be listed, in boxes of all kinds, for atoms that crowd, sit on the
    faces or lie outside; excluded pairs must not; a list that is too small must say so and grow; no
    gradient may flow into it; a run in which atoms move far must end as one with all pairs does.

    Args:
        finder: an instance.
        backends, exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(type(finder).__name__, neighbor_finder_checks(finder, **settings))
