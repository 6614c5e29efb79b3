"""The checks catch what is wrong with an interaction, and say so in numbers and words."""

from __future__ import annotations

import warnings

import pytest

import xpmd as md
import xpmd.testing
from conformance.broken_interactions import CASES, TwoWheres


def failures(component, **settings):
    """Return the report of a component that must fail."""
    with warnings.catch_warnings():
        # NumPy warns of the NaN, too; it is the check that has to find it.
        warnings.simplefilter("ignore")
        with pytest.raises(xpmd.testing.ConformanceError) as caught:
            xpmd.testing.check_interaction(component, n_atoms=5, **settings)
    return caught.value.report


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_caught(case):
    component, backend, expected, words = CASES[case]
    report = failures(component, backends=[backend])
    failed = {name.partition("-")[0] for name in report.failed}
    if expected == {"fields"}:
        assert "fields" in failed  # nothing can be computed with it at all
    else:
        assert failed == expected
    for word in words:
        assert word in str(report), str(report)


def test_the_remedy_of_one_where_passes():
    report = xpmd.testing.check_interaction(TwoWheres(), n_atoms=5, backends=["numpy", "torch"])
    assert {"sweep-numpy", "sweep-torch", "nearby-torch"} <= set(report.passed)


def test_the_error_lists_every_failure_with_its_numbers():
    report = failures(CASES["places"][0], backends=["numpy", "torch"])
    lines = str(report).splitlines()
    made = len(report.passed) + len(report.failed)
    assert lines[0] == f"Placed failed 4 of {made} checks:"
    assert [line.split(":")[0].strip() for line in lines[1:5]] == [
        "third_law",
        "translation",
        "rotation",
        "lattice_shift",
    ]
    assert "forces-torch" in report.passed


def test_what_was_not_tried_is_said():
    report = xpmd.testing.check_interaction(
        md.create("interaction", "HarmonicBond", atoms=[[0, 1]], k=3.0, r0=0.2),
        backends=["numpy", "torch"],
    )
    assert report.skipped["compilation-numpy"] == "numpy compiles nothing."
    assert "Not made:" in str(report)
    assert not report.failed


def test_a_backend_that_cannot_be_used_is_named(monkeypatch):
    component = md.Component("backend", "abacus", "abacus.backend:Backend")
    with md.plugins.use(component):
        report = xpmd.testing.check_interaction(
            md.create("interaction", "HarmonicBond", atoms=[[0, 1]], k=3.0, r0=0.2),
            backends=["abacus", "numpy"],
        )
    assert "checks on abacus: The backend 'abacus' of local - could not be loaded" in str(report)
    assert "forces-numpy" in report.passed


def test_exemptions_are_held_to_account():
    reasons = dict.fromkeys(("third_law", "translation", "rotation", "lattice_shift"), "an anchor")
    report = xpmd.testing.check_interaction(
        CASES["places"][0], n_atoms=5, backends=["numpy"], exempt=reasons
    )
    assert report.skipped["translation"] == "exempt: an anchor"
    with pytest.raises(xpmd.testing.ConformanceError, match=r"'permutation' .* it holds: drop the"):
        xpmd.testing.check_interaction(
            CASES["places"][0],
            n_atoms=5,
            backends=["numpy"],
            exempt={**reasons, "permutation": "no reason"},
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exempt": {"trnslation": "x"}}, "there is no such check. Did you mean 'translation'?"),
        ({"exempt": {"translation": " "}}, "must say why the check cannot hold"),
        ({"backends": ["abacus"]}, "['abacus'] are none of ['numpy', "),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError) as caught:
        xpmd.testing.check_interaction(CASES["places"][0], **settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("wrong", [CASES["places"][0].__class__, 3.0, "LennardJones"])
def test_what_is_no_instance(wrong):
    with pytest.raises(TypeError):
        xpmd.testing.checks(wrong)


def test_checks_are_named_for_pytest():
    checks = xpmd.testing.checks(CASES["places"][0], backends=["numpy", "torch"])
    names = [check.__name__ for check in checks]
    assert len(names) == len(set(names))
    assert {"third_law", "forces-numpy", "forces-torch", "agreement-torch"} <= set(names)
    assert "agreement-numpy" not in names  # nothing to compare it with


def test_registered_backends_are_respected(monkeypatch):
    import sys
    import types

    module = types.ModuleType("only_torch")
    module.Only = type(CASES["places"][0])
    monkeypatch.setitem(sys.modules, "only_torch", module)
    entry = md.Component("interaction", "Placed", "only_torch:Only", backends=("torch",))
    with md.plugins.use(entry):
        names = [check.name for check in xpmd.testing.checks(CASES["places"][0])]
    assert {name.partition("-")[2] for name in names} == {"", "torch"}
