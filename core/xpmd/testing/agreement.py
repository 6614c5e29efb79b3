"""Comparing numbers, with a message that says which differ and by how much."""

from __future__ import annotations

from typing import Any

from xpmd.backend import backend, backend_of
from xpmd.testing.check import ConformanceError

Array = Any

#: Two backends in float64: the order of a sum is all that may differ.
SAME = 1e-12
#: A gradient against finite differences, whose own uncertainty is added.
DIFFERENTIATED = 1e-7
#: Float32 against float64.
SINGLE = 2e-4


def host_namespace() -> Any:
    """Return the namespace in which the kit itself computes: that of the embedded backend."""
    return backend("numpy").xp()


def on_host(array: Array) -> Array:
    """Return the values of an array, of any backend, on the host in float64."""
    xp = host_namespace()
    return xp.asarray(backend_of(array).to_numpy(array), dtype=xp.float64)


def require_close(
    what: str,
    found: Array,
    wanted: Array,
    *,
    wanted_is: str,
    relative: float = 0.0,
    scale: float | None = None,
    absolute: Array = 0.0,
    labels: list[str] | None = None,
) -> None:
    """Raise unless |found - wanted| <= relative scale + absolute everywhere.

    Args:
        what: the quantity.
        found, wanted: host arrays.
        wanted_is: what `wanted` is, for the message.
        scale: the largest |wanted| if left out.
        absolute: a number, or one for each entry.
        labels: a word for each entry instead of its index.
    """
    xp = host_namespace()
    found, wanted = xp.asarray(found), xp.asarray(wanted)
    if tuple(found.shape) != tuple(wanted.shape):
        raise ConformanceError(
            f"{what} has shape {tuple(found.shape)}, and {wanted_is} {tuple(wanted.shape)}."
        )
    if scale is None:
        scale = float(xp.max(xp.abs(wanted))) if wanted.size else 0.0
    allowed = relative * scale + absolute + xp.zeros_like(wanted)
    difference = xp.abs(found - wanted)
    bad = ~(difference <= allowed)  # NaN is bad, too
    if not xp.any(bad):
        return
    excess = xp.where(xp.isfinite(difference), difference / (allowed + 1e-300), xp.inf)
    place = int(xp.argmax(xp.where(bad, excess, -1.0)))
    here = xp.unravel_index(place, wanted.shape) if wanted.ndim else ()
    index = f"[{', '.join(str(int(k)) for k in here)}]" if here else ""
    where = what + index if labels is None else at(what, labels[place])
    raise ConformanceError(
        f"{where} = {float(found[here]):.10g}, and {wanted_is} {float(wanted[here]):.10g}: off "
        f"by {float(difference[here]):.3g}, allowed {float(allowed[here]):.2g}"
        + (f" ({int(xp.sum(bad))} of {wanted.size} entries are off)." if wanted.size > 1 else ".")
    )


def at(what: str, label: str) -> str:
    """Return a quantity with its place: an index stands close, words apart."""
    return f"{what}{label}" if label.startswith("[") or not label else f"{what} {label}"


def require_finite(
    what: str, found: Array, *, labels: list[str] | None = None, remedy: str = ""
) -> None:
    """Raise unless every number is finite.

    Args:
        labels: a word for each row, along the first axis, for the message.
        remedy: what to do about it.
    """
    xp = host_namespace()
    found = xp.asarray(found)
    bad = ~xp.isfinite(found)
    if not xp.any(bad):
        return
    here = tuple(int(k) for k in xp.argwhere(bad)[0])
    index = f"[{', '.join(str(k) for k in here)}]" if here else ""
    where = f" {labels[here[0]]}" if labels is not None and here else ""
    raise ConformanceError(f"{what}{index} is {float(found[here])}{where}{remedy}.")
