"""The checks catch what is wrong with simulators, thermostats, finders, strategies and backends."""

from __future__ import annotations

import sys
import types
import warnings

import pytest

import xpmd as md
import xpmd.testing
from conformance import broken_movers as broken
from xpmd.testing import component_checks
from xpmd.testing.check import run_checks


def failures(check, component, **settings):
    """Return the names of the checks that fail, without backends, and the report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of divisions by zero, too
        with pytest.raises(xpmd.testing.ConformanceError) as caught:
            check(component, **settings)
    report = caught.value.report
    return {name.partition("-")[0] for name in report.failed}, str(report)


def without_temperature(thermostat, **settings):
    """Check a thermostat without the run of thousands of steps."""
    checks = xpmd.testing.thermostat_checks(thermostat, **settings)
    return run_checks("It", [check for check in checks if check.name != "temperature"])


@pytest.mark.parametrize("case", broken.SIMULATORS)
def test_simulators(case):
    cls, expected, words = broken.SIMULATORS[case]
    failed, report = failures(
        xpmd.testing.check_simulator, cls(**broken.SETTINGS), order=2, backends=["numpy"]
    )
    assert words in report, report
    assert failed == expected, report


@pytest.mark.parametrize("case", broken.THERMOSTATS)
def test_thermostats(case):
    cls, expected, words = broken.THERMOSTATS[case]
    failed, report = failures(
        xpmd.testing.check_thermostat if "temperature" in expected else without_temperature,
        cls(temperature=300.0),
        backends=["numpy"],
    )
    assert words in report, report
    assert failed == expected, report


@pytest.mark.parametrize("case", broken.FINDERS)
def test_neighbor_finders(case):
    cls, expected, words = broken.FINDERS[case]
    failed, report = failures(
        xpmd.testing.check_neighbor_finder, cls(cutoff=1.0), backends=["numpy"]
    )
    assert words in report, report
    assert failed == expected, report


def test_the_finder_that_the_broken_ones_are_made_of():
    report = xpmd.testing.check_neighbor_finder(broken.Finder(cutoff=1.0), backends=["numpy"])
    assert {"complete-numpy", "overflow-numpy", "upkeep"} <= set(report.passed)


def test_gradient_strategies():
    check = xpmd.testing.check_gradient_strategy
    failed, report = failures(check, broken.Doubling(), backends=["numpy"])
    assert failed == {"gradients"}
    assert "d(loss)/d(atoms.mass) on numpy = " in report
    failed, report = failures(check, broken.Restless(), backends=["numpy"])
    assert {"key"} <= failed
    assert "every gradient would compile anew" in report


@pytest.mark.parametrize(
    ("cls", "expected", "words"),
    [
        (broken.LastWins, {"index_add"}, "index_add: sums by row[4] = 32, and must be 37"),
        (broken.Detaching, {"kept_gradients"}, "kept_gradients: "),
    ],
)
def test_backends(monkeypatch, cls, expected, words):
    name = f"abacus_{cls.__name__}"  # backends are kept under their names
    module = types.ModuleType(name)
    module.Backend = type("Backend", (cls,), {"name": name})
    monkeypatch.setitem(sys.modules, name, module)
    with md.plugins.use(md.Component("backend", name, f"{name}:Backend")):
        failed, report = failures(xpmd.testing.check_backend, name)
    assert words in report, report
    assert failed == expected, report


BUSY = "import time\nend = time.process_time() + 0.1\nwhile time.process_time() < end: pass"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("weighty", "import array_api_strict", "imports array_api_strict: import them where they"),
        ("slow", BUSY, " s beyond xpmd and NumPy, allowed 0.05 s"),
        ("odd", "1 / 0", "odd_module cannot be imported on its own"),
    ],
)
def test_modules(tmp_path, monkeypatch, name, text, message):
    """A module that brings a library along, dawdles, or is not there by itself."""
    monkeypatch.setattr(component_checks, "IMPORT_LIMIT", 0.05)
    (tmp_path / f"{name}_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = types.ModuleType(f"{name}_module")
    namespace = {"__module__": module.__name__, "energy": lambda self, r, *, xp: r}
    module.Weighty = type("Weighty", (md.PairwiseInteraction,), namespace)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (check,) = [
        check
        for check in xpmd.testing.checks(module.Weighty(), backends=["numpy"])
        if check.name == "import_time"
    ]
    with pytest.raises(xpmd.testing.ConformanceError) as caught:
        check()
    assert message in str(caught.value)
