"""Derivatives of matrix functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd_autodiff.rules.rule import Array, Pull, Rule, unbroadcast


def _matmul_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    a, b = args
    da, db = tangents
    if da is None:
        return a @ db
    return da @ b if db is None else da @ b + a @ db


def _matmul_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    a, b = args
    rows = xp.expand_dims(a, axis=0) if a.ndim == 1 else a
    columns = xp.expand_dims(b, axis=1) if b.ndim == 1 else b

    def pull(cotangent: Any) -> Sequence[Any]:
        if a.ndim == 1:
            cotangent = xp.expand_dims(cotangent, axis=-1 if b.ndim == 1 else -2)
        if b.ndim == 1:
            cotangent = xp.expand_dims(cotangent, axis=-1)
        to_a = to_b = None
        if wanted[0]:
            to_a = cotangent @ xp.matrix_transpose(columns)
            to_a = xp.reshape(unbroadcast(xp, to_a, rows.shape, a.dtype), a.shape)
        if wanted[1]:
            to_b = xp.matrix_transpose(rows) @ cotangent
            to_b = xp.reshape(unbroadcast(xp, to_b, columns.shape, b.dtype), b.shape)
        return [to_a, to_b]

    return pull


def _inv_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    return -(out @ tangents[0] @ out)


def _inv_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    turned = xp.matrix_transpose(out)
    return lambda cotangent: [-(turned @ cotangent @ turned)]


def _on_matrices(xp: Any, scale: Array) -> Array:
    return xp.expand_dims(xp.expand_dims(scale, axis=-1), axis=-1)


def _det_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    turned = xp.matrix_transpose(xp.linalg.inv(args[0]))
    return out * xp.sum(turned * tangents[0], axis=(-2, -1))


def _det_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    turned = xp.matrix_transpose(xp.linalg.inv(args[0]))
    return lambda cotangent: [_on_matrices(xp, cotangent * out) * turned]


def _solve_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    a, _ = args
    da, db = tangents
    right = db
    if da is not None:
        right = -(da @ out) if right is None else right - da @ out
    return xp.linalg.solve(a, right)


def _solve_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    a, b = args

    def pull(cotangent: Any) -> Sequence[Any]:
        back = xp.linalg.solve(xp.matrix_transpose(a), cotangent)
        if b.ndim == 1:
            outer = xp.expand_dims(back, axis=-1) * xp.expand_dims(out, axis=-2)
        else:
            outer = back @ xp.matrix_transpose(out)
        return [
            unbroadcast(xp, -outer, a.shape, a.dtype) if wanted[0] else None,
            unbroadcast(xp, back, b.shape, b.dtype) if wanted[1] else None,
        ]

    return pull


def _inverse_gaps(xp: Any, values: Array) -> Array:
    """Return 1 / (w_j - w_i), and 0 on the diagonal; equal eigenvalues have no derivative."""
    gaps = xp.expand_dims(values, axis=-2) - xp.expand_dims(values, axis=-1)
    same = xp.eye(values.shape[-1], dtype=values.dtype, device=xp.device_of(values))
    return (1 - same) / (gaps + same)


def _symmetric(xp: Any, matrix: Array) -> Array:
    return 0.5 * (matrix + xp.matrix_transpose(matrix))


def _eigh_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    values, vectors = out
    inner = xp.matrix_transpose(vectors) @ _symmetric(xp, tangents[0]) @ vectors
    return xp.linalg.diagonal(inner), vectors @ (_inverse_gaps(xp, values) * inner)


def _eigh_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    values, vectors = out
    turned = xp.matrix_transpose(vectors)
    same = xp.eye(values.shape[-1], dtype=values.dtype, device=xp.device_of(values))

    def pull(cotangent: Any) -> Sequence[Any]:
        of_values, of_vectors = cotangent
        inner = 0
        if of_values is not None:
            inner = same * xp.expand_dims(of_values, axis=-1)
        if of_vectors is not None:
            inner = inner + _inverse_gaps(xp, values) * (turned @ of_vectors)
        return [_symmetric(xp, vectors @ inner @ turned)]

    return pull


RULES: dict[str, Rule] = {
    "matmul": Rule(_matmul_jvp, _matmul_vjp),
    "linalg.inv": Rule(_inv_jvp, _inv_vjp),
    "linalg.det": Rule(_det_jvp, _det_vjp),
    "linalg.solve": Rule(_solve_jvp, _solve_vjp),
    "linalg.eigh": Rule(_eigh_jvp, _eigh_vjp),
}
