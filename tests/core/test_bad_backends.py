"""Arrays of several libraries, devices and types are not mixed in silence."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xpmd as md
from four_atoms import COORDS, atoms, system
from xpmd_simulators import VelocityVerlet


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("place", ["velocities", "atoms.mass", "boundary.sides[0]"])
def test_mixed_backends(library: str, place: str) -> None:
    pytest.importorskip(library)
    foreign = md.backend(library).asarray
    changes = {
        "velocities": lambda: {"velocities": foreign(np.zeros((4, 3)), dtype="float64")},
        "atoms.mass": lambda: {"atoms": atoms(mass=foreign(np.ones(4), dtype="float64"))},
        "boundary.sides[0]": lambda: {
            "boundary": md.CubicBoundary(foreign(3.0, dtype="float64"), 3.0, 3.0)
        },
    }[place]()
    given = sorted([("numpy", "coords"), (library, place)])
    told = "; ".join(f"{name} in `{where}`" for name, where in given)
    with pytest.raises(md.BackendError) as caught:
        system(**changes)
    remedy = "Convert them to one library first."
    assert str(caught.value) == f"Arrays of several backends were mixed: {told}. {remedy}"
    assert isinstance(caught.value, ValueError)


def test_mixed_backends_of_a_simulator() -> None:
    torch = pytest.importorskip("torch")
    simulator = VelocityVerlet(dt=torch.tensor(0.002, dtype=torch.float64))
    with pytest.raises(
        md.BackendError, match="simulator is an array of torch, but the System is on"
    ):
        md.simulate(system(), simulator, 1)


def test_mixed_devices() -> None:
    torch = pytest.importorskip("torch")
    coords = torch.tensor(COORDS)
    elsewhere = torch.zeros((4, 3), dtype=torch.float64, device="meta")
    with pytest.raises(
        md.BackendError, match="several devices were mixed: cpu in `coords`; meta in `velocities`"
    ):
        system(coords=coords, velocities=elsewhere)


TYPES = {
    "mixed": (
        {"coords": COORDS.astype("float32"), "velocities": np.zeros((4, 3))},
        r"several types were mixed: float32 in `coords`; float64 in `velocities`\. Convert them to "
        r"one, or give System\(\.\.\., dtype=\.\.\.\)",
    ),
    "half": ({"coords": COORDS.astype("float16")}, "`dtype` = float16 must be 'float32' or"),
    "named half": ({"dtype": "float16"}, "`dtype` = float16 must be 'float32' or 'float64'"),
    "integer": ({"dtype": "int64"}, "`dtype` = int64 must be 'float32' or 'float64'"),
}


@pytest.mark.parametrize("case", TYPES)
def test_types_that_do_not_fit(case: str) -> None:
    changes, message = TYPES[case]
    with pytest.raises(md.BackendError, match=message):
        system(**changes)


def test_mixed_types_are_converted_when_one_is_named() -> None:
    mixed = system(velocities=np.zeros((4, 3), dtype="float32"), dtype="float32")
    assert mixed.coords.dtype == mixed.velocities.dtype == np.float32


JAX_WITHOUT_X64 = """
import jax, jax.numpy as jnp, numpy as np
import xpmd as md
from xpmd_interactions import LennardJones

def system(coords, **more):
    return md.System(md.Atoms(sigma=0.3, epsilon=0.2), coords, md.CubicBoundary(3.0),
                     interactions=[LennardJones(cutoff=md.DistanceCutoff(1.0))], **more)

coords = [[0.1, 0.1, 0.1], [0.5, 0.1, 0.1], [0.1, 0.6, 0.1]]
for call in (
    lambda: system(jnp.asarray(coords), dtype="float64"),
    lambda: md.backend("jax").asarray(np.asarray(coords), dtype="float64"),
    lambda: md.value_and_grad(lambda s: s * s, backend="jax")(1.0),
    lambda: md.place_atoms(3, md.CubicBoundary(3.0), 0.5, like=jnp.zeros(3, dtype=int)),
):
    try:
        call()
    except md.BackendError as error:
        assert "float64 was asked for" in str(error), error
        assert "jax.config.update('jax_enable_x64', True)" in str(error), error
        assert "float32" in str(error), error
    else:
        raise AssertionError("float64 became float32 without a word")
assert not jax.config.jax_enable_x64
small = system(jnp.asarray(coords))
assert small.dtype == "float32" and md.forces(small).dtype == jnp.float32
assert system(jnp.asarray(coords), dtype="float32").coords.dtype == jnp.float32
print("done")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_jax_without_64_bits_says_so_and_runs_in_32() -> None:
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", JAX_WITHOUT_X64],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=200,
    )
    assert result.stdout == "done\n", result.stderr
