"""Mean-square displacement."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.positions import positions
from xpmd_observables.correlation import counts, lags, time_correlation
from xpmd_observables.unwrapping import require_records, unwrapped

Array = Any


def mean_square_displacement(
    trajectory: Array,
    boundary: Boundary | None = None,
    *,
    boxes: Any = None,
    max_lag: int | None = None,
    atoms: Any = None,
    remove_drift: bool = False,
) -> Array:
    """Return mean over times t and atoms i of |u_i(t + k) - u_i(t)|^2, `(max_lag + 1,)`, nm^2.

    u are the positions without jumps across the boundary. Every pair of records counts; the mean is
    written with a correlation, in n log n operations (Calandrini et al., Collection SFN 12, 201
    (2011)). A lag over much less than the run keeps all digits in float64; in float32 the first lags
    of a long run lose some.

    Args:
        trajectory: positions along the run, `(n_records, n, d)`, nm; records must be close enough
            that no atom moves half the box between them.
        boundary: the box; open space, or positions already unwrapped, if left out.
        boxes: parameters of the box along the run, as `box_parameters` records them.
        max_lag: largest lag, in records; all if left out.
        atoms: numbers of the atoms to look at; all if left out.
        remove_drift: whether to subtract the mean displacement of those atoms.
    """
    require_records(trajectory)
    path = unwrapped(trajectory, boundary, boxes=boxes)
    place = positions(path)
    xp = place.xp
    if atoms is not None:
        path = xp.take(path, place.index("atoms", atoms), axis=1)
    if remove_drift:
        path = path - xp.mean(path, axis=1, keepdims=True)
    # Displacements do not change, but squares stay small.
    path = path - xp.mean(path, axis=0, keepdims=True)
    n_records, n_atoms = int(path.shape[0]), int(path.shape[1])
    n_lags = lags(n_records, max_lag)
    correlation = time_correlation(path, max_lag=max_lag)
    squares = xp.sum(path * path, axis=(1, 2))
    until = xp.cumulative_sum(squares, axis=0)
    # |u(t+k)|^2 and |u(t)|^2 summed over t: the squares without the first, or the last, k of them.
    without_last = xp.flip(until, axis=0)[:n_lags]
    without_first = xp.flip(xp.cumulative_sum(xp.flip(squares, axis=0), axis=0), axis=0)[:n_lags]
    ends = (without_last + without_first) / counts(path, n_records, n_lags)
    return (ends - 2.0 * correlation) / n_atoms
