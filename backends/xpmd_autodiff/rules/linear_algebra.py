"""Derivatives of matrix functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.errors import GradientError
from xpmd_autodiff.rules.rule import (
    Array,
    Pull,
    Rule,
    conjugate,
    is_complex,
    of_kind,
    unbroadcast,
)


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


def _adjoint(xp: Any, matrix: Array) -> Array:
    return conjugate(xp, xp.matrix_transpose(matrix))


def _symmetric(xp: Any, matrix: Array) -> Array:
    """Return the Hermitian part, which is all that a library reads of the matrix."""
    return 0.5 * (matrix + _adjoint(xp, matrix))


def _eigh_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    values, vectors = out
    inner = _adjoint(xp, vectors) @ _symmetric(xp, tangents[0]) @ vectors
    along = of_kind(xp, xp.linalg.diagonal(inner), values.dtype)
    return along, vectors @ (_inverse_gaps(xp, values) * inner)


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
        return [_symmetric(xp, conjugate(xp, vectors) @ inner @ turned)]

    return pull


def _eigvalsh_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    vectors = xp.linalg.eigh(args[0])[1]
    inner = _adjoint(xp, vectors) @ _symmetric(xp, tangents[0]) @ vectors
    return of_kind(xp, xp.linalg.diagonal(inner), out.dtype)


def _eigvalsh_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    vectors = xp.linalg.eigh(args[0])[1]
    turned = xp.matrix_transpose(vectors)
    return lambda cotangent: [
        _symmetric(xp, (conjugate(xp, vectors) * xp.expand_dims(cotangent, axis=-2)) @ turned)
    ]


def _require_thin_and_real(xp: Any, x: Array, kwargs: dict[str, Any]) -> None:
    if is_complex(xp, x):
        raise GradientError("linalg.svd of complex matrices has no rule; that of real ones has.")
    if kwargs.get("full_matrices", True) and x.shape[-1] != x.shape[-2]:
        raise GradientError(
            "linalg.svd with `full_matrices` = True has no derivative: nothing fixes the vectors that "
            "complete the basis. Use full_matrices=False."
        )


def _svd_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    _require_thin_and_real(xp, args[0], kwargs)
    u, s, vh = out
    change, v = tangents[0], xp.matrix_transpose(vh)
    inner = xp.matrix_transpose(u) @ change @ v
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)
    gaps = _inverse_gaps(xp, s * s)
    transposed = xp.matrix_transpose(inner)
    along_u = u @ (gaps * (inner * row + column * transposed))
    along_v = v @ (gaps * (column * inner + transposed * row))
    # What leaves the space that a long side's vectors span.
    if u.shape[-2] > u.shape[-1]:
        along_u = along_u + (change @ v - u @ inner) / row
    if v.shape[-2] > v.shape[-1]:
        along_v = along_v + (xp.matrix_transpose(change) @ u - v @ transposed) / row
    return along_u, xp.linalg.diagonal(inner), xp.matrix_transpose(along_v)


def _svd_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    _require_thin_and_real(xp, args[0], kwargs)
    u, s, vh = out
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)
    turned, v = xp.matrix_transpose(u), xp.matrix_transpose(vh)
    same = xp.eye(s.shape[-1], dtype=s.dtype, device=xp.device_of(s))

    def turning(basis: Array, cotangent: Array) -> Array:
        inner = xp.matrix_transpose(basis) @ cotangent
        return _inverse_gaps(xp, s * s) * (inner - xp.matrix_transpose(inner))

    def pull(cotangent: Any) -> Sequence[Any]:
        to_u, to_s, to_vh = cotangent
        inner, total = 0.0, None
        if to_s is not None:
            inner = same * xp.expand_dims(to_s, axis=-1)
        if to_u is not None:
            inner = inner + turning(u, to_u) * row
            if u.shape[-2] > u.shape[-1]:
                total = ((to_u - u @ (turned @ to_u)) / row) @ vh
        if to_vh is not None:
            to_v = xp.matrix_transpose(to_vh)
            inner = inner + column * turning(v, to_v)
            if v.shape[-2] > v.shape[-1]:
                outside = u @ xp.matrix_transpose((to_v - v @ (vh @ to_v)) / row)
                total = outside if total is None else total + outside
        inside = u @ inner @ vh
        return [inside if total is None else inside + total]

    return pull


def _svdvals_jvp(
    xp: Any, out: Any, args: Sequence[Any], tangents: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    u, _, vh = xp.linalg.svd(args[0], full_matrices=False)
    return xp.linalg.diagonal(xp.matrix_transpose(u) @ tangents[0] @ xp.matrix_transpose(vh))


def _svdvals_vjp(
    xp: Any, out: Any, args: Sequence[Any], wanted: Sequence[bool], kwargs: dict[str, Any]
) -> Pull:
    _require_thin_and_real(xp, args[0], {"full_matrices": False})
    u, _, vh = xp.linalg.svd(args[0], full_matrices=False)
    return lambda cotangent: [(u * xp.expand_dims(cotangent, axis=-2)) @ vh]


RULES: dict[str, Rule] = {
    "matmul": Rule(_matmul_jvp, _matmul_vjp),
    "linalg.inv": Rule(_inv_jvp, _inv_vjp),
    "linalg.det": Rule(_det_jvp, _det_vjp),
    "linalg.solve": Rule(_solve_jvp, _solve_vjp),
    "linalg.eigh": Rule(_eigh_jvp, _eigh_vjp),
    # Equal eigenvalues have derivatives in order of size; their vectors have none.
    "linalg.eigvalsh": Rule(_eigvalsh_jvp, _eigvalsh_vjp),
    "linalg.svd": Rule(_svd_jvp, _svd_vjp),
    "linalg.svdvals": Rule(_svdvals_jvp, _svdvals_vjp),
}
