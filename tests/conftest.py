"""Fixtures that every test shares: the backends, and arrays on each of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import xpmd as md
from backends_in_turn import BACKENDS_IN_TURN, installed
from xpmd_array_api_strict import components as strict_components

if installed("jax"):
    import jax

    # The library never sets this flag; a user of float64 on JAX does, before the first array.
    jax.config.update("jax_enable_x64", True)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[Any]:
    """Leave out the search for examples in docstrings: it hides tests that cannot be imported."""
    found = yield
    return [each for each in found if type(each).__name__ != "DoctestModule"]


@pytest.fixture(scope="session", autouse=True)
def strict_backend() -> Iterator[None]:
    """Register the strict backend the way a plugin does, for the whole run."""
    with md.plugins.use(strict_components):
        yield


@pytest.fixture(autouse=True)
def lists_of_any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few atoms have the lists of many; a test marked `dense` lets them have their own."""
    if request.node.get_closest_marker("dense") is None:
        monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)


@pytest.fixture(params=BACKENDS_IN_TURN)
def on(request: pytest.FixtureRequest) -> md.Backend:
    """Each installed backend in turn."""
    return md.backend(request.param)


@pytest.fixture
def array(on: md.Backend) -> Callable[..., Any]:
    """Make a float64 array of the backend in turn (another type by `dtype`)."""

    def make(value: Any, dtype: str = "float64") -> Any:
        return on.asarray(np.asarray(value, dtype=dtype), dtype=dtype)

    return make
