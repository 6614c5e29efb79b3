"""The checks of a component of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
from xpmd.coupling import Coupling
from xpmd.general import GeneralInteraction
from xpmd.gradient_strategy import GradientStrategy
from xpmd.neighbor_finder import NeighborFinder
from xpmd.pairwise import PairwiseInteraction
from xpmd.simulator import Simulator
from xpmd.specific import SpecificInteraction
from xpmd.testing.backends import backend_checks
from xpmd.testing.check import Check
from xpmd.testing.gradient_strategies import gradient_strategy_checks
from xpmd.testing.interactions import interaction_checks
from xpmd.testing.neighbor_finders import neighbor_finder_checks
from xpmd.testing.simulators import simulator_checks
from xpmd.testing.thermostats import thermostat_checks

_MAKERS: list[tuple[tuple[type, ...], Callable[..., list[Check]]]] = [
    ((PairwiseInteraction, SpecificInteraction, GeneralInteraction), interaction_checks),
    ((Simulator,), simulator_checks),
    ((Coupling,), thermostat_checks),
    ((NeighborFinder,), neighbor_finder_checks),
    ((GradientStrategy,), gradient_strategy_checks),
]


def checks(component: Any, **settings: Any) -> list[Check]:
    """Return the checks of a component, each to be called without arguments.

    Args:
        component: an instance of an interaction, simulator, thermostat, neighbor finder or gradient
            strategy, or a backend.
        settings: as for the `check_...` of its kind.

    Raises:
        TypeError: there are no checks for a component of this kind.
    """
    for kinds, make in _MAKERS:
        if isinstance(component, kinds):
            return make(component, **settings)
    if isinstance(component, Backend):
        return backend_checks(component.name, **settings)
    if isinstance(component, type):
        raise TypeError(f"Pass an instance, {component.__name__}(...), not the class.")
    kinds_known = ", ".join(kind.__name__ for kinds, _ in _MAKERS for kind in kinds)
    raise TypeError(
        f"There are no checks for {component!r}; there are for instances of {kinds_known} and Backend. "
        "For a function of a System see `observable_checks`."
    )
