"""The checks of a backend: every operation against NumPy or against what it is by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from xpmd import plugins
from xpmd.backend import Backend
from xpmd.testing import (
    array_operations,
    control_operations,
    derivative_operations,
    scatter_operations,
)
from xpmd.testing.backends_at_hand import usable
from xpmd.testing.check import Check, ConformanceError, Report, run_checks, with_exemptions

_OPERATIONS: dict[str, Callable[[Backend], None]] = {
    "arrays": array_operations.arrays,
    "namespace": array_operations.namespace,
    "noise": array_operations.noise,
    "repeat": control_operations.repeat,
    "repeat_keeping": control_operations.repeat_keeping,
    "scan": control_operations.scan,
    "while_loop": control_operations.while_loop,
    "cond": control_operations.cond,
    "map": control_operations.map_slices,
    "host_call": control_operations.host_call,
    "jit": control_operations.compiled_once,
    "vjp": derivative_operations.vjp,
    "jvp": derivative_operations.jvp,
    "radial": derivative_operations.radial,
    "nested": derivative_operations.nested,
    "value_and_grad": derivative_operations.value_and_grad,
    "stop_gradient": derivative_operations.stop_gradient,
    "custom_vjp": derivative_operations.custom_vjp,
    "custom_jvp": derivative_operations.custom_jvp,
    "without_derivative": derivative_operations.without_derivative,
    "kept_gradients": derivative_operations.kept,
    "index_add": scatter_operations.index_add,
    "nonzero_padded": scatter_operations.nonzero_padded,
    "erf": scatter_operations.erf,
}


def availability(name: str) -> None:
    """It says whether it can run here, and says so in words if it cannot."""
    reason = plugins.get("backend", name).availability()
    if not (reason is None or (isinstance(reason, str) and reason.strip())):
        raise ConformanceError(
            f"availability() returns {reason!r}; it must be None, or a sentence with the remedy."
        )


def backend_checks(name: str, *, exempt: Mapping[str, str] | None = None) -> list[Check]:
    """Return the checks of a backend; arguments as for `check_backend`."""
    if not isinstance(name, str):
        raise TypeError(f"`name` = {name!r} must be the name of a registered backend.")
    checks = [Check("availability", functools.partial(availability, name))]
    for word, operation in _OPERATIONS.items():

        def run(operation: Callable[[Backend], None] = operation) -> None:
            operation(usable(name))

        checks.append(Check(word, run))
    return with_exemptions(checks, exempt)


def check_backend(name: str, **settings: Any) -> Report:
    """Check every operation of a backend against NumPy, or against what it is by hand.

    Args:
        name: of a registered backend; `md.plugins.use(component)` registers one for a test.
        exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(f"The backend '{name}'", backend_checks(name, **settings))
