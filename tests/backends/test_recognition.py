"""Which backend an array belongs to, and what is said where there is none or more than one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd.hookspecs import Component

Array = Any
Make = Callable[..., Array]


def test_arrays_say_their_backend(on: md.Backend, array: Make) -> None:
    assert md.backend_of(array([1.0])) is on
    assert md.backend_of(array(1.0), array([2], dtype="int32")) is on


def test_numbers_are_passed_over(on: md.Backend, array: Make) -> None:
    assert md.backend_of(1.0, [2.0], array([1.0]), None) is on


def test_arrays_on_their_way_through_a_differentiation(on: md.Backend, array: Make) -> None:
    """Wrapped, traced or followed: it is still the library's, at any depth."""
    seen: list[md.Backend] = []

    def look(x: Array) -> tuple[Array]:
        seen.append(md.backend_of(x))
        return (x * x,)

    def inner(x: Array) -> tuple[Array, tuple[()]]:
        (square,) = look(x)
        return on.xp(square).sum(square), ()

    def outer(x: Array) -> tuple[Array, tuple[()]]:
        _, (slope,), _ = on.value_and_grad(inner, (x,))
        return on.xp(slope).sum(slope), ()

    on.value_and_grad(outer, (array([1.0, 2.0]),))
    on.jvp(look, (array([1.0]),), (array([1.0]),))
    on.jit(look)(array([1.0]))
    assert seen == [on, on, on]


def test_subclasses_belong_to_the_library() -> None:
    class Labelled(np.ndarray):
        """An array with a label."""

    class Relabelled(Labelled):
        """A subclass of a subclass."""

    for value in (
        np.zeros(2).view(Labelled),
        np.zeros(2).view(Relabelled),
        np.ma.array([1.0]),
        np.float32(1.0),
    ):
        assert md.backend_of(value).name == "numpy"


def test_parameters_of_torch_modules_are_tensors() -> None:
    torch = pytest.importorskip("torch")
    assert md.backend_of(torch.nn.Parameter(torch.ones(2))).name == "torch"
    assert md.backend_of(torch.nn.Linear(2, 1).weight).name == "torch"


def test_mixed_libraries_are_named() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(md.BackendError) as caught:
        md.backend_of(np.ones(2), torch.ones(2), np.ones(3))
    assert str(caught.value) == (
        "Arrays of several backends were mixed: numpy (numpy.ndarray) and torch (torch.Tensor). "
        "Convert them to one library first."
    )


def test_arrays_of_nobody_are_named() -> None:
    class Quantity:
        """Wraps an array without being one."""

        def __init__(self) -> None:
            self.values = np.ones(2)

    with pytest.raises(md.BackendError) as caught:
        md.backend_of(Quantity(), 1.0)
    message = str(caught.value)
    assert "Quantity', 'float']" in message
    assert "known are the arrays of array_api_strict, cupy, jax, numpy, torch" in message
    assert "Convert yours to one of them first" in message
    with pytest.raises(md.BackendError, match=r"among \[\]"):
        md.backend_of()


class Foreign:
    """An array of a library that nobody has registered yet."""


def test_a_type_is_known_as_soon_as_its_backend_is_registered() -> None:
    with pytest.raises(md.BackendError, match="Foreign"):
        md.backend_of(Foreign())
    component = Component(
        "backend",
        "foreign",
        "xpmd_numpy.backend:NumpyBackend",
        modules=(Foreign.__module__.partition(".")[0],),
    )
    with md.plugins.use(component):
        assert md.backend_of(Foreign()).name == "numpy"


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match=r"'nunpy' is no known backend\. Did you mean 'numpy'"):
        md.backend("nunpy")


def test_no_library_is_imported_to_find_out() -> None:
    code = """
import sys
import numpy as np
import xpmd as md
md.backend_of(np.ones(2))
md.plugins.list("backend")
print([name for name in ("torch", "jax", "cupy") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
