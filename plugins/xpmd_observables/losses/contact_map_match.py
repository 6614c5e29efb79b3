"""Agreement of smooth contacts with a contact map."""

from __future__ import annotations

from typing import Any, Literal

from xpmd.array_like import float_array_like
from xpmd.backend import backend_of

Array = Any

#: Probabilities are kept this far from 0 and 1, so that no logarithm is infinite.
LEAST = 1e-6


def contact_map_match(
    contacts: Array,
    target: Any,
    *,
    measure: Literal["squared", "cross_entropy"] = "squared",
    weight: Any = None,
) -> Array:
    """Return the mean of (c - t)^2, or of -t ln c - (1 - t) ln(1 - c), over all pairs; a scalar.

    Args:
        contacts: c, 0 to 1, of any shape, as `contacts` returns them; their mean along a run is the
            probability of a contact.
        target: t, 0 to 1, of the same shape.
        measure: which of the two; the second keeps its slope where a contact is far off.
        weight: of each pair, such as 0 for neighbors along a chain; equal ones if left out.

    Raises:
        ValueError: the shapes differ, or the measure is unknown.
    """
    wanted = float_array_like(target, contacts)
    xp = backend_of(contacts).xp(contacts, wanted, weight)
    if tuple(wanted.shape) != tuple(contacts.shape):
        raise ValueError(
            f"`target` has shape {tuple(wanted.shape)}, the contacts {tuple(contacts.shape)}; they "
            "must agree."
        )
    if measure == "squared":
        cost = (contacts - wanted) ** 2
    elif measure == "cross_entropy":
        c = LEAST + (1.0 - 2.0 * LEAST) * contacts
        cost = -wanted * xp.log(c) - (1.0 - wanted) * xp.log(1.0 - c)
    else:
        raise ValueError(f"`measure` = {measure!r} must be 'squared' or 'cross_entropy'.")
    if weight is None:
        return xp.mean(cost)
    weight = float_array_like(weight, contacts) + 0.0 * cost
    return xp.sum(weight * cost) / xp.sum(weight)
