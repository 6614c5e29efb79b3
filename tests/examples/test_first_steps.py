"""The liquid of the first example, small: is it argon?"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import xpmd as md

Example = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def liquid() -> Any:
    """Return 216 atoms followed for 5 ps in the bath and 5 ps alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
        import first_steps

        return first_steps.simulated(216, 500, "numpy")


def test_every_tenth_step_is_recorded(liquid: Any) -> None:
    assert liquid.time.shape == liquid.temperature.shape == liquid.potential.shape == (101,)
    assert (liquid.time[0], liquid.time[-1]) == (0.0, pytest.approx(10.0))
    assert liquid.n_bath == 51


def test_the_liquid_starts_dense_and_without_overlaps(example: Example) -> None:
    system = example("first_steps").start(64, "numpy")
    grams_per_cm3 = 64 * 39.948 * 1.66053907e-24 / (float(system.boundary.volume()) * 1e-21)
    assert grams_per_cm3 == pytest.approx(1.374, rel=1e-6)
    assert float(md.mean_min_separation(system.coords, system.boundary)) > 0.32


def test_the_bath_brings_the_liquid_to_its_temperature(liquid: Any) -> None:
    settled = liquid.temperature[10 : liquid.n_bath]
    # A temperature of 3N - 3 degrees of freedom fluctuates by T sqrt(2/(3N - 3)) = 5.3 K. Velocities
    # forget within 1/(2 friction) = 0.25 ps, so 4 ps hold some eight independent ones.
    assert settled.mean() == pytest.approx(94.4, abs=4.0 * 5.3 / math.sqrt(8.0))
    assert settled.std() == pytest.approx(5.3, rel=0.6)


def test_kinetic_energy_and_temperature_agree(liquid: Any) -> None:
    # K = (3N - 3)/2 k_B T, with k_B = 8.314462618e-3 kJ/mol/K.
    expected = 0.5 * (3 - 3 / 216) * 8.314462618e-3 * liquid.temperature
    np.testing.assert_allclose(liquid.kinetic, expected, rtol=1e-9)


def test_left_alone_the_liquid_keeps_its_energy(liquid: Any) -> None:
    total = (liquid.kinetic + liquid.potential)[liquid.n_bath - 1 :]
    exchanged = np.ptp(liquid.potential[liquid.n_bath - 1 :])
    assert np.ptp(total) < 0.02 * exchanged


def test_the_liquid_has_the_structure_of_argon(liquid: Any) -> None:
    r, g = liquid.r, liquid.g
    assert (g[r < 0.28] < 1e-3).all()
    # Atoms sit where a pair is happiest, a little nearer because of the pressure of the others:
    # Rahman, Phys. Rev. 136, A405 (1964), finds 0.37 nm.
    assert r[g.argmax()] == pytest.approx(2.0 ** (1.0 / 6.0) * 0.34, abs=0.02)
    assert 2.3 < g.max() < 3.3
    # The first shell, up to the first minimum, holds about twelve.
    shell = r < 0.53
    density = 1.374 / 39.948 * 602.214076
    neighbors = (4.0 * math.pi * density * r**2 * g)[shell].sum() * (r[1] - r[0])
    assert neighbors == pytest.approx(12.5, abs=1.0)
    # One period of what is left of the order, from its second maximum to its third.
    far = (r > 0.7) & (r < 1.04)
    assert abs(g[far] - 1.0).max() < 0.35
    assert np.average(g[far], weights=r[far] ** 2) == pytest.approx(1.0, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_all_libraries_simulate_the_same_liquid(library: str, example: Example) -> None:
    pytest.importorskip(library)
    first_steps = example("first_steps")
    expected = first_steps.simulated(64, 20, "numpy")
    found = first_steps.simulated(64, 20, library)
    for name, one, other in zip(expected._fields, expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.slow
def test_the_script_prints_averages_and_draws(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "examples" / "first_steps.py"
    command = [
        sys.executable,
        str(script),
        "--atoms",
        "64",
        "--steps",
        "50",
        "--out",
        str(tmp_path),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    words = [line.split()[0] for line in run.stdout.splitlines()]
    assert words == ["temperature", "potential", "total", "highest", "Picture:"]
    with Image.open(tmp_path / "first_steps.png") as figure:
        assert figure.size[0] > 900
