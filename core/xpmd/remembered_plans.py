"""Plans of neighbor lists that have served, for the next run of the same structure.

A plan is part of what compiled code is specialised on, so one that is found anew for every run would
make it compile again whenever an atom has one neighbor more. It would also cost a search of all pairs
on the host. A plan that turns out too small is enlarged on the way as always; one that has become far
too large is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from xpmd.neighbor_finder import EXACT, NeighborFinder
from xpmd.neighbor_list import NeighborList

#: How many structures are remembered.
MOST_PLANS = 64

_plans: OrderedDict[Hashable, Any] = OrderedDict()


def remembered_plan(structure: Hashable) -> Any:
    """Return the plan that last served a structure, `None` if there is none."""
    return _plans.get(structure)


def remember_plan(
    structure: Hashable, finder: NeighborFinder, plan: Any, neighbors: NeighborList
) -> None:
    """Keep a plan for the next run, unless it has far more room than the last list needed."""
    _plans.pop(structure, None)
    if plan is None or plan == EXACT or finder.is_wasteful(plan, neighbors):
        return
    _plans[structure] = plan
    while len(_plans) > MOST_PLANS:
        _plans.popitem(last=False)
