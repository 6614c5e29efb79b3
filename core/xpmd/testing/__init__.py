"""The checks a component has to pass, for those who write one.

    import xpmd as md
    import xpmd.testing

    xpmd.testing.check_interaction(Buckingham(), atoms=md.Atoms(A=1e5, B=35.0, C=2e-3))

makes all of them and raises one error that lists what failed, with numbers. With pytest each check is
a test of its own name:

    @pytest.mark.parametrize("check", xpmd.testing.checks(Buckingham(), atoms=...))
    def test_buckingham(check):
        check()

Nothing beyond xpmd itself is needed. Backends that are not installed are left out, and reported so.
"""

from xpmd.testing.any_component import checks
from xpmd.testing.backends import backend_checks, check_backend
from xpmd.testing.check import Check, ConformanceError, Report
from xpmd.testing.gradient_strategies import check_gradient_strategy, gradient_strategy_checks
from xpmd.testing.interactions import check_interaction, interaction_checks
from xpmd.testing.neighbor_finders import check_neighbor_finder, neighbor_finder_checks
from xpmd.testing.observables import check_observable, observable_checks
from xpmd.testing.simulators import check_simulator, simulator_checks
from xpmd.testing.thermostats import check_thermostat, thermostat_checks

__all__ = [
    "Check",
    "ConformanceError",
    "Report",
    "backend_checks",
    "check_backend",
    "check_gradient_strategy",
    "check_interaction",
    "check_neighbor_finder",
    "check_observable",
    "check_simulator",
    "check_thermostat",
    "checks",
    "gradient_strategy_checks",
    "interaction_checks",
    "neighbor_finder_checks",
    "observable_checks",
    "simulator_checks",
    "thermostat_checks",
]
