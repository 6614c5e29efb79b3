"""`xpmd bench --suite growth`, on few atoms and steps."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def tables(reported):
    report, page = reported("growth", "--backend", "numpy", "--sizes", "256,108", "--steps", "30,5")
    assert "### Growth with atoms" in page
    return [table["rows"] for table in report["tables"]]


def test_atoms(tables):
    small, large = tables[0]
    assert (small["atoms"], large["atoms"]) == (108, 256)
    for row in (small, large):
        assert row["remark"] is None
        assert row["precision"] == "float32"
        wanted = row["ns an atom and step"] * row["atoms"] / 1e6
        assert row["ms a step"] == pytest.approx(wanted)
        assert row["CPU ns an atom and step"] > 0
        assert row["peak MiB"] > 10
    assert min(small["ratio"], large["ratio"]) == 1.0


def test_steps(tables):
    found = [(row["strategy"], row["steps"]) for row in tables[1]]
    names = ("reversible, whole numbers", "reversible", "reverse")
    assert found == [(name, n) for name in names for n in (5, 30)]
    for row in tables[1]:
        assert row["remark"] is None
        assert row["us a step"] > row["run us a step"] > 0


def test_a_strategy_that_fails_is_named(reported):
    report, _ = reported(
        "growth", "--backend", "numpy", "--sizes", "108", "--steps", "5", "--strategy", "forward"
    )
    (row,) = report["tables"][1]["rows"]
    assert "unexpected keyword argument 'clip_norm'" in row["remark"]
