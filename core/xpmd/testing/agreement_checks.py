"""The same interaction on every backend: the same numbers, the types asked for, compiled once."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

from xpmd.backend import Backend
from xpmd.properties import forces, potential_energy
from xpmd.testing.agreement import SAME, SINGLE, host_namespace, on_host, require_close
from xpmd.testing.backends_at_hand import usable
from xpmd.testing.check import ConformanceError
from xpmd.testing.sample import Sample

Array = Any


def _quantities(sample: Sample) -> list[str]:
    return ["energy", "forces", "virial"] if sample.has_energy else ["forces"]


def _scale(sample: Sample, what: str) -> float:
    """Return the size that rounding errors of a quantity are measured by."""
    xp, name = host_namespace(), sample.reference.name
    largest = float(xp.max(xp.abs(on_host(sample.measured("forces", name)))))
    if what == "forces":
        return largest
    own = float(xp.max(xp.abs(on_host(sample.measured(what, name)))))
    return max(own, largest * sample.length)


def agreement(sample: Sample, name: str) -> None:
    """Energy, forces, virial and gradients are those of the reference backend."""
    on, reference = usable(name), sample.reference
    if on is reference:
        raise SkipTest(f"{name} is what the other backends are compared with.")
    for what in _quantities(sample):
        require_close(
            f"{what} on {name}",
            on_host(sample.measured(what, name)),
            on_host(sample.measured(what, reference.name)),
            wanted_is=f"on {reference.name}",
            relative=SAME,
            scale=_scale(sample, what),
        )
    for what in ("energy", "forces") if sample.has_energy else ("forces",):
        wanted = sample.gradient(what, reference.name)
        for parameter, gradient in sample.gradient(what, name).items():
            require_close(
                f"the gradient of the {what} with respect to {parameter} on {name}",
                on_host(gradient),
                on_host(wanted[parameter]),
                wanted_is=f"on {reference.name}",
                relative=100.0 * SAME,
                absolute=SAME * _scale(sample, what),
            )


def precision(sample: Sample, name: str) -> None:
    """What goes in as float32 or float64 comes out as that, and the two are close."""
    for dtype in ("float64", "float32"):
        on = usable(name, dtype)
        for what in _quantities(sample):
            found = on.dtype_name(sample.measured(what, name, dtype))
            if found != dtype:
                raise ConformanceError(f"{what} of a {dtype} System has type {found} on {name}.")
        for parameter, gradient in sample.gradient("forces", name, dtype).items():
            found = on.dtype_name(gradient)
            if found != dtype:
                raise ConformanceError(
                    f"the gradient with respect to {parameter} of a {dtype} System has type {found} "
                    f"on {name}."
                )
    for what in _quantities(sample):
        require_close(
            f"{what} in float32 on {name}",
            on_host(sample.measured(what, name, "float32")),
            on_host(sample.measured(what, name)),
            wanted_is="in float64",
            relative=SINGLE,
            scale=_scale(sample, what),
        )


def compilation(sample: Sample, name: str) -> None:
    """Compiled, it gives the same numbers, and another value of a parameter compiles nothing."""
    on = usable(name)
    if not on.capabilities.jit:
        raise SkipTest(f"{name} compiles nothing.")
    parameters = sample.parameters(on)
    traced: list[int] = []

    def both(*values: Array) -> tuple[Array, ...]:
        system = parameters.tree(values)
        found = (forces(system),)
        return (*found, potential_energy(system)) if sample.has_energy else found

    def counted(*values: Array) -> tuple[Array, ...]:
        traced.append(1)
        return both(*values)

    compiled = on.jit(counted)
    moved = tuple(_nudged(value, on) for value in parameters.values)
    for values, when in ((parameters.values, ""), (moved, " after all parameters changed")):
        for what, found, wanted in zip(
            ("forces", "energy"), compiled(*values), both(*values), strict=False
        ):
            require_close(
                f"the compiled {what} on {name}{when}",
                on_host(found),
                on_host(wanted),
                wanted_is="not compiled",
                relative=10.0 * SAME,
                scale=_scale(sample, what),
            )
    if len(traced) != 1:
        raise ConformanceError(
            f"it was compiled {len(traced)} times for values of the same shapes."
        )


def _nudged(value: Array, on: Backend) -> Array:
    """Return an array with every number slightly larger."""
    return on.asarray(on_host(value) * 1.001, dtype=on.dtype_name(value))
