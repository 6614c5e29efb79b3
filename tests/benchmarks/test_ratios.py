"""Ratios of the figures of one run, as the page gives them."""

from __future__ import annotations

import pytest

from xpmd.benchmark import BenchmarkRatio, BenchmarkReport
from xpmd.benchmark_page import page
from xpmd.benchmark_ratios import ratio_table
from xpmd_benchmarks.engines import jax_md, lammps, openmm, torch_sim, torchmd
from xpmd_benchmarks.fluid_ratios import agreement_ratios, peer, time_ratios
from xpmd_benchmarks.gradient_ratios import gradient_ratios
from xpmd_benchmarks.growth_ratios import growth_ratios
from xpmd_benchmarks.ratios import Side, ratio, standing

A, B = Side("a", {"program": "a"}), Side("b", {"program": "b"})
ROWS = [
    {"program": "a", "atoms": 10, "ms": 6.0},
    {"program": "a", "atoms": 10, "ms": 4.0},
    {"program": "a", "atoms": 20, "ms": 9.0},
    {"program": "b", "atoms": 10, "ms": 2.0},
    {"program": "b", "atoms": 20, "ms": None, "remark": "not installed"},
]
PLACES = {"10 atoms": {"atoms": 10}, "20 atoms": {"atoms": 20}}


def test_the_best_of_each_where_both_were_measured():
    assert ratio(ROWS, "ms", A, B, PLACES) == [BenchmarkRatio("a", "b", {"10 atoms": 2.0})]
    assert ratio(ROWS, "ms", A, Side("c", {"program": "c"}), PLACES) == []


def test_values_by_themselves():
    (least,) = standing(ROWS, "ms", A, PLACES, unit="ms")
    assert least == BenchmarkRatio("a", "", {"10 atoms": 4.0, "20 atoms": 9.0}, "ms")
    (most,) = standing(ROWS, "ms", A, PLACES, choose=max)
    assert most.values["10 atoms"] == 6.0
    assert standing(ROWS, "ms", B, {"20": {"atoms": 20}}) == []


def test_the_table_and_the_page():
    ratios = [
        BenchmarkRatio("a", "b", {"10 atoms": 2.0, "20 atoms": 0.5}),
        BenchmarkRatio("memory of a", "", {"": 30.0}, "MiB"),
    ]
    report = BenchmarkReport("fluid", [], ratios=ratios)
    table = ratio_table([report])
    assert table is not None
    assert [row["result"] for row in table.rows] == [
        "2.00 (10 atoms), 0.500 (20 atoms)",
        "30.0 MiB",
    ]
    text = page([report], "", quick=False)
    assert "\n## Ratios\n" in text
    assert "| fluid | a | b | 2.00 (10 atoms), 0.500 (20 atoms) |" in text
    assert ratio_table([BenchmarkReport("it", [])]) is None
    assert "Ratios\n" not in page([BenchmarkReport("it", [])], "", quick=False)


def fluid_rows():
    """Times of all programs at two sizes, by name."""
    times = {"float32": 1.0, "float64": 1.2}
    for n in (864, 4000):
        for backend, factor in (("jax", 1.0), ("numpy", 8.0), ("torch", 1.5)):
            for dtype, time in times.items():
                words = {"program": "xpmd", "variant": backend, "precision": dtype, "atoms": n}
                yield {**words, "ms a step": factor * time}
        for module, time in ((jax_md, 20.0), (torch_sim, 30.0), (torchmd, 33.0)):
            yield {**peer(module, 2).words, "atoms": n, "ms a step": time}
        yield {**peer(lammps, 2, package="omp").words, "atoms": n, "ms a step": 1.6}
        yield {**peer(lammps, 2, package="opt").words, "atoms": n, "ms a step": 1.1}
        for platform, time in (("CPU", 2.0), ("Reference", 48.0)):
            yield {**peer(openmm, 2, platform=platform).words, "atoms": n, "ms a step": time}


