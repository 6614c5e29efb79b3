"""A mark for tests that make JAX compile hundreds of small functions: there, in the slow run only."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

#: The fixture `on` again. For tests whose ground other tests cover on JAX as well.
slow_on_jax = pytest.mark.parametrize(
    "on",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "jax" else [])
        for name in ("numpy", "torch", "jax", "array_api_strict")
        if find_spec(name) is not None
    ],
    indirect=True,
)
