"""What is peculiar to JAX: 64-bit numbers only if told to, weak types, buffers given away."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, liquid
from xpmd_simulators import VelocityVerlet

jax = pytest.importorskip("jax")
jnp = jax.numpy

WITHOUT_X64 = """
import numpy as np
import jax.numpy as jnp
import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_simulators import VelocityVerlet

on = md.backend("jax")

def refused(make):
    try:
        made = make()
    except md.BackendError as error:
        return str(error)
    return f"made {made.dtype}"

print(refused(lambda: on.asarray([0.5], dtype="float64")))
print(refused(lambda: on.asarray(np.array([0.5]))))
print(refused(lambda: on.asarray(np.array([2**40]))))
print(refused(lambda: on.asarray(np.array([2**20]))))
print(refused(lambda: on.asarray([0.5])))
print(refused(lambda: on.asarray(np.array([0.5], dtype="float32"))))
atoms = md.Atoms(mass=10.0, sigma=0.3, epsilon=0.2)
coords = np.array([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0]])
def system(coords, **more):
    return md.System(atoms, coords, md.CubicBoundary(3.0), interactions=[LennardJones()], **more)
print(refused(lambda: system(jnp.asarray(coords), dtype="float64")))
end = md.simulate(system(jnp.asarray(coords)), VelocityVerlet(0.002), 3)
print(end.coords.dtype, bool(jnp.isfinite(end.coords).all()))
import jax
print(jax.config.jax_enable_x64)
"""


def test_without_64_bits_nothing_is_rounded_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_X64],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked, host, large, small, numbers, single, system, ran, flag = done.stdout.strip().split("\n")
    for message in (asked, host, system):
        assert "float64 was asked for" in message
        assert "jax.config.update('jax_enable_x64', True)" in message
        assert "dtype='float32'" in message
    assert "int64 was asked for" in large
    assert small == "made int32"
    assert numbers == single == "made float32"
    assert ran == "float32 True"
    # The flag is the user's.
    assert flag == "False"


def test_no_array_has_a_weak_type() -> None:
    """One made from a Python number would follow others, and make a function compile twice."""
    on = md.backend("jax")
    for value in (0.5, 2, [0.5, 1.0], jnp.asarray(0.5), jnp.asarray(2)):
        for dtype in (None, "float64", "float32"):
            assert not on.asarray(value, dtype=dtype).weak_type
    traces: list[bool] = []

    def look(x: Any) -> Any:
        made = on.asarray(x)
        traces.append(made.weak_type)
        return made * jnp.float32(1.0)

    for value in (0.5, jnp.asarray(0.5), on.asarray(0.5)):
        # float64 stays: a weak type would have given way to float32.
        assert jax.jit(look)(value).dtype == jnp.float64
    assert not any(traces)


def test_a_weak_type_does_not_stop_a_loop() -> None:
    """A carry that starts as a Python number's array becomes a plain one on its way."""
    on = md.backend("jax")
    weak, step = jnp.asarray(1.0), jnp.asarray([0.5])[0]
    assert weak.weak_type
    assert float(on.repeat(lambda k, c: (c[0] + step,), (weak,), 3, 5)[0]) == 2.5
    (end,), (rows,) = on.scan(lambda c, x: ((c[0] + step,), (c[0],)), (weak,), range(3))
    assert (float(end), rows.tolist()) == (2.5, [1.0, 1.5, 2.0])
    assert float(on.while_loop(lambda c: c[0] < 2.0, lambda c: (c[0] + step,), (weak,))[0]) == 2.0
    assert float(on.cond(True, lambda c: (c + step,), lambda c: (c,), weak)[0]) == 1.5


def test_a_run_gives_nothing_away() -> None:
    """What a System holds is still there afterwards, and gives the same run again."""
    system = liquid(jnp.asarray, cells=2)
    first = md.simulate(system, VelocityVerlet(DT), 4)
    for held in (system.coords, system.velocities, system.atoms.mass):
        assert not held.is_deleted()
    second = md.simulate(system, VelocityVerlet(DT), 4)
    np.testing.assert_array_equal(np.asarray(first.coords), np.asarray(second.coords))


def test_a_buffer_that_the_user_gave_away_is_an_error() -> None:
    coords = jnp.asarray(np.array([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0]]))
    coords.delete()
    with pytest.raises((RuntimeError, ValueError, TypeError), match="deleted"):
        md.System(md.Atoms(mass=1.0), coords, md.CubicBoundary(3.0))


def test_arrays_go_to_the_device_asked_for() -> None:
    on = md.backend("jax")
    place = jax.devices("cpu")[0]
    for value in (jnp.ones(2), np.ones(2), [1.0, 2.0], range(2)):
        assert on.device_of(on.asarray(value, device=place)) == place
    # A traced array does not say where it is, and stays there.
    places: list[Any] = []
    jax.jit(lambda x: (places.append(on.device_of(x)), on.asarray(x, device=place))[1])(jnp.ones(2))
    assert places == [None]


COMPILED_ONCE = """
import sys
import jax.monitoring
import jax.numpy as jnp
import xpmd as md
from xpmd_interactions import LennardJones
from xpmd_simulators import VelocityVerlet

compiled, kept = [], []
def heard(event, duration, **_):
    compiled.append("backend_compile" in event)
    kept.append("cache_retrieval" in event)
jax.monitoring.register_event_duration_secs_listener(heard)
print(md.backend("jax").keep_compiled(sys.argv[1]))
atoms = md.Atoms(mass=10.0, sigma=0.3, epsilon=0.2)
coords = jnp.asarray([[1.0, 1.0, 1.0], [1.4, 1.0, 1.0]])
system = md.System(atoms, coords, md.CubicBoundary(3.0), interactions=[LennardJones()])
md.simulate(system, VelocityVerlet(0.002), 3)
print(sum(kept))
"""


def test_a_second_process_finds_what_was_compiled(tmp_path: Any) -> None:
    folder = tmp_path / "compiled"
    kept = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", COMPILED_ONCE, str(folder)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not done.returncode, done.stderr
        said, found = done.stdout.split()
        assert said == str(folder)
        kept.append(int(found))
    assert kept[0] == 0
    assert kept[1] > 3
    assert any(folder.iterdir())


def test_numpy_has_nothing_to_keep(tmp_path: Any) -> None:
    assert md.backend("numpy").keep_compiled(tmp_path / "nothing") is None
    assert not (tmp_path / "nothing").exists()
