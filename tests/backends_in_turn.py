"""The backends that tests take in turn: those installed, or those named in the environment."""

from __future__ import annotations

import os
from importlib.util import find_spec


def installed(name: str) -> bool:
    """Return whether the library behind a backend is installed."""
    return find_spec(name) is not None


#: Others are named in the environment, as in `XPMD_TEST_BACKENDS=cupy pytest` where there is a GPU.
BACKENDS_IN_TURN = tuple(
    name
    for name in os.environ.get("XPMD_TEST_BACKENDS", "numpy torch jax array_api_strict").split()
    if installed(name)
)
