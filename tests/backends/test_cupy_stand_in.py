"""CuPy without a GPU: its tests run on a stand-in, in a process of their own, and its absence is told.

The stand-in has the names and the strictness of CuPy and computes with NumPy; what it cannot show is
that kernels compile, how fast they are, and the order in which a GPU adds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
STAND_IN = TESTS / "cupy_stand_in"


def python(
    *arguments: str, path: Path | None = STAND_IN, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder in front of its path."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={
            **inherited,
            **({} if path is None else {"PYTHONPATH": str(path)}),
            **environment,
        },
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


#: Folder and module, each with the least number of tests that it must run there.
MODULES = {
    "backends": {
        "test_arrays": 60,
        "test_control_flow": 20,
        "test_custom_rules": 12,
        "test_derivatives": 40,
        "test_kernels": 20,
        "test_on_cupy": 14,
        "test_recognition": 3,
        "test_scatter": 60,
    },
    "gradients": {
        "test_adjoint": 1,
        "test_averages": 5,
        "test_fixed_point": 3,
        "test_parameter_gradients": 1,
        "test_silent_errors": 17,
        "test_strategies": 16,
        "test_strategy_table": 1,
        "test_tempering": 6,
    },
}


@pytest.mark.parametrize("folder", MODULES)
def test_on_the_stand_in(folder: str) -> None:
    """Every operation, whole simulations, and every gradient strategy."""
    modules = MODULES[folder]
    done = python(
        *("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "cupy"),
        *(f"tests/{folder}/{name}.py" for name in modules),
        XPMD_TEST_BACKENDS="cupy",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = done.stdout.strip().split("\n")[-1]
    assert "skipped" not in summary
    counted = re.search(r"(\d+) passed", summary)
    assert counted is not None
    assert int(counted.group(1)) >= sum(modules.values())


MANNERS = """
import numpy as np
import cupy

def refused(act):
    try:
        return f"gave {act()!r}"
    except Exception as error:
        return type(error).__name__

x = cupy.asarray(np.arange(3.0))
print(refused(lambda: np.asarray(x)))
print(refused(lambda: x + np.arange(3.0)))
print(refused(lambda: np.arange(3.0) * x))
print(refused(lambda: cupy.add([1.0], x)))
print(refused(lambda: cupy.stack([x, np.ones(3)])))
print(refused(lambda: cupy.sum([1.0, 2.0])))
print(refused(lambda: cupy.linalg.eig(x)))
print(refused(lambda: cupy.max(x, initial=0.0)))
print(refused(lambda: cupy.add.at(x.astype("int64"), x.astype("int64"), x.astype("int64"))))
print(refused(lambda: range(x[1])))
with cupy.cuda.Device(1):
    print(refused(lambda: x + 1.0))
y = cupy.zeros(2)
y[cupy.asarray([0, 0])] = cupy.asarray([1.0, 2.0])
print(float(y[0]), bool(cupy.isnan(cupy.empty(2)).all()))
print(type(x.sum()).__name__, type(x[0]).__name__, type(np.float64(2.0) * x).__name__)
"""


def test_the_stand_in_is_as_strict_as_it_says() -> None:
    """A stand-in that took everything would prove nothing."""
    done = python("-c", MANNERS)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().split("\n")
    assert lines[:6] == ["TypeError"] * 6
    assert lines[6:11] == ["AttributeError", "TypeError", "TypeError", "TypeError", "ValueError"]
    # Written in another order than NumPy's, and fresh memory is garbage.
    assert lines[11:] == ["1.0 True", "ndarray ndarray ndarray"]


ASK = """
import xpmd as md
try:
    md.backend("cupy")
    print("None")
except md.BackendError as error:
    print(error)
print(md.backend("numpy"))
"""
CANNOT = "The backend 'cupy' cannot be used here: "


def test_available() -> None:
    done = python("-c", ASK)
    assert done.stdout == "None\n<xpmd backend numpy>\n", done.stderr


def test_not_installed() -> None:
    done = python("-c", 'import sys; sys.modules["cupy"] = None' + ASK, path=None)
    message, numpy_still_works = done.stdout.strip().split("\n")
    assert message == (
        f"{CANNOT}CuPy is not installed; pip install 'xpmd[cupy12]' for a driver of CUDA 12, or "
        "'xpmd[cupy13]' for one of CUDA 13 (`nvidia-smi` shows the version)"
    )
    assert numpy_still_works == "<xpmd backend numpy>"


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_a_cuda_library_is_missing(tmp_path: Path, error: str) -> None:
    (tmp_path / "cupy").mkdir()
    cause = "libcublas.so.12: cannot open shared object file"
    (tmp_path / "cupy" / "__init__.py").write_text(f"raise {error}({cause!r})\n")
    done = python("-c", ASK, path=tmp_path)
    message, numpy_still_works = done.stdout.strip().split("\n")
    assert message.startswith(
        f"{CANNOT}CuPy is installed but cannot be imported ({error}: {cause})"
    )
    assert "'xpmd[cupy12]' needs CUDA 12" in message
    assert numpy_still_works == "<xpmd backend numpy>"


def test_no_driver() -> None:
    """As the wheel of CuPy does on a machine without an NVIDIA driver."""
    done = python("-c", ASK, CUPY_STAND_IN_DEVICES="no driver")
    message, _ = done.stdout.strip().split("\n")
    assert message.startswith(
        f"{CANNOT}CuPy cannot ask the CUDA driver for devices: cudaErrorInsufficientDriver"
    )


def test_no_device() -> None:
    done = python("-c", ASK, CUPY_STAND_IN_DEVICES="0")
    message, _ = done.stdout.strip().split("\n")
    assert message == (
        f"{CANNOT}CuPy sees no CUDA device; look at `nvidia-smi` and at CUDA_VISIBLE_DEVICES"
    )


def test_no_compiler_and_then_one() -> None:
    """A failure is not remembered: what was repaired works without a new process."""
    code = """
import cupy
whole = cupy.arange
def broken(*args, **kwargs):
    raise RuntimeError("libnvrtc.so.12 is missing")
cupy.arange = broken
"""
    done = python("-c", code + ASK + "cupy.arange = whole\n" + ASK)
    first, _, second, _ = done.stdout.strip().split("\n")
    assert first == (
        f"{CANNOT}CuPy sees 2 CUDA device(s) but cannot make an array: libnvrtc.so.12 is missing"
    )
    assert second == "None"


def test_the_list_of_plugins_asks_no_driver() -> None:
    done = python("-m", "xpmd", "plugins", CUPY_STAND_IN_DEVICES="no driver")
    assert done.returncode == 0, done.stderr
    assert "cupy" in done.stdout
