"""`xpmd bench --suite pairs`, on tiny fluids."""

from __future__ import annotations

import pytest

from xpmd_benchmarks.engines import xpmd_stranger
from xpmd_benchmarks.engines.xpmd_fluid import Fluid


@pytest.fixture(scope="module")
def report(reported):
    return reported("pairs", "--backend", "numpy")[0]


def test_all_is_measured(report):
    (table,) = report["tables"]
    found = {(row["what"], row["precision"]) for row in table["rows"]}
    whats = ("Lennard-Jones", "Lennard-Jones, energy alone", "Buckingham", "forces", "bincounts")
    assert found == {(what, dtype) for what in whats for dtype in ("float32", "float64")}
    for row in table["rows"]:
        assert row["remark"] is None, row
        assert 0 < row["best"] <= row["ms"]


def test_ratios(report):
    times = {(row["what"], row["precision"]): row["ms"] for row in report["tables"][0]["rows"]}
    ratios = {(each["figure"], each["over"]): each["values"] for each in report["ratios"]}
    assert ratios["Buckingham", "Lennard-Jones"]["numpy float32, 256 atoms"] == pytest.approx(
        times["Buckingham", "float32"] / times["Lennard-Jones", "float32"]
    )
    assert ratios["forces", "bincounts"]["numpy float64, 256 atoms"] == pytest.approx(
        times["forces", "float64"] / times["bincounts", "float64"]
    )


def liquid():
    """108 atoms on a lattice that is shaken a little."""
    import numpy as np

    from xpmd_benchmarks.fluid_states import _crystal

    side = 5.13
    coords = _crystal(3, side) + 0.03 * np.random.default_rng(2).standard_normal((108, 3))
    return {
        **{"backend": "numpy", "precision": "float64", "cutoff": 2.5, "skin": 0.05, "dt": 0.005},
        **{"coords": coords, "velocities": 0.0 * coords, "side": side},
    }


def test_a_potential_alone_is_the_shipped_one():
    import numpy as np

    task = liquid()
    ours, alone = Fluid(task), xpmd_stranger.EnergyAlone(task)
    assert np.allclose(ours.arrays()["forces"], alone.arrays()["forces"], rtol=1e-12, atol=1e-12)


def test_the_strangers_minimum_is_that_of_lennard_jones(monkeypatch):
    """In depth, place and curvature, so that the fluid stays what it is."""
    from math import exp

    numbers = xpmd_stranger.parameters()
    a, b, c = numbers["A"], numbers["B"], numbers["C"]
    place = 2 ** (1 / 6)
    assert a * exp(-b * place) - c / place**6 == pytest.approx(-1.0)
    assert -a * b * exp(-b * place) + 6 * c / place**7 == pytest.approx(0.0, abs=1e-12)
    curvature = a * b * b * exp(-b * place) - 42 * c / place**8
    assert curvature == pytest.approx(72 / place**2, rel=1e-3)
