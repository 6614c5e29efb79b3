"""Runs that cannot start, names that nobody knows, and forces that are not finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from four_atoms import COORDS, system
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet
from xpmd_thermostats import RescaleThermostat

STEPS = {"negative": -1, "half": 1.5, "NaN": math.nan, "inf": math.inf, "word": "ten", "list": [1]}


@pytest.mark.parametrize("case", STEPS)
def test_numbers_of_steps(case: str) -> None:
    n_steps = STEPS[case]
    with pytest.raises(ValueError) as caught:
        md.simulate(system(), VelocityVerlet(dt=0.002), n_steps)
    assert str(caught.value) == f"`n_steps` = {n_steps!r} must be a whole number, zero or positive."


def run(**options: Any) -> Any:
    return md.simulate(system(), VelocityVerlet(dt=0.002), 1, **options)


RUNS = {
    "function for an observable": (
        lambda: run(observe={"rg": md.radius_of_gyration}),
        TypeError,
        r"`observe\['rg'\]` = .* must be md.Observe\(function, every=...\)",
    ),
    "class for an observable": (
        lambda: run(observe={"rg": md.Observe}),
        TypeError,
        r"`observe\['rg'\]` = .* must be md.Observe\(function, every=...\)",
    ),
    "list of observables": (
        lambda: run(observe=[md.Observe(md.radius_of_gyration)]),
        TypeError,
        r"`observe` = \[Observe.*\] must be a dict, such as \{'rg': md.Observe\(...\)\}",
    ),
    "number for a function": (
        lambda: md.Observe(3),
        TypeError,
        "`function` = 3 must be callable with a System",
    ),
    "every": (
        lambda: md.Observe(md.radius_of_gyration, every=0),
        ValueError,
        "`every` = 0 must be a whole number, at least 1",
    ),
    "every half": (
        lambda: md.Observe(md.radius_of_gyration, every=1.5),
        ValueError,
        "`every` = 1.5 must be a whole number, at least 1",
    ),
    "start": (
        lambda: run(start_step=-1),
        ValueError,
        "`start_step` = -1 must be a whole number, zero or positive",
    ),
    "reporter": (
        lambda: run(reporters=[print]),
        TypeError,
        "`reporters`: .*print.* must be an instance of a md.Reporter",
    ),
    "finder": (
        lambda: DistanceNeighborFinder(cutoff=1.0, every=0),
        ValueError,
        "`every` = 0 must be a whole number, at least 1",
    ),
    "class for a simulator": (
        lambda: md.simulate(system(), VelocityVerlet, 1),
        TypeError,
        r"`simulator` = .* must be an instance of a simulator, such as VelocityVerlet\(dt=0.002\)",
    ),
    "class for a coupling": (
        lambda: VelocityVerlet(dt=0.1, coupling=RescaleThermostat),
        TypeError,
        r"`coupling` = .*RescaleThermostat.* must be thermostats or barostats \(instances\)",
    ),
    "word for a coupling": (
        lambda: VelocityVerlet(dt=0.1, coupling=["rescale"]),
        TypeError,
        "`coupling` = 'rescale' must be thermostats or barostats",
    ),
    "coordinates for a system": (
        lambda: md.simulate(COORDS, VelocityVerlet(dt=0.1), 1),
        TypeError,
        r"(?s)`system` = array.* must be a System",
    ),
    "class for a strategy": (
        lambda: run(gradient=md.GradientStrategy),
        TypeError,
        r"must be the name of a gradient strategy or an instance.*plugins.list\('gradient_strategy'",
    ),
}


@pytest.mark.parametrize("case", RUNS)
def test_runs_that_cannot_start(case: str) -> None:
    call, error, message = RUNS[case]
    with pytest.raises(error, match=message):
        call()


NAMES = {
    "interaction": (
        lambda: md.plugins.get("interaction", "LenardJones"),
        r"'LenardJones' is no known interaction\. Did you mean 'LennardJones'\?",
        ["LennardJones", "Coulomb", "HarmonicBond"],
    ),
    "case of letters": (
        lambda: md.create("thermostat", "rescalethermostat", temperature=300.0),
        "Did you mean 'RescaleThermostat'",
        ["RescaleThermostat", "BerendsenThermostat", "AndersenThermostat"],
    ),
    "strategy": (
        lambda: run(gradient="revers"),
        r"'revers' is no known gradient_strategy\. Did you mean 'reverse'\?",
        ["reverse", "finite_difference"],
    ),
    "strategy of a loss": (
        lambda: md.grad(lambda x: x * x, "revers")(1.0),
        r"'revers' is no known gradient_strategy\. Did you mean 'reverse'\?",
        ["reverse", "finite_difference"],
    ),
    "backend": (
        lambda: md.backend("pytorch"),
        r"'pytorch' is no known backend\. Did you mean 'torch'\?",
        ["numpy", "torch", "jax", "cupy"],
    ),
    "kind": (
        lambda: md.plugins.get("thermostats", "RescaleThermostat"),
        r"'thermostats' is no known kind\. Did you mean 'thermostat'\?",
        ["thermostat", "simulator", "neighbor_finder"],
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_unknown_names(case: str) -> None:
    call, message, known = NAMES[case]
    with pytest.raises(ValueError, match=message) as caught:
        call()
    listed = str(caught.value).partition("Known: ")[2].rstrip(".").split(", ")
    assert set(known) <= set(listed)


def test_unknown_settings() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'temp'") as caught:
        md.create("thermostat", "RescaleThermostat", temp=300.0)
    (note,) = caught.value.__notes__
    assert "RescaleThermostat" in note
    assert "{'temp': 300.0}; it takes (temperature" in note


def test_overlapping_atoms_are_named(on: md.Backend, array: Callable[..., Any]) -> None:
    coords = COORDS.copy()
    coords[3] = coords[1]
    overlapping = system(coords=array(coords))
    # NumPy may have its say about the division by zero, too.
    with pytest.raises(md.SimulationError) as caught, np.errstate(all="ignore"):
        md.forces(overlapping)
    assert "atoms 1 and 3 are 0 nm apart" in str(caught.value)
    assert "minimize the energy" in str(caught.value)
    assert caught.value.atom == 1
    assert caught.value.step == 0
