"""Diffusion coefficients."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend_of
from xpmd_observables.correlation import running_integral

Array = Any


def diffusion_from_displacements(
    displacements: Array,
    spacing: float,
    *,
    dimensions: int = 3,
    start: int | None = None,
    stop: int | None = None,
) -> Array:
    """Return D = slope/(2 d) of a straight line through the mean-square displacement, nm^2/ps.

    By least squares, as Einstein's relation says for long times. 1 nm^2/ps = 0.01 cm^2/s.

    Args:
        displacements: mean-square displacement at lags 0, 1, ..., `(n,)`, nm^2.
        spacing: time between records, ps.
        dimensions: d.
        start, stop: first lag that counts and the one after the last; a tenth and half of the lags
            if left out: before, motion is not yet diffusive, after, few pairs of records are averaged.

    Raises:
        ValueError: fewer than two lags are left.
    """
    n_lags = int(displacements.shape[0])
    first = max(1, n_lags // 10) if start is None else start
    last = max(first + 2, n_lags // 2) if stop is None else stop
    if not 0 <= first < last - 1 or last > n_lags:
        raise ValueError(
            f"`start` = {first} and `stop` = {last} must leave two of the {n_lags} lags at least."
        )
    backend = backend_of(displacements)
    middle = 0.5 * (first + last - 1)
    squares = sum((lag - middle) ** 2 for lag in range(first, last))
    weights = backend.asarray(
        [(lag - middle) / (squares * spacing) for lag in range(first, last)],
        dtype=backend.dtype_name(displacements),
        device=backend.device_of(displacements),
    )
    xp = backend.xp(displacements)
    return xp.sum(weights * displacements[first:last]) / (2.0 * dimensions)


def diffusion_from_velocities(
    autocorrelation: Array, spacing: float, *, dimensions: int = 3
) -> Array:
    """Return D = 1/d int_0 C(t) dt up to the last lag, nm^2/ps (Green and Kubo).

    Args:
        autocorrelation: C at lags 0, 1, ..., `(n,)`, nm^2/ps^2, as `velocity_autocorrelation`
            returns it; up to a lag at which it has decayed, and not much further: its noise adds up.
        spacing: time between records, ps.
        dimensions: d.
    """
    return running_integral(autocorrelation, spacing)[-1] / float(dimensions)
