"""How straight chains are."""

from __future__ import annotations

from typing import Any

from xpmd.boundary import Boundary
from xpmd.observables.length import inverse, root, squared_length
from xpmd.observables.positions import Positions, positions

Array = Any


def straightness(where: Any, chains: Any, *, boundary: Boundary | None = None) -> Array:
    """Return the end-to-end distance over the contour length of each chain, `(n_chains,)`, 0 to 1.

    Both are sums of the shortest images of consecutive displacements, so a chain may cross the
    boundary. A chain of no length has 0.

    Args:
        where: a System, or positions `(n, d)`, nm.
        chains: numbers of atoms, one chain a row, `(n_chains, n_beads)`.
        boundary: the box of an array of positions; open space if left out.
    """
    place = positions(where, boundary)
    segments = chain_segments(place, chains)
    xp = place.xp
    ends = root(squared_length([xp.sum(part, axis=1) for part in segments]), xp=xp)
    contour = xp.sum(root(squared_length(segments), xp=xp), axis=1)
    return ends * inverse(contour, xp=xp)


def chain_segments(place: Positions, chains: Any) -> list[Array]:
    """Return the components of the displacements along each chain, `(n_chains, n_beads - 1)`.

    Raises:
        ValueError: the chains are no rows of two or more atoms.
    """
    rows = place.index("chains", chains, axes=2)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise ValueError(
            f"`chains` has shape {tuple(rows.shape)}; give (n_chains, n_beads), two beads or more."
        )
    xp = place.xp
    shape = tuple(int(size) for size in rows.shape)
    beads = [xp.reshape(part, shape) for part in place.components(xp.reshape(rows, (-1,)))]
    return list(place.nearest([bead[:, 1:] - bead[:, :-1] for bead in beads]))
