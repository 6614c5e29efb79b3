"""Pair forces and their derivatives on PyTorch as it stands: the generic sums, with closed forms.

Where an interaction gives its force itself, no graph is made to find it, and a derivative of the forces
is a first one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from xpmd import force_field, pair_derivatives
from xpmd.closed_form import closed_factor_of

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _with_closed_forms(operation: _Function) -> _Function:
    generic = inspect.unwrap(operation)
    return functools.partial(generic, factor=closed_factor_of)  # type: ignore[return-value]


pair_forces = _with_closed_forms(force_field.pair_forces)
pair_virial = _with_closed_forms(force_field.pair_virial)
pair_force_vjp = _with_closed_forms(pair_derivatives.pair_force_vjp)
pair_force_jvp = _with_closed_forms(pair_derivatives.forces_along)
