"""Building a neighbor list by compiled code, also where nobody else compiles."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any

from xpmd.backend import Backend
from xpmd.kernels import KERNELS
from xpmd.module import flatten, unflatten
from xpmd.neighbor_list import NeighborList

Array = Any


def built(backend: Backend, parts: Any, coords: Array, plan: Any) -> NeighborList:
    """Return the list that a finder builds; compiled, unless what calls this is being compiled itself.

    Args:
        parts: the finder, the boundary and the exclusions.
    """
    if not backend.capabilities.jit:
        return _build(backend, parts, coords, plan)
    leaves, spec = flatten(parts)
    arrays = (coords, *leaves)
    build, compiled, structure = _builder(backend, spec, plan, coords.shape[0], KERNELS.get())
    if any(backend.is_traced(array) for array in arrays):
        found = backend.outside(build, *arrays)
    else:
        found = compiled(*arrays)
    return unflatten(structure[-1], found)  # type: ignore[no-any-return]


def _flat(
    backend: Backend, spec: Any, plan: Any, structure: deque[Any], coords: Array, *leaves: Array
) -> tuple[Array, ...]:
    found, list_spec = flatten(_build(backend, unflatten(spec, leaves), coords, plan))
    structure.append(list_spec)
    return tuple(found)


def _build(backend: Backend, parts: Any, coords: Array, plan: Any) -> NeighborList:
    finder, boundary, exclusions = parts
    return finder.build(  # type: ignore[no-any-return]
        coords, boundary, exclusions, plan, backend=backend, xp=backend.xp(coords)
    )


@functools.lru_cache(maxsize=64)
def _builder(
    backend: Backend, spec: Any, plan: Any, n_atoms: int, kernels: bool
) -> tuple[Any, Any, deque[Any]]:
    """Return a function from arrays to those of the list, as it is and compiled, and their structure.

    The structure is known when the function has run or has been traced once.
    """
    structure: deque[Any] = deque(maxlen=1)
    build = functools.partial(_flat, backend, spec, plan, structure)
    return build, backend.jit(build), structure
