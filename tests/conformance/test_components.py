"""The checks of every shipped component, one test each."""

from __future__ import annotations

import pytest

import xpmd as md
import xpmd.testing
from conformance.table import (
    BACKENDS,
    FINDERS,
    INTERACTIONS,
    ROWS,
    SIMULATORS,
    STRATEGIES,
    THERMOSTATS,
    cases,
)

KINDS = (
    "interaction",
    "simulator",
    "thermostat",
    "barostat",
    "neighbor_finder",
    "gradient_strategy",
    "backend",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_has_a_row(kind):
    listed = {entry.name for entry in md.plugins.list(kind) if entry.distribution != "local"}
    listed |= {"array_api_strict"} if kind == "backend" else set()
    have = {row.name for row in ROWS if row.kind == kind}
    assert sorted(listed - have) == [], "add a row to the table for each of these"
    assert sorted(have - listed) == []


def test_rows_are_of_the_class_that_is_registered():
    for row in ROWS:
        if row.kind != "backend":
            assert type(row.component) is md.plugins.get(row.kind, row.name)


@pytest.mark.parametrize("check", cases(INTERACTIONS))
def test_interaction(check):
    check()


@pytest.mark.parametrize("check", cases(SIMULATORS))
def test_simulator(check):
    check()


@pytest.mark.parametrize("check", cases(THERMOSTATS))
def test_thermostat(check):
    check()


@pytest.mark.parametrize("check", cases(FINDERS))
def test_neighbor_finder(check):
    check()


@pytest.mark.parametrize("check", cases(STRATEGIES))
def test_gradient_strategy(check):
    check()


@pytest.mark.parametrize("check", cases(BACKENDS, xpmd.testing.backend_checks))
def test_backend(check):
    check()
