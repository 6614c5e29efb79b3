"""A suite that fails does not take with it what others have measured."""

import json

import pytest

from xpmd.benchmark import BenchmarkReport, BenchmarkTable


@pytest.mark.parametrize("failing", ["second", None])
def test_what_was_measured_is_written(bench, monkeypatch, tmp_path, failing):
    def run(name, settings):
        if name == failing:
            raise KeyboardInterrupt
        return BenchmarkReport(name, [BenchmarkTable("times", ("ms",), ({"ms": 1.0},))])

    monkeypatch.setattr("xpmd.commands.bench._run", run)
    files = [
        "--json",
        str(tmp_path / "new" / "found.json"),
        "--markdown",
        str(tmp_path / "found.md"),
    ]
    result = bench("--suite", "first,second", *files)
    assert (result.exit_code == 0) is (failing is None)
    names = ["first"] if failing else ["first", "second"]
    found = json.loads((tmp_path / "new" / "found.json").read_text())["benchmarks"]
    assert [each["name"] for each in found] == names
    page = (tmp_path / "found.md").read_text()
    assert [name for name in ("first", "second") if f"## {name}" in page] == names
