"""What `make bench` writes: a page short enough to read, its figures, all numbers as JSON."""

from __future__ import annotations

import json
import re
from importlib import import_module
from itertools import product

import pytest

from xpmd.benchmark import BenchmarkRatio, BenchmarkReport, BenchmarkTable
from xpmd.benchmark_page import folder_from, page
from xpmd.benchmark_text import as_markdown
from xpmd_benchmarks.figures import BarFigure, LineFigure, Panel
from xpmd_benchmarks.peers import PEERS
from xpmd_benchmarks.summaries import Summary

BACKENDS, DTYPES = ("jax", "numpy", "torch"), ("float32", "float64")


def test_all_of_it(bench, tmp_path):
    """With the figures in a folder beside the page, as in the documentation."""
    result = bench(
        *("--suite", "fluid,gradient,growth,import", "--quick", "--backend", "numpy"),
        *("--dtype", "float64", "--sizes", "108", "--steps", "4", "--strategy", "reverse"),
        *("--markdown", str(tmp_path / "docs" / "benchmarks.md")),
        *("--plot", str(tmp_path / "docs" / "images"), "--json", str(tmp_path / "out" / "b.json")),
    )
    assert result.exit_code == 0, result.output
    text = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "the numbers say nothing" in text
    assert re.findall(r"^## (\w+)", text, re.MULTILINE) == [
        "Ratios",
        "fluid",
        "gradient",
        "growth",
    ]
    assert text.count("- versions: ") == text.count("- processor: ") == 1
    pictures = re.findall(r"!\[.+\]\(images/(\w+\.png)\)", text)
    assert pictures == ["bench_fluid.png", "bench_gradient.png", "bench_growth.png"]
    for picture in pictures:
        assert 2000 < (tmp_path / "docs" / "images" / picture).stat().st_size < 100_000
    found = json.loads((tmp_path / "out" / "b.json").read_text())["benchmarks"]
    assert [report["name"] for report in found] == ["fluid", "gradient", "growth", "import"]


def everything():
    """Reports as long as they become with all that can be measured."""
    from xpmd_benchmarks.suites import fluid, gradient, growth, molecule, pairs

    programs = [("xpmd", name, dtype) for name, dtype in product(BACKENDS, DTYPES)][:5]
    for name in PEERS:
        module = import_module(f"xpmd_benchmarks.engines.{name.replace('-', '_')}")
        programs += [
            (name, each["variant"], each["precision"])
            for each in module.variants(2)
            if "fluid" in each["tasks"]
        ]
    names = ("program", "variant", "precision")
    rows = [
        {**dict(zip(names, program, strict=True)), "atoms": atoms, "ms a step": 1.0 / k}
        for k, (program, atoms) in enumerate(product(programs, (864, 4000, 16_384)), start=1)
    ]
    rows.append({"program": "none", "variant": "", "atoms": 864, "remark": "not installed: pip"})
    yield "fluid", fluid._summary(rows, [{**row, "forces off by": 1e-6} for row in rows])
    ways = list(product(BACKENDS, ("reverse", "checkpointed", "reversible", "forward")))
    rows = [
        {
            **{"program": "xpmd", "variant": name, "strategy": way, "atoms": atoms, "steps": steps},
            **{"ms a step": 1.0, "over the run": 2.0, "MiB": 1.0, "off by": 1e-9},
        }
        for (name, way), atoms, steps in product([*ways, ("jax-md", "")], (50, 864), (100, 500))
    ]
    yield "gradient", gradient._summary(rows)
    words = {"what": "it", "atoms": 4000, "backend": "jax", "precision": "float32", "ms": 1.0}
    whats = (*pairs.POTENTIALS, *pairs.FORCES)
    yield "pairs", pairs._summary([{**words, "what": what} for what in whats])
    by_atoms = [{**words, "ns an atom and step": 1.0, "peak MiB": 1.0}]
    by_steps = [
        {**words, "strategy": way, "steps": steps, "us a step": 1.0, "MiB": 1.0}
        for way, steps in product(("reverse", "reversible"), (1000, 100_000))
    ]
    for table in growth._summaries(by_atoms, by_steps):
        yield "growth", table
    trainings = [
        {"example": e, "start": s, "backend": b, "first epoch s": 1.0, "training s": 2.0}
        for e, b, s in product("abc", BACKENDS, ("first", "again"))
    ]
    yield "molecule", molecule._summary(trainings)


