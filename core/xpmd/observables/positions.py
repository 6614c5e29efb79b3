"""Where the atoms are: what every observable of positions takes, a System or an array of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpmd.array_like import float_array_like
from xpmd.backend import Backend, backend_of
from xpmd.boundary import Boundary
from xpmd.concrete import concrete
from xpmd.module import flatten, unflatten
from xpmd.system import System

Array = Any


@dataclass(frozen=True)
class Positions:
    """Coordinates, the boundary they are in, and the library that holds them.

    Attributes:
        coords: `(..., n, d)`, nm.
        boundary: the box; `None` is open space.
        backend: that of the arrays.
        xp: namespace for the coordinates, the box and whatever else was named.
    """

    coords: Array
    boundary: Boundary | None
    backend: Backend
    xp: Any

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.coords.shape[-2])

    @property
    def dimensions(self) -> int:
        """Number of dimensions of space."""
        return int(self.coords.shape[-1])

    def components(self, index: Array | None = None) -> list[Array]:
        """Return one array `(n,)` a component, of all atoms or of some."""
        parts = [self.coords[..., k] for k in range(self.dimensions)]
        if index is None:
            return parts
        return [self.xp.take(part, index, axis=-1) for part in parts]

    def nearest(self, displacement: Sequence[Array]) -> Sequence[Array]:
        """Return the components of the shortest image of a displacement."""
        if self.boundary is None:
            return displacement
        return self.boundary.nearest(displacement, xp=self.xp)

    def constant(self) -> Positions:
        """Return the same positions without a gradient."""
        stop = self.backend.stop_gradient
        boundary = self.boundary
        if boundary is not None:
            leaves, structure = flatten(boundary)
            held = [stop(leaf) if self.backend.is_array(leaf) else leaf for leaf in leaves]
            boundary = unflatten(structure, held)
        coords = stop(self.coords)
        return Positions(coords, boundary, self.backend, self.backend.xp(coords))

    def index(self, name: str, atoms: Any, *, axes: int = 1) -> Array:
        """Return numbers of atoms as an integer array.

        Args:
            name: the argument, for errors.
            atoms: whole numbers with `axes` axes.

        Raises:
            ValueError: a number names no atom, or the axes are not as many.
        """
        known = concrete(atoms)
        if known is not None:
            _check_index(name, known, axes, self.n_atoms)
        return self.backend.asarray(
            atoms if known is None else _whole(known),
            dtype=self.backend.capabilities.index_dtype,
            device=self.backend.device_of(self.coords),
        )

    def everyone(self) -> Array:
        """Return the numbers of all atoms as an integer array."""
        return self.backend.asarray(
            range(self.n_atoms),
            dtype=self.backend.capabilities.index_dtype,
            device=self.backend.device_of(self.coords),
        )

    def floats(self, value: Any) -> Array:
        """Return numbers as an array of the type and on the device of the coordinates."""
        return float_array_like(value, self.coords)


def positions(where: Any, boundary: Boundary | None = None, *others: Any) -> Positions:
    """Return the positions of a System, or those in an array.

    Args:
        where: a System, or coordinates `(..., n, d)`, nm.
        boundary: the box of an array of coordinates, open space if left out; a System has its own.
        others: further arrays that the observable computes with.

    Raises:
        TypeError: `where` is neither, or a boundary was given beside a System.
    """
    if isinstance(where, System):
        if boundary is not None:
            raise TypeError("`boundary` was given beside a System, which has one of its own.")
        coords, boundary, backend = where.coords, where.boundary, where.backend
        others = (*others, where.atoms.mass, *where.atoms.parameters.values())
    else:
        if len(getattr(where, "shape", ())) < 2:
            raise TypeError(f"{where!r} must be a System or coordinates of shape (n, d).")
        coords, backend = where, backend_of(where)
    if boundary is not None and boundary.dimensions != coords.shape[-1]:
        raise ValueError(
            f"The coordinates have shape {tuple(coords.shape)}; {type(boundary).__name__} needs "
            f"(n_atoms, {boundary.dimensions})."
        )
    box = [] if boundary is None else flatten(boundary)[0]
    return Positions(coords, boundary, backend, backend.xp(coords, *box, *others))


def _whole(value: Any) -> Any:
    return [_whole(part) for part in value] if isinstance(value, list) else int(value)


def _check_index(name: str, known: Any, axes: int, n_atoms: int) -> None:
    depth, level = 0, known
    while isinstance(level, list):
        depth, level = depth + 1, level[0] if level else None
    if depth != axes and not (level is None and depth <= axes):
        wanted = "one row" if axes == 1 else "rows"
        raise ValueError(f"`{name}` = {known} must be {wanted} of numbers of atoms.")
    stack = [known]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif int(item) != item or not 0 <= item < n_atoms:
            raise ValueError(
                f"`{name}` names atom {item:g}; there are atoms 0 to {n_atoms - 1} here."
            )
