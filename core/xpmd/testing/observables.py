"""The checks of an observable: any function of a System."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xpmd.noise import host_noise
from xpmd.observe import Observe
from xpmd.simulate import simulate
from xpmd.system import System
from xpmd.testing.agreement import SAME, host_namespace, on_host, require_close
from xpmd.testing.backends_at_hand import backend_names, first_usable, usable
from xpmd.testing.check import Check, ConformanceError, Report, run_checks, with_exemptions
from xpmd.testing.differences import require_slopes, slopes
from xpmd.testing.liquid import PlainVerlet, liquid
from xpmd.testing.parameters import Parameters, reaches_of

Array = Any
Observable = Callable[[System], Any]

_STREAM = 48


def _weighted(observable: Observable, system: System) -> Array:
    """Return one number made of everything an observable returns."""
    on = system.backend
    value = observable(system)
    xp = on.xp(value)
    weights = host_noise(0, _STREAM).uniform(0, tuple(value.shape)) + 0.5
    return xp.sum(value * on.asarray(weights, dtype=system.dtype))


def precision(observable: Observable, name: str) -> None:
    """It returns an array of the type of the System."""
    for dtype in ("float64", "float32"):
        on = usable(name, dtype)
        value = observable(liquid(on, dtype))
        if not on.is_array(value) or on.dtype_name(value) != dtype:
            raise ConformanceError(
                f"of a System on {name} in {dtype} it returns {value!r}; it must be an array of that "
                "type."
            )


def agreement(observable: Observable, name: str, names: Sequence[str]) -> None:
    """The value is that on the reference backend."""
    on, reference = usable(name), first_usable(names)
    require_close(
        f"the value on {name}",
        on_host(observable(liquid(on))),
        on_host(observable(liquid(reference))),
        wanted_is=f"on {reference.name}",
        relative=SAME,
    )


def gradients(observable: Observable, name: str, names: Sequence[str]) -> None:
    """Its gradient in reverse mode is that of finite differences."""
    on, reference = usable(name), first_usable(names)
    parameters = Parameters(liquid(on), on)
    here = Parameters(liquid(reference), reference)
    _, found, _ = on.value_and_grad(
        lambda *xs: (_weighted(observable, parameters.tree(xs)), ()), parameters.values
    )
    for parameter, gradient in zip(parameters.names, found, strict=True):
        value = here.host()[parameter]

        def at(moved: Array, parameter: str = parameter) -> float:
            return float(
                reference.to_numpy(_weighted(observable, here.tree_with(parameter, moved)))
            )

        wanted = slopes(at, value, 0.3 if parameter == "coords" else reaches_of(value))
        require_slopes(f"d(value)/d({parameter}) on {name}", on_host(gradient), wanted)


def record(observable: Observable, name: str) -> None:
    """Recorded along a run, it is what it is at each of the states."""
    on = usable(name)
    xp = host_namespace()
    observed = {
        "value": Observe(observable, every=2),
        "coords": Observe(lambda s: s.coords, every=2),
        "velocities": Observe(lambda s: s.velocities, every=2),
    }
    system = liquid(on)
    found = simulate(system, PlainVerlet(0.004), 4, observe=observed).observations
    wanted = [
        on_host(
            observable(
                system.with_fields(
                    coords=found["coords"][k, ...], velocities=found["velocities"][k, ...]
                )
            )
        )
        for k in range(3)
    ]
    require_close(
        f"the record on {name}",
        on_host(found["value"]),
        xp.stack(wanted),
        wanted_is="of the states",
        relative=10.0 * SAME,
    )


def observable_checks(
    observable: Observable,
    *,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of an observable; arguments as for `check_observable`."""
    if not callable(observable):
        raise TypeError(f"`observable` = {observable!r} must be callable with a System.")
    names = backend_names(observable, backends)
    checks = []
    for name in names:
        checks.append(Check(f"precision-{name}", functools.partial(precision, observable, name)))
        checks.append(Check(f"record-{name}", functools.partial(record, observable, name)))
        runs = {"gradients": gradients, "agreement": agreement}
        for word, run in runs.items():
            if not (word == "agreement" and name == names[0]):
                made = functools.partial(run, observable, name, names)
                checks.append(Check(f"{word}-{name}", made))
    return with_exemptions(checks, exempt)


def check_observable(observable: Observable, **settings: Any) -> Report:
    """Check a function of a System on every installed backend, on a liquid of eight atoms.

    Args:
        observable: returns an array.
        backends, exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    word = getattr(observable, "__name__", type(observable).__name__)
    return run_checks(word, observable_checks(observable, **settings))