def test_the_page_is_short_even_with_all_programs():
    tables: dict[str, list[BenchmarkTable]] = {}
    for name, table in everything():
        tables.setdefault(name, []).append(table)
    setting = dict.fromkeys(("date", "system", "processor", "cores", "load at the start"), "it")
    figures = [LineFigure("figure", "A figure", ())]
    ratios = [BenchmarkRatio(f"figure {k}", "over", {"864 atoms": 1.0}) for k in range(5)]
    reports = [
        BenchmarkReport(name, (), figures, each, setting, ratios) for name, each in tables.items()
    ]
    assert len(reports) == 5
    text = page(reports, "images", quick=False)
    assert "the numbers say nothing" not in text
    assert "| xpmd | jax | float32 |" in text
    assert len(text.splitlines()) < 150


def test_paths_of_the_machine_stay_on_it():
    table = BenchmarkTable(
        "it", ("a",), ({"a": "a/b"},), ("/opt/jax md/bin/python: no.", "(/a/b/c)")
    )
    text = page([BenchmarkReport("it", [table])], "", quick=False)
    assert "/opt" not in text
    assert "(c)" in text
    assert "| a/b |" in text


def test_settings_that_differ_are_given_as_a_range():
    settings = [{"load at the start": 0.5, "versions": {"a": "1"}}, {"load at the end": 2.25}]
    reports = [BenchmarkReport("it", (), setting=setting) for setting in settings]
    assert "- load: 0.5 to 2.25\n- versions: a 1\n" in page(reports, "", quick=False)


def test_a_folder_as_seen_from_a_page(tmp_path):
    assert folder_from(tmp_path / "docs" / "page.md", tmp_path / "docs" / "images") == "images"
    assert folder_from(tmp_path / "page.md", tmp_path / "docs" / "images") == "docs/images"


def test_a_summary_keeps_the_best_and_each_reason_once():
    short = Summary("program", "variant")
    for value in (3.0, 2.0, 5.0):
        short.put({"program": "a", "variant": "x"}, "ms", value)
    for variant in ("y", "z"):
        row = {"program": "b", "variant": variant, "remark": "not installed: pip install b"}
        short.put(row, "ms", None)
    table = short.table("it", ("First.",))
    assert table.rows == ({"program": "a", "variant": "x", "ms": 2.0},)
    assert table.notes == ("First.", "b y, b z: not installed: pip install b.")
    assert "| a | x | 2.00 |" in as_markdown(table)


@pytest.mark.parametrize(
    "figure",
    [
        LineFigure(
            "lines", "Lines", [Panel("x", "y", {"xpmd a": [(1, 2), (10, 3)], "b": [(2, 1)]})]
        ),
        BarFigure("bars", "Bars", "y", {"first": {"a": 1.0, "b": 2.0}, "second": {"b": 3.0}}),
        BarFigure("none", "Nothing to show", "y", {}),
    ],
    ids=lambda figure: figure.name,
)
def test_figures(figure, tmp_path):
    figure.draw(tmp_path / "it.png")
    assert 2000 < (tmp_path / "it.png").stat().st_size < 100_000


def test_figures_need_matplotlib(bench, monkeypatch):
    """Which is said before anything is measured."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = bench("--suite", "import", "--plot", "figures")
    assert result.exit_code == 2
    assert "needs pip install 'xpmd[viz]'" in result.output
