"""`xpmd bench --suite fluid`, on tiny fluids."""

from __future__ import annotations

import numpy as np
import pytest

from xpmd_benchmarks.engines import lammps, openmm
from xpmd_benchmarks.fluid_states import FluidStates, cells_a_side, crystalline_order


@pytest.fixture(scope="module")
def measured(reported):
    """The report of NumPy beside LAMMPS and OpenMM, as JSON and as Markdown."""
    chosen = ["--backend", "numpy", "--dtype", "float64"]
    return reported("fluid", *chosen, "--peers", "--peer", "lammps,openmm")


def test_every_program_is_measured(measured):
    report, _ = measured
    times, _ = report["tables"]
    rows = {(row["program"], row["variant"]): row for row in times["rows"]}
    assert ("xpmd", "numpy") in rows
    for module in (lammps, openmm):
        for variant in module.variants(2):
            row = rows[module.NAME, variant["variant"]]
            if module.missing():
                assert module.INSTALL in row["remark"]
            else:
                assert row["remark"] is None if "remark" in row else True
    for row in rows.values():
        if row.get("remark") is None:
            assert 0 < row["best"] <= row["ms a step"]
            assert row["rounds"] == 2
            assert row["first call s"] > 0
    ratios = [row["ratio"] for row in rows.values() if row.get("ratio") is not None]
    assert min(ratios) == 1.0
    assert len(ratios) == len([row for row in rows.values() if row.get("remark") is None])


def test_all_compute_the_same(measured):
    _, agreement = measured[0]["tables"]
    assert len(agreement["rows"]) > 1 or lammps.missing()
    for row in agreement["rows"]:
        bound = 1e-12 if row["precision"] == "float64" else 1e-4
        assert row["energy off by"] < bound, row
        assert row["forces off by"] < bound, row


def test_the_setting_and_the_page(measured):
    report, page = measured
    assert report["setting"]["cores"] >= 1
    assert "numpy" in report["setting"]["versions"]
    assert "## fluid" in page
    assert "| program | variant | precision | 256 atoms, ms |" in page


def test_a_fluid_is_melted_and_of_the_temperature(tmp_path):
    states = FluidStates(tmp_path, "numpy", 2, lambda line: None)
    with np.load(states.file(256)) as found:
        coords, velocities, side = found["coords"], found["velocities"], float(found["side"])
    assert side == pytest.approx((256 / 0.8) ** (1 / 3))
    assert (velocities**2).sum() / (3 * 256 - 3) == pytest.approx(1.0, rel=1e-5)
    # Of 256 atoms without order, about one in sixteen appears to stand on a plane.
    assert crystalline_order(coords, 4, side) < 0.3
    assert ((coords >= 0) & (coords < side)).all()


def test_a_crystal_would_be_noticed(tmp_path):
    from xpmd_benchmarks.fluid_states import _crystal

    assert crystalline_order(_crystal(4, 6.84), 4, 6.84) == pytest.approx(1.0)


def test_a_large_fluid_is_eight_small_ones(tmp_path):
    rng = np.random.default_rng(3)
    small = rng.uniform(0, (2048 / 0.8) ** (1 / 3), (2048, 3))
    np.savez(tmp_path / "fluid_2048.npz", coords=small, velocities=small, side=1.0)
    states = FluidStates(tmp_path, "numpy", 2, lambda line: None)
    with np.load(states.file(16_384)) as found:
        coords, side = found["coords"], float(found["side"])
        assert found["velocities"].shape == (16_384, 3)
    assert len(np.unique(coords.round(9), axis=0)) == 16_384
    assert np.sort(coords % (side / 2), axis=0)[::8] == pytest.approx(np.sort(small, axis=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "900"], "900 atoms do not fill a cube"),
        (["--sizes", "32"], "Possible are 4 k^3, such as 108"),
        (["--sizes", "many"], "invalid literal for int() with base 10: 'many'"),
        (["--backend", "numpi"], "'numpi' is no known backend. Did you mean 'numpy'?"),
        (["--dtype", "float16"], "float16 is none of float32, float64"),
        (["--peer", "gromacs"], "gromacs is none of lammps, openmm"),
        (["--peer-python", "openmm"], "'openmm' must be NAME=PATH"),
        (["--suite", "fluids"], "'fluids' is no known benchmark. Did you mean 'fluid'?"),
    ],
)
def test_what_cannot_be_measured(arguments, message, bench):
    chosen = [] if "--suite" in arguments else ["--suite", "fluid"]
    result = bench("--quick", *chosen, *arguments)
    assert result.exit_code == 2
    words = " ".join(result.output.replace("│", " ").split())
    assert message in words


def test_cells():
    assert [cells_a_side(n) for n in (108, 864, 4000, 16_384, 1_048_576)] == [3, 6, 10, 16, 64]
