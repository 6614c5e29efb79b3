"""`xpmd bench --suite gradient`, on a few atoms and steps."""

from __future__ import annotations

import pytest

STRATEGIES = ["reverse", "checkpointed", "reversible", "forward"]


@pytest.fixture(scope="module")
def rows(reported):
    chosen = ["--backend", "numpy", "--dtype", "float32,float64", "--sizes", "20"]
    report, page = reported("gradient", *chosen, "--steps", "6,12")
    assert "| program | variant | strategy | 20 x 6, ms | 20 x 12, ms |" in page
    (table,) = report["tables"]
    return table["rows"]


def test_every_strategy_is_measured(rows):
    found = {(r["steps"], r["precision"], r["strategy"]) for r in rows}
    wanted = {
        (steps, dtype, strategy)
        for steps in (6, 12)
        for dtype in ("float32", "float64")
        for strategy in STRATEGIES
    }
    assert found == wanted
    for row in rows:
        assert row.get("remark") is None, row
        assert row["over the run"] == pytest.approx(row["ms a step"] / row["run ms a step"])
        assert row["over the run"] > 0.5
        assert row["ratio"] >= 1.0
        assert row["first call s"] > 0
        assert row["rounds"] == 2


def test_all_find_the_same_gradient(rows):
    for row in rows:
        assert abs(row["gradient"]) > 1e-7
        assert row["off by"] < (1e-11 if row["precision"] == "float64" else 1e-3), row
    longer = {r["steps"]: r["gradient"] for r in rows}
    assert abs(longer[12]) > abs(longer[6])


def test_the_gradient_is_that_of_central_differences(reported):
    """By the strategy that only calls the loss, which may be measured like the others."""
    chosen = ["--backend", "numpy", "--strategy", "finite_difference", "--sizes", "20"]
    report, _ = reported("gradient", *chosen, "--steps", "12")
    (row,) = report["tables"][0]["rows"]
    assert row["off by"] < 1e-6


def test_a_fluid_with_a_list(reported):
    chosen = ["--backend", "numpy", "--sizes", "256", "--steps", "3", "--strategy", "reverse"]
    report, _ = reported("gradient", *chosen)
    (row,) = report["tables"][0]["rows"]
    assert row["precision"] == "float32"
    assert 0 < row["off by"] < 1e-4


def test_slow_programs_are_left_out_and_the_remark_says_so(reported, monkeypatch):
    """One strategy is measured of a program that takes long, and few steps of one that takes longer."""
    chosen = ["--backend", "numpy", "--sizes", "20"]
    monkeypatch.setattr("xpmd_benchmarks.gradient_field.LONGEST", 0.0)
    monkeypatch.setattr("xpmd_benchmarks.gradient_field.ONCE", 0.0)
    report, page = reported("gradient", *chosen, "--steps", "4")
    first, *others = report["tables"][0]["rows"]
    assert first["strategy"] == "reverse"
    assert first["rounds"] == 1
    assert [row["strategy"] for row in others] == STRATEGIES[1:]
    assert all("took long; --strategy names it" in row["remark"] for row in others)
    assert "the first run with another took long; --strategy names it" in page
    monkeypatch.setattr("xpmd_benchmarks.gradient_field.LONGEST_OF_ALL", 0.0)
    monkeypatch.setattr("xpmd_benchmarks.suites.gradient.QUICK_STEPS", (4, 8))
    report, _ = reported("gradient", *chosen, "--strategy", "reverse")
    rows = {row["steps"]: row for row in report["tables"][0]["rows"]}
    assert rows[4].get("remark") is None
    assert rows[8]["remark"] == "left out: 0 s a run; --steps 8 does it"


def test_states_take_memory_with_every_step(reported):
    """Positions, velocities and forces of each, in numbers of eight bytes."""
    chosen = ["--backend", "numpy", "--dtype", "float64", "--sizes", "100", "--steps", "100,400"]
    report, _ = reported("gradient", *chosen, "--strategy", "reverse,reversible")
    memory = {(r["strategy"], r["steps"]): r["MiB"] for r in report["tables"][0]["rows"]}
    states = 300 * 3 * 100 * 3 * 8 / 2**20
    assert memory["reverse", 400] - memory["reverse", 100] > 0.8 * states
    assert memory["reversible", 400] - memory["reversible", 100] < 0.3 * states


@pytest.mark.slow
def test_backends_agree(reported):
    """A compiler that computes something else would show here."""
    chosen = ["--backend", "numpy,torch,jax", "--dtype", "float64", "--sizes", "20,256"]
    report, _ = reported("gradient", *chosen, "--strategy", "reverse")
    rows = report["tables"][0]["rows"]
    assert {row["variant"] for row in rows} == {"numpy", "torch", "jax"}
    assert all(row["off by"] < 1e-10 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--strategy", "revers"],
            "'revers' is no known gradient_strategy. Did you mean 'reverse'?",
        ),
        (["--sizes", "300"], "300 atoms do not fill a cube"),
        (["--dtype", "float8"], "float8 is none of float32, float64"),
    ],
)
def test_what_cannot_be_measured(arguments, message, bench):
    result = bench("--quick", "--suite", "gradient", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
