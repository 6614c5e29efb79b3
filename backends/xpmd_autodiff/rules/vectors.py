"""Products and lengths of vectors, composed of functions that have rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xpmd.errors import GradientError
from xpmd_autodiff.rules.reductions import Axis
from xpmd_autodiff.rules.rule import Array, conjugate, is_complex


def vecdot(xp: Any, a: Array, b: Array, /, *, axis: int = -1) -> Array:
    """Return the sum of conj(a) b along an axis."""
    return xp.sum(conjugate(xp, a) * b, axis=axis)


def tensordot(
    xp: Any, a: Array, b: Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Array:
    """Return the sum of products over chosen axes of each array."""
    if isinstance(axes, int):
        of_a: Sequence[int] = range(a.ndim - axes, a.ndim)
        of_b: Sequence[int] = range(axes)
    else:
        of_a = [axis % a.ndim for axis in axes[0]]
        of_b = [axis % b.ndim for axis in axes[1]]
    free_a = [axis for axis in range(a.ndim) if axis not in of_a]
    free_b = [axis for axis in range(b.ndim) if axis not in of_b]
    # Sizes are spelled out, since an empty axis leaves nothing to infer them from.
    summed = math.prod(a.shape[axis] for axis in of_a)
    rows, columns = [a.shape[axis] for axis in free_a], [b.shape[axis] for axis in free_b]
    left = xp.reshape(xp.permute_dims(a, (*free_a, *of_a)), (math.prod(rows), summed))
    right = xp.reshape(xp.permute_dims(b, (*of_b, *free_b)), (summed, math.prod(columns)))
    return xp.reshape(left @ right, (*rows, *columns))


def cross(xp: Any, a: Array, b: Array, /, *, axis: int = -1) -> Array:
    """Return the vector product of two arrays of three components."""
    a1, a2, a3 = xp.unstack(a, axis=axis)
    b1, b2, b3 = xp.unstack(b, axis=axis)
    parts = [a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1]
    return xp.stack(parts, axis=axis)


def outer(xp: Any, a: Array, b: Array, /) -> Array:
    """Return all products of an element of a with an element of b."""
    return xp.expand_dims(a, axis=1) * xp.expand_dims(b, axis=0)


def diagonal(xp: Any, x: Array, /, *, offset: int = 0) -> Array:
    """Return the diagonals of matrices."""
    rows, columns = x.shape[-2:]
    first_row, first_column = max(-offset, 0), max(offset, 0)
    count = max(min(rows - first_row, columns - first_column), 0)
    start = first_row * columns + first_column
    places = start + (columns + 1) * xp.arange(count, device=xp.device_of(x))
    return xp.take(xp.reshape(x, (*x.shape[:-2], rows * columns)), places, axis=-1)


def trace(xp: Any, x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """Return the sums of the diagonals of matrices."""
    return xp.sum(diagonal(xp, x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(
    xp: Any, x: Array, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2
) -> Array:
    """Return a length; at zero the Euclidean one gets slope 0 instead of NaN."""
    if ord in (math.inf, -math.inf):
        extremum = xp.max if ord > 0 else xp.min
        return extremum(xp.abs(x), axis=axis, keepdims=keepdims)
    if ord == 1:
        return xp.sum(xp.abs(x), axis=axis, keepdims=keepdims)
    if ord != 2:
        raise GradientError(
            f"linalg.vector_norm with `ord` = {ord} has no derivative here; 1, 2, inf and -inf do."
        )
    squares = xp.real(x) ** 2 + xp.imag(x) ** 2 if is_complex(xp, x) else x * x
    squared = xp.sum(squares, axis=axis, keepdims=keepdims)
    zero = squared == 0
    length = xp.sqrt(xp.where(zero, xp.ones_like(squared), squared))
    return xp.where(zero, xp.zeros_like(squared), length)


def matrix_norm(xp: Any, x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Return the Frobenius norm of matrices, with slope 0 at zero."""
    if ord != "fro":
        raise GradientError(
            f"linalg.matrix_norm with `ord` = {ord!r} has no derivative; 'fro' has."
        )
    return vector_norm(xp, x, axis=(-2, -1), keepdims=keepdims)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "vecdot": vecdot,
    "tensordot": tensordot,
    "linalg.vecdot": vecdot,
    "linalg.tensordot": tensordot,
    "linalg.matmul": lambda xp, a, b, /: a @ b,
    "linalg.matrix_transpose": lambda xp, x, /: xp.matrix_transpose(x),
    "linalg.cross": cross,
    "linalg.outer": outer,
    "linalg.diagonal": diagonal,
    "linalg.trace": trace,
    "linalg.vector_norm": vector_norm,
    "linalg.matrix_norm": matrix_norm,
}
