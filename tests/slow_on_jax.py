"""A mark for tests that make JAX compile hundreds of small functions: there, in the slow run only."""

from __future__ import annotations

import pytest

from backends_in_turn import BACKENDS_IN_TURN

#: The fixture `on` again. For tests whose ground other tests cover on JAX as well.
slow_on_jax = pytest.mark.parametrize(
    "on",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "jax" else [])
        for name in BACKENDS_IN_TURN
    ],
    indirect=True,
)
