"""Structures turned and moved onto a reference so that they agree as well as they can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpmd.backend import Backend

Array = Any

#: Share of the largest curvature below which a turn costs nothing: the best one is not unique there.
FLAT = 1e-6


def superposed(
    coords: Array, reference: Array, share: Array, *, backend: Backend, xp: Any
) -> tuple[Array, Array]:
    """Return centered structures turned onto the centered reference, and that reference.

    The rotation R minimizes sum_i w_i |R (x_i - c) - (y_i - d)|^2; reflections are left out. Its value
    comes from the eigenvector of largest eigenvalue of a 4x4 matrix (3D; Horn, J. Opt. Soc. Am. A 4,
    629 (1987)) and carries no gradient. Its derivative is that of one Newton step from the minimum,
    omega = H^-1 tau with torque tau and curvature H, so no difference of eigenvalues is divided by: it
    is exact where the best rotation is unique, and 0 along a turn that changes nothing (atoms on a
    line, one atom).

    Args:
        coords: `(..., n, d)`, nm, d = 2 or 3.
        reference: `(n, d)` or `(..., n, d)`, nm.
        share: weights `(n,)` that sum to 1.

    Returns:
        Two arrays `(..., n, d)`.
    """
    dimensions = coords.shape[-1]
    if dimensions not in (2, 3):
        raise ValueError(f"Structures are superposed in 2 or 3 dimensions, not {dimensions}.")
    column = xp.expand_dims(share, axis=-1)
    moving = coords - xp.sum(column * coords, axis=-2, keepdims=True)
    fixed = reference - xp.sum(column * reference, axis=-2, keepdims=True)
    overlap = xp.matmul(xp.matrix_transpose(column * moving), fixed)
    held = backend.stop_gradient(overlap)
    plain = backend.xp(held)
    rotation = _plane_rotation(held, plain) if dimensions == 2 else _rotation(held, plain)
    turned = xp.matmul(moving, plain.matrix_transpose(rotation))
    # The overlap after the turn: symmetric in value, so the torque is zero and only its slope is not.
    after = xp.matmul(rotation, overlap)
    return _with_response(turned, after, backend=backend, xp=xp), fixed


def _rotation(overlap: Array, xp: Any) -> Array:
    """Return the matrices R, `(..., 3, 3)`, that turn x onto y, of overlaps S_ab = sum w x_a y_b."""
    s = [[overlap[..., a, b] for b in range(3)] for a in range(3)]
    torque = [s[1][2] - s[2][1], s[2][0] - s[0][2], s[0][1] - s[1][0]]
    trace = s[0][0] + s[1][1] + s[2][2]
    rows = [[trace, *torque]]
    for a in range(3):
        own = [s[a][b] + s[b][a] - (trace if a == b else 0.0) for b in range(3)]
        rows.append([torque[a], *own])
    matrix = xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
    best = xp.linalg.eigh(matrix)[1][..., -1]
    w, x, y, z = (best[..., k] for k in range(4))
    entries = [
        [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in entries], axis=-2)


def _plane_rotation(overlap: Array, xp: Any) -> Array:
    """Return the matrices `(..., 2, 2)` that turn x onto y in the plane."""
    cosine = overlap[..., 0, 0] + overlap[..., 1, 1]
    sine = overlap[..., 0, 1] - overlap[..., 1, 0]
    angle = xp.atan2(sine, cosine)
    cosine, sine = xp.cos(angle), xp.sin(angle)
    rows: Sequence[Array] = [
        xp.stack([cosine, -sine], axis=-1),
        xp.stack([sine, cosine], axis=-1),
    ]
    return xp.stack(rows, axis=-2)


def _with_response(turned: Array, after: Array, *, backend: Backend, xp: Any) -> Array:
    """Return turned structures that follow a change of the overlap by a turn omega, zero in value.

    exp(omega x) is taken to second order, which makes second derivatives at the minimum exact.
    """
    held = backend.stop_gradient(after)
    plain = backend.xp(held)
    parts = [turned[..., k] for k in range(turned.shape[-1])]
    if len(parts) == 2:
        torque = [after[..., 0, 1] - after[..., 1, 0]]
        curvature = held[..., 0, 0] + held[..., 1, 1]
        bend = plain.reshape(curvature, (*curvature.shape, 1, 1))
    else:
        torque = [
            after[..., 1, 2] - after[..., 2, 1],
            after[..., 2, 0] - after[..., 0, 2],
            after[..., 0, 1] - after[..., 1, 0],
        ]
        trace = held[..., 0, 0] + held[..., 1, 1] + held[..., 2, 2]
        one = plain.eye(3, dtype=held.dtype, device=backend.device_of(held))
        scaled = plain.expand_dims(plain.expand_dims(trace, axis=-1), axis=-1) * one
        bend = scaled - 0.5 * (held + plain.matrix_transpose(held))
    slope = xp.stack([each - backend.stop_gradient(each) for each in torque], axis=-1)
    omega = xp.sum(
        _pseudo_inverse(bend, plain) * xp.expand_dims(slope, axis=-2), axis=-1, keepdims=True
    )
    turn = [omega[..., k, :] for k in range(len(torque))]
    first = _crossed(turn, parts)
    second = _crossed(turn, first)
    moved = [p + a + 0.5 * b for p, a, b in zip(parts, first, second, strict=True)]
    return xp.stack(moved, axis=-1)


def _crossed(turn: Sequence[Array], parts: Sequence[Array]) -> list[Array]:
    """Return omega x r; in the plane omega points out of it."""
    if len(parts) == 2:
        return [-turn[0] * parts[1], turn[0] * parts[0]]
    return [
        turn[1] * parts[2] - turn[2] * parts[1],
        turn[2] * parts[0] - turn[0] * parts[2],
        turn[0] * parts[1] - turn[1] * parts[0],
    ]


def _pseudo_inverse(matrix: Array, xp: Any) -> Array:
    """Return the inverse of symmetric matrices, 0 along directions that are flat."""
    sizes, axes = xp.linalg.eigh(matrix)
    steep = sizes > FLAT * sizes[..., -1:]
    inverse = xp.where(steep, 1.0 / xp.where(steep, sizes, xp.ones_like(sizes)), 0.0 * sizes)
    return xp.matmul(axes * xp.expand_dims(inverse, axis=-2), xp.matrix_transpose(axes))
