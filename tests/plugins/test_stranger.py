"""A plugin that knows nothing of this repository: built, installed, listed, tested and run."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_buckingham"


def install(source: Path, target: Path, scratch: Path) -> None:
    """Build a wheel of a copy of `source` without network, and put it into a folder."""
    copy, wheels = scratch / "source", scratch / "wheels"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "dist", ".*"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-build-isolation", "--no-deps", "--no-index", f"--wheel-dir={wheels}"]
    subprocess.run([*pip, *build, str(copy)], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", f"--target={target}", str(wheel)], check=True
    )


@pytest.fixture(scope="module")
def stranger(tmp_path_factory, make_site):
    """A folder on the path that the example is installed in."""
    folder = tmp_path_factory.mktemp("stranger")
    site = make_site(folder / "site")
    install(EXAMPLE, site.path, folder)
    return site


def test_it_is_listed(stranger):
    done = stranger.interpreter("-m", "xpmd", "plugins", "--json", "--kind", "interaction")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (row,) = [row for row in found["components"] if row["name"] == "Buckingham"]
    assert row["distribution"] == "xpmd-buckingham"
    assert (row["version"], row["status"], row["error"]) == ("0.1.0", "ok", None)
    assert row["backends"] == ["*"]
    assert not found["failures"]


@pytest.mark.parametrize(
    "chosen", ["not jax", pytest.param("jax", marks=pytest.mark.slow, id="jax")]
)
def test_it_passes_its_own_test(stranger, tmp_path, chosen):
    """In its own environment, where pytest knows nothing of this repository's settings."""
    shutil.copy(EXAMPLE / "tests" / "test_buckingham.py", tmp_path)
    quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "-W", "error"]
    done = stranger.interpreter(
        "-m", "pytest", str(tmp_path), *quiet, "--rootdir", str(tmp_path), "-k", chosen
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout).group(1))
    assert passed >= (8 if chosen == "jax" else 20)


RUN = """
import json, math, sys
import xpmd as md

distances, (A, B, C) = [0.3, 0.35, 0.5, 0.8], (1.69e6, 36.6, 0.0102)
found = {}
for entry in md.plugins.list("backend"):
    try:
        on = md.backend(entry.name)
        on.check_dtype("float64")
    except md.BackendError:
        continue
    rows = []
    for r in distances:
        # Two kinds of atoms, so that the mixing rules are looked at.
        atoms = md.Atoms(A=[A, 4.0 * A], B=[B, 2.0 * B], C=[C, 9.0 * C])
        system = md.System(
            atoms,
            on.asarray([[0.0, 0.0, 0.0], [r, 0.0, 0.0]], dtype="float64"),
            md.CubicBoundary(math.inf),
            interactions=[md.create("interaction", "Buckingham")],
        )
        force = on.to_numpy(md.forces(system))[1].tolist()
        rows.append([float(on.to_numpy(md.potential_energy(system))), *force])
    found[on.name] = rows
print(json.dumps(found))
"""


def test_it_runs_on_every_backend(stranger):
    """Energies and forces are those of the formula, with the mixed parameters."""
    found = json.loads(stranger.python(RUN, JAX_ENABLE_X64="1"))
    assert "numpy" in found
    A, B, C = 2.0 * 1.69e6, 2.0 / (1.0 / 36.6 + 1.0 / 73.2), 3.0 * 0.0102
    wanted = []
    for r in (0.3, 0.35, 0.5, 0.8):
        energy = A * math.exp(-B * r) - C / r**6
        force = A * B * math.exp(-B * r) - 6.0 * C / r**7
        wanted.append([energy, force, 0.0, 0.0])
    for name, rows in found.items():
        for row, expected in zip(rows, wanted, strict=True):
            assert row == pytest.approx(expected, rel=1e-12, abs=1e-12), name
