"""Orientational order of the segments of chains."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import inverse, root, squared_length
from xpmd.observables.positions import positions
from xpmd_observables.chains import chain_segments

Array = Any


def segment_order(
    where: Any, chains: Any, *, director: Any = None, boundary: Boundary | None = None
) -> Array:
    """Return the nematic order parameter S of the segments of all chains, a scalar.

    With unit vectors u of the segments and Q = mean (d u u^T - 1)/(d - 1), S is the largest
    eigenvalue of Q: 1 if all are parallel, 0 if they point anywhere. With a director n, S is
    n^T Q n, which is mean P_2(cos) in three dimensions: -1/2 if all are perpendicular to it.

    Args:
        where: a System, or positions `(n, d)`, nm.
        chains: numbers of atoms, one chain a row, `(n_chains, n_beads)`.
        director: `(d,)`, of any length; the one that gives the largest S if left out.
        boundary: the box of an array of positions; open space if left out.

    Reference: de Gennes and Prost, The Physics of Liquid Crystals (1993), 2.1.
    """
    place = positions(where, boundary, director)
    xp, d = place.xp, place.dimensions
    segments = chain_segments(place, chains)
    per_length = inverse(root(squared_length(segments), xp=xp), xp=xp)
    units = [part * per_length for part in segments]
    if director is not None:
        along = place.floats(director)
        if tuple(along.shape) != (d,):
            raise ValueError(f"`director` has shape {tuple(along.shape)}; it must be ({d},).")
        along = along / root(xp.sum(along * along), xp=xp)
        cosine = sum(part * along[k] for k, part in enumerate(units))
        return (float(d) * xp.mean(cosine * cosine) - 1.0) / (d - 1.0)
    one = xp.eye(d, dtype=place.coords.dtype, device=place.backend.device_of(place.coords))
    mean = xp.stack([xp.stack([xp.mean(a * b) for b in units]) for a in units])
    return xp.linalg.eigvalsh((float(d) * mean - one) / (d - 1.0))[-1]
