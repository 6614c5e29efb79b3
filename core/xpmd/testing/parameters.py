"""The numbers in a component that gradients reach, as a flat list with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optree

from xpmd.backend import Backend
from xpmd.module import NAMESPACE, unflatten
from xpmd.testing.agreement import host_namespace, on_host

Array = Any
Arrays = tuple[Any, ...]


class Parameters:
    """The float arrays of a System, or of a System and a simulator, and the way back.

    Attributes:
        names: where each is in the tree, such as "atoms.sigma" or "interaction.cutoff.distance".
        values: the arrays.
    """

    def __init__(self, tree: Any, on: Backend, *, without: Sequence[str] = ()) -> None:
        paths, self._leaves, self._spec = optree.tree_flatten_with_path(tree, namespace=NAMESPACE)
        self._on = on
        self._places = []
        names = []
        for k, (path, leaf) in enumerate(zip(paths, self._leaves, strict=True)):
            name = _name(path)
            if "float" in on.dtype_name(leaf) and name not in without:
                self._places.append(k)
                names.append(name)
        self.names = tuple(names)
        self.values: Arrays = tuple(self._leaves[k] for k in self._places)

    def items(self) -> list[tuple[str, Array]]:
        """Return names and arrays."""
        return list(zip(self.names, self.values, strict=True))

    def tree(self, values: Sequence[Array]) -> Any:
        """Return the tree with other arrays in the places of `values`; nothing is validated."""
        leaves = list(self._leaves)
        for place, value in zip(self._places, values, strict=True):
            leaves[place] = value
        return unflatten(self._spec, leaves)

    def host(self) -> dict[str, Array]:
        """Return the values on the host by name."""
        return dict(zip(self.names, map(on_host, self.values), strict=True))

    def tree_with(self, name: str, value: Array) -> Any:
        """Return the tree with one array replaced by a host array."""
        values = list(self.values)
        place = self.names.index(name)
        dtype = self._on.dtype_name(values[place])
        values[place] = self._on.asarray(value, dtype=dtype)
        return self.tree(values)


def reaches_of(value: Array) -> Array:
    """Return how far each entry of a parameter can move: its size, or that of the largest, or 1."""
    xp = host_namespace()
    size = xp.abs(value)
    largest = float(xp.max(size)) if value.size else 0.0
    return xp.where(size > 0.0, size, largest if largest > 0.0 else 1.0)


def _name(path: Sequence[Any]) -> str:
    words = [str(part) for part in path]
    if words[0] in ("0", "1"):  # of a System and a simulator
        words = words[1:] if words[0] == "0" else ["simulator", *words[1:]]
    if words[:2] == ["interactions", "0"]:
        words[:2] = ["interaction"]
    if words[:2] == ["atoms", "parameters"]:
        words[:2] = ["atoms"]
    return ".".join(words)
