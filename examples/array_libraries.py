"""Arrays for the examples: one function that makes a float64 array of the library asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import xpmd as md


def arrays_of(library: str) -> Callable[[Any], Any]:
    """Return a function that turns nested lists into float64 arrays of a library."""
    if library == "jax":
        import jax

        # JAX keeps 64-bit numbers only when told to, before the first array is made.
        jax.config.update("jax_enable_x64", True)
    backend = md.backend(library)
    # The second start of an example compiles nothing.
    backend.keep_compiled()
    return lambda values: backend.asarray(np.asarray(values, dtype=np.float64))


def arguments(description: str | None, **defaults: Any) -> argparse.Namespace:
    """Return the command line options that all examples share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--backend", default="numpy", help="numpy, torch, jax or cupy")
    parser.add_argument("--out", default="out", help="folder for pictures")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, type=type(default))
    return parser.parse_args()
