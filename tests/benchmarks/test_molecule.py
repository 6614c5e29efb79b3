"""`xpmd bench --suite molecule` and `--suite import`, with few steps."""

from __future__ import annotations

import pytest

from xpmd_benchmarks.engines import xpmd_example


@pytest.fixture(scope="module")
def tables(reported):
    report, _ = reported("molecule", "--backend", "numpy")
    return [table["rows"] for table in report["tables"]]


def test_a_step_of_fifty_atoms(tables):
    assert [row["case"] for row in tables[0]] == ["all pairs", "thermostat and list", "records"]
    for row in tables[0]:
        assert row["remark"] is None
        assert 0 < row["best"] <= row["us a step"]


def test_every_example_is_trained_from_both_starts(tables):
    found = [(row["example"], row["start"]) for row in tables[1]]
    wanted = [(name, start) for name in xpmd_example.EXAMPLES for start in ("first", "again")]
    assert found == wanted
    for first, again in zip(tables[1][::2], tables[1][1::2], strict=True):
        assert "remark" not in first
        assert 0 < first["first epoch s"] < first["training s"]
        assert 0 < first["its CPU s"] <= first["CPU s"]
        assert first["loss at the end"] > 0
        assert again["first epoch s"] > 0
        assert "training s" not in again


def test_trainings_are_those_of_the_examples(monkeypatch):
    """As many epochs and steps as they take when nothing is said."""
    from xpmd_benchmarks.molecule_training import examples_folder

    monkeypatch.syspath_prepend(str(examples_folder()))
    import bond_angle
    import lennard_jones_sigma
    import neural_bonds

    assert xpmd_example.EXAMPLES["bond_angle"] == (bond_angle.N_EPOCHS, bond_angle.N_STEPS)
    for module in (lennard_jones_sigma, neural_bonds):
        epochs, steps = xpmd_example.EXAMPLES[module.__name__]
        assert f"--epochs {epochs}" in module.__doc__
        assert f"--steps {steps}" in module.__doc__


@pytest.mark.slow
def test_a_start_finds_nothing_that_others_compiled_and_the_next_finds_it(reported):
    report, _ = reported("molecule", "--backend", "jax")
    rows = report["tables"][1]["rows"]
    for first, again in zip(rows[::2], rows[1::2], strict=True):
        assert again["its CPU s"] < 0.7 * first["its CPU s"]


def test_without_examples_the_error_says_where_they_are(bench, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "xpmd_benchmarks.molecule_training.__file__", str(tmp_path / "a" / "b" / "c.py")
    )
    result = bench("--suite", "molecule", "--quick", "--backend", "numpy")
    assert result.exit_code == 2
    assert "run from a copy of the source" in " ".join(result.output.replace("│", " ").split())


def test_imports(reported):
    report, _ = reported("import", "--backend", "numpy")
    rows = {row["what"]: row for row in report["tables"][0]["rows"]}
    assert rows["import numpy"]["beyond NumPy, CPU ms"] == 0.0
    assert rows["import xpmd"]["modules"] > 50
    assert rows["a first array of numpy"]["CPU ms"] > 10
