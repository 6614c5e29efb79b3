"""The generator against published answers, across array libraries, and as statistics."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpmd.noise import (
    PLACEMENT_STREAM,
    VELOCITY_STREAM,
    Noise,
    signed,
    stream_key,
    stream_keys,
    threefry2x32,
)

NAMESPACES = ["array_api_compat.numpy", "array_api_compat.torch", "jax.numpy", "array_api_strict"]

# Random123, kat_vectors: key, counter, answer.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


def namespace(name: str) -> Any:
    if name == "jax.numpy":
        pytest.importorskip("jax").config.update("jax_enable_x64", True)
    if name == "array_api_compat.torch":
        pytest.importorskip("torch")
    return importlib.import_module(name)


@pytest.fixture(params=NAMESPACES)
def xp(request: pytest.FixtureRequest) -> Any:
    return namespace(request.param)


def words(xp: Any, *values: int) -> Any:
    return xp.asarray([signed(value) for value in values], dtype=xp.int32)


def host(array: Any) -> np.ndarray:
    return np.asarray(array.tolist() if hasattr(array, "tolist") else np.from_dlpack(array))


def noise(xp: Any, step: Any = 5, dtype: str = "float64", seed: int = 7) -> Noise:
    keys = xp.asarray(stream_keys(seed, 3), dtype=xp.int32)
    return Noise(keys, step, xp=xp, dtype=getattr(xp, dtype))


@pytest.fixture(scope="module")
def reference() -> Noise:
    return noise(namespace("array_api_compat.numpy"))


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN_ANSWERS)
@pytest.mark.parametrize("key_as_array", [False, True])
def test_known_answers(
    xp: Any,
    key: tuple[int, int],
    counter: tuple[int, int],
    answer: tuple[int, int],
    key_as_array: bool,
) -> None:
    given = tuple(words(xp, word) for word in key) if key_as_array else key
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = threefry2x32(given, tuple(words(xp, word) for word in counter), xp=xp)
    assert [int(word[0]) & 0xFFFFFFFF for word in result] == list(answer)


def test_stream_key_is_threefry_of_the_stream_under_the_seed() -> None:
    xp = namespace("array_api_compat.numpy")
    for seed in (0, 1, 2**32 - 1, 2**63 + 12345, 2**64 - 1):
        for stream in (0, 1, 77, VELOCITY_STREAM, PLACEMENT_STREAM):
            result = threefry2x32((seed >> 32, seed), (words(xp, stream), words(xp, 0)), xp=xp)
            assert stream_key(seed, stream) == tuple(int(word[0]) for word in result)


def test_keys_of_streams_and_seeds_differ() -> None:
    keys = {stream_key(seed, stream) for seed in (0, 1, 2**32, 2**63) for stream in range(200)}
    assert len(keys) == 800
    assert stream_keys(3, 2) == [list(stream_key(3, 0)), list(stream_key(3, 1))]
    assert all(-(2**31) <= word < 2**31 for key in keys for word in key)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=r"`seed`=-?\d+ must be"):
        stream_key(seed, 0)


def test_streams_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="`stream`"):
        stream_key(0, 2**32)


def test_uniforms_are_bitwise_equal(xp: Any, reference: Noise) -> None:
    for stream, draw in ((0, 0), (2, 7)):
        mine = host(noise(xp).uniform(stream, (41, 3), draw))
        np.testing.assert_array_equal(mine, reference.uniform(stream, (41, 3), draw))


def test_float32_uniforms_are_bitwise_equal(xp: Any, reference: Noise) -> None:
    mine = noise(xp, dtype="float32").uniform(1, (41, 3))
    assert mine.dtype == xp.float32
    theirs = noise(reference.xp, dtype="float32").uniform(1, (41, 3))
    np.testing.assert_array_equal(host(mine), theirs.astype(np.float64))


def test_normals_agree(xp: Any, reference: Noise) -> None:
    mine = noise(xp).normal(1, (500, 3))
    assert mine.dtype == xp.float64
    np.testing.assert_allclose(host(mine), reference.normal(1, (500, 3)), rtol=1e-15, atol=1e-15)


def test_float32_normals_agree(xp: Any, reference: Noise) -> None:
    mine = noise(xp, dtype="float32").normal(1, (500, 3))
    assert mine.dtype == xp.float32
    theirs = noise(reference.xp, dtype="float32").normal(1, (500, 3))
    np.testing.assert_allclose(host(mine), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_jit_with_traced_step_and_keys(dtype: str, reference: Noise) -> None:
    jax = pytest.importorskip("jax")
    jnp = namespace("jax.numpy")
    traces = []

    @jax.jit
    def draw(keys: Any, step: Any) -> Any:
        traces.append(None)
        made = Noise(keys, step, xp=jnp, dtype=getattr(jnp, dtype))
        return made.uniform(1, (41, 3)), made.normal(1, (41, 3))

    for seed, step in ((7, 5), (8, 5), (7, 2**31 - 1)):
        keys = jnp.asarray(stream_keys(seed, 3), dtype=jnp.int32)
        uniform, normal = draw(keys, jnp.asarray(step, dtype=jnp.int32))
        eager = noise(reference.xp, step, dtype, seed)
        np.testing.assert_array_equal(uniform, eager.uniform(1, (41, 3)))
        tolerance = 1e-15 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(normal, eager.normal(1, (41, 3)), rtol=tolerance, atol=tolerance)
    assert len(traces) == 1


def test_a_block_of_steps_is_the_steps_one_by_one(xp: Any) -> None:
    steps = xp.asarray([3, 4, 9], dtype=xp.int32)
    for kind in ("uniform", "normal"):
        block = host(getattr(noise(xp, steps), kind)(0, (5, 3), 2))
        assert block.shape == (3, 5, 3)
        single = [host(getattr(noise(xp, step), kind)(0, (5, 3), 2)) for step in (3, 4, 9)]
        np.testing.assert_array_equal(block[:, :, 0], np.stack(single)[:, :, 0])
        np.testing.assert_allclose(block, np.stack(single), rtol=1e-15, atol=1e-15)


def test_step_as_int_and_as_array_agree(xp: Any) -> None:
    array = noise(xp, xp.asarray(12, dtype=xp.int32)).uniform(0, (4,))
    np.testing.assert_array_equal(host(array), host(noise(xp, 12).uniform(0, (4,))))


def test_steps_beyond_int32_do_not_repeat(reference: Noise) -> None:
    late = noise(reference.xp, 2**31 + 5).uniform(0, (4,))
    assert not np.any(late == reference.uniform(0, (4,)))


def test_numbers_do_not_depend_on_the_shape_drawn(reference: Noise) -> None:
    for dtype in ("float64", "float32"):
        made = noise(reference.xp, dtype=dtype)
        for draw in (made.uniform, made.normal):
            many = draw(0, (100, 3)).reshape(-1)
            np.testing.assert_allclose(
                draw(0, (7,)), many[:7], rtol=1e-6 if dtype == "float32" else 1e-15
            )
            np.testing.assert_allclose(
                draw(0, ()), many[0], rtol=1e-6 if dtype == "float32" else 1e-15
            )


def test_nothing_warns_and_empty_shapes_work(xp: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tuple(noise(xp).normal(0, ()).shape) == ()
        assert tuple(noise(xp).normal(0, (0, 3)).shape) == (0, 3)
        assert tuple(noise(xp, dtype="float32").uniform(0, (0,)).shape) == (0,)


def test_kinds_draws_streams_and_steps_share_no_number(reference: Noise) -> None:
    xp = reference.xp
    seen: list[np.ndarray] = []
    for step in (0, 1, 2):
        made = noise(xp, step)
        for stream in range(3):
            for draw in range(8):
                seen.append(made.uniform(stream, (50,), draw))
                # cos and sin of one pair give back the two uniforms the normals are made of.
                x, y = made.normal(stream, (50,), draw).reshape(-1, 2).T
                seen.append(1.0 - np.exp(-(x * x + y * y) / 2.0))
    numbers = np.round(np.concatenate(seen), 12)
    assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_uniforms_are_uniform(dtype: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    sample = noise(namespace("array_api_compat.numpy"), dtype=dtype).uniform(0, (200_000,))
    assert sample.min() >= 0.0
    assert sample.max() < 1.0
    assert abs(sample.mean(dtype=np.float64) - 0.5) < 4.0 / math.sqrt(12 * 200_000)
    assert stats.kstest(sample.astype(np.float64), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_normals_are_normal(dtype: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    n = 200_000
    sample = noise(namespace("array_api_compat.numpy"), dtype=dtype).normal(0, (n,))
    sample = sample.astype(np.float64)
    for power, mean, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((sample**power).mean() - mean) < 4.0 * math.sqrt(variance / n)
    assert stats.kstest(sample, "norm").pvalue > 1e-3
    # Neighbors within a pair, across pairs, and the same element in the next step.
    following = noise(namespace("array_api_compat.numpy"), 6, dtype).normal(0, (n,))
    for first, second in (
        (sample[0::2], sample[1::2]),
        (sample[1:-1:2], sample[2::2]),
        (sample, following),
    ):
        assert abs(np.corrcoef(first, second)[0, 1]) < 4.0 / math.sqrt(len(first))
        assert abs(np.corrcoef(first**2, second**2)[0, 1]) < 4.0 / math.sqrt(len(first))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1}, "`step`=-1"),
        ({"step": 2**32}, "`step`"),
        ({"step": np.zeros((2, 2), np.int32)}, "`step`"),
        ({"step": np.zeros(2)}, "`step`"),
        ({"keys": [[1, 2, 3]]}, "`keys`"),
        ({"dtype": np.int32}, "`dtype`"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], message: str, reference: Noise) -> None:
    settings = {"keys": [[1, 2]], "step": 0, "dtype": np.float64, **change}
    with pytest.raises(ValueError, match=message):
        Noise(settings["keys"], settings["step"], xp=reference.xp, dtype=settings["dtype"])


def test_bad_draws_are_refused(reference: Noise) -> None:
    with pytest.raises(ValueError, match="`stream`=3 must be one of the 3 rows"):
        reference.uniform(3, (2,))
    with pytest.raises(ValueError, match="`draw`=8"):
        reference.uniform(0, (2,), 8)
    with pytest.raises(ValueError, match="`shape` has"):
        reference.uniform(0, (2**14, 2**15))
    with pytest.raises(TypeError, match="int32"):
        threefry2x32((0, 0), (np.zeros(1, np.int64), np.zeros(1, np.int64)), xp=reference.xp)


X64_OFF = """
import jax, jax.numpy as jnp, numpy as np
from xpmd.noise import Noise, stream_keys
assert not jax.config.jax_enable_x64
keys = jnp.asarray(stream_keys(7, 3), dtype=jnp.int32)
draw = jax.jit(lambda keys, step: Noise(keys, step, xp=jnp, dtype=jnp.float32).uniform(1, (41, 3)))
print(np.asarray(draw(keys, 5)).tobytes().hex())
try:
    Noise(keys, 5, xp=jnp, dtype=jnp.float64).normal(0, (2,))
except ValueError as error:
    assert "jax_enable_x64" in str(error), error
else:
    raise SystemExit("float64 without x64 must raise")
"""


def test_jax_without_x64(reference: Noise) -> None:
    pytest.importorskip("jax")
    core = Path(importlib.import_module("xpmd.noise").__file__ or "").parents[1]
    path = os.pathsep.join([str(core), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "JAX_ENABLE_X64": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", X64_OFF],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = noise(reference.xp, dtype="float32").uniform(1, (41, 3))
    assert bytes.fromhex(done.stdout.strip()) == expected.tobytes()