def test_times_of_the_fluid():
    found = {(each.figure, each.over): each.values for each in time_ratios(list(fluid_rows()), 2)}
    single = "xpmd jax float32"
    wanted = {
        ("LAMMPS package OPENMP, 2 threads float64", single): 1.6,
        ("OpenMM platform CPU, 2 threads mixed", single): 2.0,
        ("xpmd jax float64", "LAMMPS package OPENMP, 2 threads float64"): 0.75,
        ("jax-md jax float32", single): 20.0,
        ("torch-sim vesin lists float32", single): 30.0,
        ("xpmd torch float32", single): 1.5,
        ("torch-sim vesin lists float32", "xpmd torch float32"): 20.0,
        ("torchmd all pairs float32", "xpmd torch float32"): 22.0,
        ("OpenMM platform Reference, 1 thread float64", "xpmd numpy float64"): 5.0,
    }
    assert found.keys() == wanted.keys()
    for sides, value in wanted.items():
        assert list(found[sides]) == ["864 atoms", "4000 atoms"]
        assert list(found[sides].values()) == pytest.approx([value, value])


def test_agreement_of_the_fluid():
    words = {"program": "xpmd", "variant": "jax", "precision": "float64", "atoms": 864}
    rows = [
        {**words, "energy off by": 1e-15, "forces off by": 2e-15},
        {**words, "atoms": 4000, "energy off by": 0.0, "forces off by": 3e-15},
    ]
    (found,) = agreement_ratios(rows)
    assert (found.figure, found.over) == ("difference of xpmd jax float64", "xpmd numpy float64")
    assert found.values == {"energy": 1e-15, "forces": 3e-15}


def test_gradients():
    def row(program, strategy, steps, time, memory, **more):
        words = {"program": program, "variant": "jax", "precision": "float32", "atoms": 864}
        figures = {"ms a step": time, "MiB": memory, "over the run": 2.5}
        return {**words, "strategy": strategy, "steps": steps, **figures, **more}

    rows = [
        row("xpmd", "reverse", 100, 0.5, 5.0, **{"off by": 1e-6}),
        row("xpmd", "reversible", 100, 0.6, 4.0, **{"off by": 1e-5}),
        row("xpmd", "reverse", 500, 0.5, 20.0, **{"off by": 0.2}),
        row("jax-md", "jax.grad", 100, 8.0, 500.0),
        row("jax-md", "jax.grad", 500, 8.0, 2000.0),
        {"atoms": 864, "program": "torchmd", "remark": "not installed"},
    ]
    found = {(each.figure, each.over): each.values for each in gradient_ratios(rows)}
    alone = "value and gradient, xpmd jax, 864 atoms x 100 steps", "the run alone"
    assert found[alone] == {"reverse": 2.5, "reversible": 2.5}
    theirs = "jax-md jax.grad, 864 atoms"
    assert found[f"time of {theirs}", "xpmd jax"] == pytest.approx(
        {
            "reverse, 100 steps": 16.0,
            "reversible, 100 steps": 8.0 / 0.6,
            "reverse, 500 steps": 16.0,
        }
    )
    assert found[f"memory of {theirs}", "xpmd jax"]["reverse, 500 steps"] == 100.0
    differences = found["difference of gradients, xpmd jax", "xpmd numpy float64"]
    assert differences == {"864 atoms float32": 1e-5}
    assert gradient_ratios(rows[-1:]) == []


def test_growth():
    by_atoms = [
        {"atoms": n, "backend": "jax", "precision": "float32", "ns an atom and step": time}
        for n, time in ((864, 300.0), (16_384, 200.0), (1_048_576, 300.0))
    ]
    by_atoms[-1]["peak MiB"] = 2900.0
    by_steps = [
        {"steps": n, "backend": "jax", "strategy": name, "MiB": size}
        for n, name, size in (
            (1000, "reverse", 2.0),
            (100_000, "reverse", 200.0),
            (1000, "reversible", 2.0),
            (100_000, "reversible", 3.0),
        )
    ]
    time, memory, sizes = growth_ratios(by_atoms, by_steps)
    assert (time.over, time.values) == ("16384 atoms", {"jax float32": 1.5})
    assert (memory.unit, memory.values) == ("MiB", {"jax float32": 2900.0})
    assert sizes.values == {"jax reverse": 200.0, "jax reversible": 3.0}
    assert growth_ratios(by_atoms[:1], by_steps[:1]) == []
