"""Radial distribution function with smooth bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from xpmd.boundary import Boundary
from xpmd.concrete import concrete
from xpmd.observables.close_pairs import ClosePairs, close_pairs
from xpmd.observables.length import root
from xpmd.observables.positions import Positions, positions

Array = Any

#: Standard deviations after which the kernel ends; 2e-11 of it lies beyond.
TAIL = 7.0

#: Grid points a standard deviation holds at least, so that the kernel is Gaussian to 2e-5.
FINENESS = 4.0


def radial_distribution(
    coords: Any,
    boundary: Boundary | None = None,
    *,
    r_max: float,
    n_bins: int = 200,
    width: float | None = None,
    first: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    """Return distances `(n_bins,)` and g(r); differentiable by coordinates and box, twice.

    g_ab(r) = V/N_ab sum_{i in a, j in b, i != j} K(r - r_ij) / int S(r') K(r - r') dr'

    with N_ab pairs (i, j), a Gaussian K of standard deviation `width` and S the surface of a sphere
    (3D) or circle (2D). The shell is smoothed as the distances are, so an ideal gas has g(r) = 1 for
    any width. Each distance is spread over four points of a fine grid by a cubic B-spline and the
    grid is then smoothed, so the cost hardly depends on the number of bins.

    Args:
        coords: positions `(n, d)`, nm; or a System.
        boundary: the box of an array of positions; closed.
        r_max: largest distance, nm; at most half the smallest width of the box.
        n_bins: number of distances, in the middle of bins of equal size.
        width: standard deviation of the kernel, nm; two bins if left out.
        first, second: numbers of the atoms a and b for a partial g_ab; all atoms if left out.

    Raises:
        ValueError: the box is open or too small, or there is no pair, or a setting is not positive.

    Reference: Allen and Tildesley, Computer Simulation of Liquids (2017), 8.2.
    """
    where = positions(coords, boundary)
    step, spread = _sizes(where, r_max, n_bins, width)
    groups = [_numbers(name, group) for name, group in (("first", first), ("second", second))]
    n_pairs = _number_of_pairs(where.n_atoms, *groups)
    pairs = close_pairs(where, r_max + TAIL * spread, *groups, once=True)
    counts = _smooth_histogram(pairs, step, n_bins, spread)
    centers = [(k + 0.5) * step for k in range(n_bins)]
    shells = where.floats([_smooth_shell(r, spread, where.dimensions) for r in centers])
    assert where.boundary is not None
    return where.floats(centers), counts * (where.boundary.volume() / n_pairs) / shells


def _sizes(where: Positions, r_max: float, n_bins: int, width: float | None) -> tuple[float, float]:
    """Return the size of a bin and the width of the kernel, after a look at the settings."""
    for name, value in (("r_max", r_max), ("n_bins", n_bins), ("width", width)):
        if value is not None and not value > 0:
            raise ValueError(f"`{name}` = {value} must be positive.")
    if where.boundary is None or not all(where.boundary.periodic):
        raise ValueError(
            "A radial distribution needs a density, so a closed box: give a `boundary` without open "
            "sides."
        )
    narrowest = min(where.boundary.widths())
    if r_max > 0.5 * narrowest * (1 + 1e-12):
        raise ValueError(
            f"`r_max` = {r_max} nm is over half the smallest box width, {narrowest:g} nm: beyond "
            f"{0.5 * narrowest:g} nm part of each shell lies in no nearest image. Use a smaller `r_max`."
        )
    step = r_max / n_bins
    return step, 2.0 * step if width is None else width


def _numbers(name: str, group: Any) -> list[int] | None:
    if group is None:
        return None
    known = concrete(list(group) if isinstance(group, range) else group)
    if not isinstance(known, list):
        raise ValueError(f"`{name}` = {group!r} must be numbers of atoms that are known now.")
    numbers = [int(number) for number in known]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"`{name}` names an atom twice.")
    return numbers


def _number_of_pairs(n_atoms: int, first: list[int] | None, second: list[int] | None) -> int:
    one, other = (set(range(n_atoms) if group is None else group) for group in (first, second))
    count = len(one) * len(other) - len(one & other)
    if count < 1:
        raise ValueError(
            f"Groups of {len(one)} and {len(other)} atoms hold no pair of different atoms."
        )
    return count


def _smooth_histogram(pairs: ClosePairs, step: float, n_bins: int, spread: float) -> Array:
    """Return sum K(r_k - r_ij) over the pairs, at the middle r_k of each bin."""
    where, xp = pairs.where, pairs.where.xp
    # An even number of grid points a bin puts one in its middle.
    fine = 2 * max(1, math.ceil(0.5 * FINENESS * step / spread))
    spacing = step / fine
    tail = math.ceil(TAIL * spread / spacing)
    margin = tail + 3
    n_points = n_bins * fine + 2 * margin
    place = root(pairs.squared, xp=xp) / spacing + margin
    if pairs.mask is not None:
        place = xp.where(pairs.mask, place, float(margin) + xp.zeros_like(place))
    below = xp.floor(where.backend.stop_gradient(place))
    u = place - below
    number = where.backend.asarray(below, dtype=where.backend.capabilities.index_dtype)
    points = 0.0
    for shift, spline in zip(range(-1, 3), _cubic_spline(u), strict=True):
        deposit = pairs.masked(spline)
        points = points + where.backend.index_add(n_points, number + shift, deposit)
    # A cubic B-spline has a variance of a third of a squared spacing; the kernel adds the rest.
    variance = spread**2 - spacing**2 / 3.0
    kernel = [math.exp(-0.5 * (t * spacing) ** 2 / variance) for t in range(-tail, tail + 1)]
    scale = pairs.weight / (sum(kernel) * spacing)
    near = [
        margin + fine // 2 + k * fine + t for k in range(n_bins) for t in range(-tail, tail + 1)
    ]
    index = where.backend.asarray(
        near,
        dtype=where.backend.capabilities.index_dtype,
        device=where.backend.device_of(where.coords),
    )
    windows = xp.reshape(xp.take(points, index, axis=0), (n_bins, len(kernel)))
    return xp.matmul(windows, where.floats([scale * value for value in kernel]))


def _cubic_spline(u: Array) -> tuple[Array, Array, Array, Array]:
    """Return the weights of the four grid points around a place a fraction u beyond the second."""
    v = 1.0 - u
    return (
        v * v * v / 6.0,
        2.0 / 3.0 - u * u * (1.0 - 0.5 * u),
        2.0 / 3.0 - v * v * (1.0 - 0.5 * v),
        u * u * u / 6.0,
    )


def _smooth_shell(r: float, width: float, dimensions: int) -> float:
    """Return the surface of a sphere or circle averaged over a Gaussian of its radius, r' > 0."""
    z = r / width
    below = 0.5 * math.erfc(-z / math.sqrt(2.0))
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    if dimensions == 3:
        return 4.0 * math.pi * ((r * r + width * width) * below + r * width * density)
    return 2.0 * math.pi * (r * below + width * density)
