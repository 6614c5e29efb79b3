"""Derivatives of discrete Fourier transforms, which are linear.

The matrix of a transform is symmetric, so a cotangent is carried back by the transform itself; what
padding, cropping and the halved spectrum of real data add is undone around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xpmd_autodiff.rules.rule import Array, Rule, conjugate, linear

#: The norm that scales the inverse transform as a given one scales the transform.
_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _resized(xp: Any, x: Array, size: int, axis: int) -> Array:
    """Crop an axis at its end, or fill it up with zeros."""
    at, present = axis % x.ndim, x.shape[axis]
    if present > size:
        return x[(slice(None),) * at + (slice(0, size), ...)]
    if present < size:
        missing = (*x.shape[:at], size - present, *x.shape[at + 1 :])
        zeros = xp.zeros(missing, dtype=x.dtype, device=xp.device_of(x))
        return xp.concat([x, zeros], axis=at)
    return x


def _transposed(name: str) -> Callable[..., Array]:
    """Return the transpose of `fft` or `ifft`: pad, transform, transposed one by one."""

    def transpose(
        xp: Any,
        ct: Array,
        shape: tuple[int, ...],
        n: int | None = None,
        axis: int = -1,
        norm: str = "backward",
    ) -> Array:
        back = xp.function(name)(ct, axis=axis, norm=norm)
        return _resized(xp, back, shape[axis], axis)

    return transpose


def _transposed_over_axes(name: str) -> Callable[..., Array]:
    """Return the transpose of `fftn` or `ifftn`."""

    def transpose(
        xp: Any,
        ct: Array,
        shape: tuple[int, ...],
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
        norm: str = "backward",
    ) -> Array:
        axes = _axes(len(shape), s, axes)
        back = xp.function(name)(ct, axes=axes, norm=norm)
        for axis in axes:
            back = _resized(xp, back, shape[axis], axis)
        return back

    return transpose


def _rfft_transpose(
    xp: Any,
    ct: Array,
    shape: tuple[int, ...],
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    # Only half of the frequencies come out; the others get no cotangent.
    back = xp.fft.fft(ct, n=shape[axis] if n is None else n, axis=axis, norm=norm)
    return _resized(xp, back, shape[axis], axis)


def _irfft_transpose(
    xp: Any,
    ct: Array,
    shape: tuple[int, ...],
    n: int | None = None,
    axis: int = -1,
    norm: str = "backward",
) -> Array:
    n = ct.shape[axis]
    back = xp.conj(xp.fft.rfft(ct, axis=axis, norm=_OPPOSITE[norm]))
    # A frequency in the middle enters twice, as itself and as its conjugate.
    counts = [1.0 if 2 * k in (0, n) else 2.0 for k in range(n // 2 + 1)]
    weights = xp.asarray(counts, dtype=ct.dtype, device=xp.device_of(ct))
    along = [1] * ct.ndim
    along[axis] = len(counts)
    return _resized(xp, back * xp.reshape(weights, tuple(along)), shape[axis], axis)


def _axes(dimensions: int, s: Sequence[int] | None, axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        count = dimensions if s is None else len(s)
        return tuple(range(dimensions - count, dimensions))
    return tuple(axis % dimensions for axis in axes)


def rfftn(
    xp: Any,
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """Transform real data along its last axis, then along the others."""
    *others, last = _axes(x.ndim, s, axes)
    *sizes, size = [None] * (len(others) + 1) if s is None else s
    x = xp.fft.rfft(x, n=size, axis=last, norm=norm)
    if not others:
        return x
    return xp.fft.fftn(x, s=None if s is None else tuple(sizes), axes=tuple(others), norm=norm)


def irfftn(
    xp: Any,
    x: Array,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
) -> Array:
    """Undo `rfftn`: the last axis comes last."""
    *others, last = _axes(x.ndim, s, axes)
    *sizes, size = [None] * (len(others) + 1) if s is None else s
    if others:
        some = None if s is None else tuple(sizes)
        x = xp.fft.ifftn(x, s=some, axes=tuple(others), norm=norm)
    return xp.fft.irfft(x, n=size, axis=last, norm=norm)


def hfft(
    xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward"
) -> Array:
    """Return the real spectrum of Hermitian data."""
    return xp.fft.irfft(conjugate(xp, x), n=n, axis=axis, norm=_OPPOSITE[norm])


def ihfft(
    xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward"
) -> Array:
    """Return the Hermitian data of a real spectrum."""
    return xp.conj(xp.fft.rfft(x, n=n, axis=axis, norm=_OPPOSITE[norm]))


def _rolled(sign: int) -> Callable[..., Array]:
    def shift(xp: Any, x: Array, /, *, axes: int | Sequence[int] | None = None) -> Array:
        if axes is None:
            axes = range(x.ndim)
        axes = (axes,) if isinstance(axes, int) else tuple(axes)
        # Forward by half, rounded down; back by the same.
        return xp.roll(x, tuple(sign * (x.shape[axis] // 2) for axis in axes), axis=axes)

    return shift


RULES: dict[str, Rule] = {
    **{
        f"fft.{name}": linear(f"fft.{name}", _transposed(f"fft.{name}")) for name in ("fft", "ifft")
    },
    **{
        f"fft.{name}": linear(f"fft.{name}", _transposed_over_axes(f"fft.{name}"))
        for name in ("fftn", "ifftn")
    },
    "fft.rfft": linear("fft.rfft", _rfft_transpose),
    "fft.irfft": linear("fft.irfft", _irfft_transpose),
}
COMPOSITES: dict[str, Callable[..., Any]] = {
    "fft.rfftn": rfftn,
    "fft.irfftn": irfftn,
    "fft.hfft": hfft,
    "fft.ihfft": ihfft,
    "fft.fftshift": _rolled(1),
    "fft.ifftshift": _rolled(-1),
}
