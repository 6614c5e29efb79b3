"""Correlation in time of what was recorded along a run, and its integral."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend_of

Array = Any


def time_correlation(records: Array, *, max_lag: int | None = None) -> Array:
    """Return C(k) = mean_t x(t) . x(t + k) for lags k = 0 ... max_lag, `(max_lag + 1,)`.

    The product is summed over all axes but the first; every pair of records k apart counts. By the
    theorem of Wiener and Khinchin, in n log n operations: the spectrum of the records, padded so that
    the end does not meet the beginning, times its conjugate, transformed back.

    Args:
        records: `(n_records, ...)`, evenly spaced in time.
        max_lag: largest lag, in records; all if left out.
    """
    xp = backend_of(records).xp(records)
    n_records = int(records.shape[0])
    n_lags = lags(n_records, max_lag)
    flat = xp.reshape(records, (n_records, -1))
    size = _fast_size(n_records + n_lags)
    spectrum = xp.fft.rfft(flat, n=size, axis=0)
    power = xp.sum(spectrum * xp.conj(spectrum), axis=1)
    total = xp.fft.irfft(power, n=size)[:n_lags]
    return total / counts(records, n_records, n_lags)


def running_integral(values: Array, spacing: float) -> Array:
    """Return the integral from 0 to each point by the trapezoidal rule, `(n,)`, 0 first.

    Args:
        values: `(n,)` at evenly spaced points.
        spacing: distance of two points: for records the time step times the steps between them, ps.
    """
    xp = backend_of(values).xp(values)
    middles = 0.5 * (values[1:] + values[:-1]) * spacing
    return xp.concat([0.0 * values[:1], xp.cumulative_sum(middles, axis=0)], axis=0)


def lags(n_records: int, max_lag: int | None) -> int:
    """Return the number of lags from 0 to the largest one.

    Raises:
        ValueError: the largest lag is negative or longer than the run.
    """
    if max_lag is None:
        return n_records
    if int(max_lag) != max_lag or not 0 <= max_lag < n_records:
        raise ValueError(
            f"`max_lag` = {max_lag} must be 0 to {n_records - 1} for {n_records} records."
        )
    return int(max_lag) + 1


def counts(like: Array, n_records: int, n_lags: int) -> Array:
    """Return how many pairs of records are 0, 1, ... apart."""
    backend = backend_of(like)
    numbers = [float(n_records - lag) for lag in range(n_lags)]
    return backend.asarray(numbers, dtype=backend.dtype_name(like), device=backend.device_of(like))


def _fast_size(at_least: int) -> int:
    """Return the next product of twos, threes and fives, lengths that transform fast."""
    size = max(1, at_least)
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1
