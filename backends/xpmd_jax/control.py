"""Compilation and control flow on JAX."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from xpmd.errors import CAPTURED, BackendError, GradientError

Array = Any
Arrays = tuple[Any, ...]


#: Sums may be reordered, which lets them be vectorised, and one reciprocal serve several divisions;
#: NaN and infinity stay what they are.
FAST: dict[str, Any] = {
    "xla_cpu_enable_fast_math": True,
    "xla_cpu_fast_math_honor_division": False,
    # Registers of that size where a processor has them; by default it prefers half.
    "xla_cpu_prefer_vector_width": 512,
}


def jit(function: Callable[..., Any], *, exact: bool = False) -> Callable[..., Any]:
    """Return the function compiled for each set of shapes."""
    plain: Callable[..., Any] = jax.jit(function)
    fast = plain if exact or not _TAKES_OPTIONS else jax.jit(function, compiler_options=FAST)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        # Options are for what is compiled by itself, not as a part of something larger.
        inside = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arguments))
        try:
            return (plain if inside else fast)(*arguments)
        except jax.errors.UnexpectedTracerError as error:
            raise GradientError(CAPTURED) from error

    return call


#: Older versions take options for the whole process only, and those are the user's.
_TAKES_OPTIONS = "compiler_options" in inspect.signature(jax.jit).parameters


def keep_compiled(folder: str | os.PathLike[str] | None) -> Path:
    """Keep all compiled programs, however small, in a folder."""
    if folder is None:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(caches) / "xpmd" / "jax"
    path = Path(folder).expanduser().absolute()
    path.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(path))  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)  # type: ignore[no-untyped-call]
    return path


def repeat(
    body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
) -> Arrays:
    """Apply `body` `times` times, in one loop whatever `times` is."""
    end: Arrays = jax.lax.fori_loop(
        jnp.int32(0),
        _bounded(times, at_most),
        lambda k, held: tuple(body(k, held)),
        tuple(carry),
    )
    return end


def repeat_keeping(
    body: Callable[[Array, Arrays], Arrays],
    carry: Arrays,
    times: Any,
    at_most: int,
    pick: Callable[[Arrays], Arrays],
) -> tuple[Arrays, Arrays]:
    """Do as `repeat`, writing what is picked into arrays with room for `at_most + 1` rows."""

    def with_row(rows: Arrays, k: Any, row: Arrays) -> Arrays:
        return tuple(
            jax.lax.dynamic_update_index_in_dim(column, part, k, 0)
            for column, part in zip(rows, row, strict=True)
        )

    def step(k: Array, held: tuple[Arrays, Arrays]) -> tuple[Arrays, Arrays]:
        after = tuple(body(k, held[0]))
        return after, with_row(held[1], k + 1, pick(after))

    carry = tuple(carry)
    first = pick(carry)
    empty = tuple(jnp.zeros((at_most + 1, *part.shape), part.dtype) for part in first)
    end: tuple[Arrays, Arrays] = jax.lax.fori_loop(
        jnp.int32(0), _bounded(times, at_most), step, (carry, with_row(empty, 0, first))
    )
    return end


def _bounded(times: Any, at_most: int) -> Array:
    return jnp.minimum(jnp.asarray(times, dtype=jnp.int32), at_most)


def row(rows: Arrays, k: Any) -> Arrays:
    """Return one row of each array."""
    return tuple(jax.lax.dynamic_index_in_dim(column, k, 0, keepdims=False) for column in rows)


def stacked_rows(rows: Arrays, places: Sequence[int]) -> Arrays:
    """Return some rows of each array."""
    chosen = np.asarray(places, dtype=np.int32)
    return tuple(column[chosen] for column in rows)


def scan(
    body: Callable[[Arrays, Any], tuple[Arrays, Arrays]], carry: Arrays, xs: Sequence[Any]
) -> tuple[Arrays, Arrays]:
    """Thread a carry through the body and stack what it returns."""
    numbers = np.asarray(xs, dtype=None if len(xs) else np.int32)
    if numbers.dtype.kind == "i":
        numbers = numbers.astype(np.int32)
    end, rows = jax.lax.scan(body, tuple(carry), jnp.asarray(numbers))
    return end, rows


def while_loop(
    condition: Callable[[Arrays], Any], body: Callable[[Arrays], Arrays], carry: Arrays
) -> Arrays:
    """Apply the body while the condition holds."""
    return jax.lax.while_loop(condition, body, tuple(carry))


def cond(
    predicate: Any, yes: Callable[..., Arrays], no: Callable[..., Arrays], *operands: Array
) -> Arrays:
    """Return what one of two branches gives; only that one runs."""
    chosen: Arrays = jax.lax.cond(predicate, yes, no, *operands)
    return chosen


def map_leading(function: Callable[..., Arrays], *stacked: Array) -> Arrays:
    """Apply a function to each slice along the first axis, all at once."""
    return jax.vmap(function)(*stacked)


def host_call(
    function: Callable[..., Sequence[Any]], like: Sequence[tuple[Any, str]], *arrays: Array
) -> Arrays:
    """Call a host function from compiled code; shapes must be given."""
    if any(shape is None for shape, _ in like):
        raise BackendError(
            "A compiled function must know the shape of every array that a host function returns: give "
            "`like` shapes instead of `None`."
        )
    struct: Any = jax.ShapeDtypeStruct
    shapes = tuple(struct(shape, getattr(jnp, dtype)) for shape, dtype in like)

    def on_host(*values: Any) -> tuple[Any, ...]:
        found = tuple(function(*(np.asarray(value) for value in values)))
        for part, shape in zip(found, shapes, strict=True):
            if tuple(part.shape) != shape.shape:
                raise BackendError(
                    f"A host function returned an array of shape {tuple(part.shape)}, and "
                    f"{shape.shape} was announced."
                )
        return tuple(
            np.asarray(part, dtype=shape.dtype) for part, shape in zip(found, shapes, strict=True)
        )

    # Constants, for the callback has no derivative and says so with an error of its own.
    held = (jax.lax.stop_gradient(array) for array in arrays)
    return tuple(jax.pure_callback(on_host, shapes, *held, vmap_method="sequential"))
