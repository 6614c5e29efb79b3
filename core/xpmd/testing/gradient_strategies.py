"""The checks of a gradient strategy."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from xpmd.errors import GradientError
from xpmd.gradient import value_and_grad
from xpmd.gradient_strategy import GradientStrategy
from xpmd.observables.radius_of_gyration import radius_of_gyration
from xpmd.observe import Observe
from xpmd.simulate import simulate
from xpmd.simulator import Simulator
from xpmd.testing.agreement import SAME, on_host, require_close
from xpmd.testing.backends_at_hand import backend_names, usable
from xpmd.testing.check import Check, ConformanceError, Report, run_checks, with_exemptions
from xpmd.testing.component_checks import fields, import_time
from xpmd.testing.differences import Slopes, require_slopes, slopes
from xpmd.testing.liquid import PlainVerlet
from xpmd.testing.motion import Motion
from xpmd.testing.parameters import reaches_of

Array = Any

#: What the loss is differentiated with respect to: numbers of the System and of the simulator.
PARAMETERS = (
    "atoms.mass",
    "atoms.epsilon",
    "atoms.sigma",
    "boundary.sides.0",
    "simulator.dt",
)


class Differentiated:
    """A loss over a run, and its derivatives by a strategy and by finite differences."""

    def __init__(
        self, strategy: GradientStrategy, simulator: Simulator, names: Sequence[str]
    ) -> None:
        self.strategy = strategy
        self.motion = Motion(simulator, names)
        self._slopes: dict[str, Slopes] = {}

    def loss(self, values: Mapping[str, Array], on: Any) -> Array:
        """Return a number made of the end of a run and of what was recorded along it."""
        parameters = self.motion.parameters(on)
        tree = parameters.tree([values.get(n, v) for n, v in parameters.items()])
        observed = {"size": Observe(radius_of_gyration, every=3)}
        system, simulator = tree
        result = simulate(system, simulator, self.motion.n_steps, seed=1, observe=observed)
        sizes = result.observations["size"]
        xp = on.xp(sizes, result.velocities)
        return xp.sum(sizes * sizes) + xp.sum(result.velocities[:, 0] * result.coords[:, 1])

    def values(self, on: Any) -> dict[str, Array]:
        """Return the parameters by name."""
        return {n: v for n, v in self.motion.parameters(on).items() if n in PARAMETERS}

    def differences(self, parameter: str) -> Slopes:
        """Return derivatives of the loss by finite differences."""
        on = self.motion.reference
        if parameter not in self._slopes:
            value = on_host(self.values(on)[parameter])

            def at(moved: Array) -> float:
                return float(
                    on.to_numpy(self.loss({parameter: on.asarray(moved, dtype="float64")}, on))
                )

            self._slopes[parameter] = slopes(at, value, reaches_of(value), most_entries=3)
        return self._slopes[parameter]


def gradients(case: Differentiated, name: str) -> None:
    """The value is that of a plain run, and the gradient that of finite differences."""
    on = usable(name)
    value, found = value_and_grad(lambda p: case.loss(p, on), case.strategy)(case.values(on))
    require_close(
        f"the loss on {name}",
        on_host(value),
        on_host(case.loss({}, on)),
        wanted_is="of a plain run",
        relative=10.0 * SAME,
    )
    for parameter, gradient in found.items():
        require_slopes(
            f"d(loss)/d({parameter}) on {name}", on_host(gradient), case.differences(parameter)
        )


def unconnected(case: Differentiated, name: str) -> None:
    """A loss that depends on none of its parameters raises; a zero would be believed."""
    on = usable(name)
    constant = case.loss({}, on)
    try:
        _, found = value_and_grad(lambda p: constant, case.strategy)(case.values(on))
    except GradientError:
        return
    raise ConformanceError(
        f"a loss that depends on none of the parameters has the gradient {found} on {name}, and must "
        "raise a GradientError."
    )


def key(strategy: GradientStrategy) -> None:
    """Two strategies with the same settings have the same key, before and after they were used."""
    first, again = strategy.key(), strategy.replace().key()
    try:
        same = hash(first) == hash(again) and first == again
    except TypeError as error:
        raise ConformanceError(f"`key()` = {first!r} cannot be hashed: {error}") from error
    if not same:
        raise ConformanceError(
            f"`key()` is {first!r}, and {again!r} for the same settings: every gradient would compile "
            "anew."
        )


def gradient_strategy_checks(
    strategy: GradientStrategy,
    *,
    simulator: Simulator | None = None,
    backends: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return the checks of a gradient strategy; arguments as for `check_gradient_strategy`."""
    if isinstance(strategy, type) or not isinstance(strategy, GradientStrategy):
        raise TypeError(f"`strategy` = {strategy!r} must be an instance of a md.GradientStrategy.")
    names = backend_names(strategy, backends)
    case = Differentiated(strategy, simulator or PlainVerlet(0.004), names)
    checks = [
        Check("fields", functools.partial(fields, strategy)),
        Check("import_time", functools.partial(import_time, type(strategy))),
    ]
    for name in names:
        checks += [
            Check(f"gradients-{name}", functools.partial(gradients, case, name)),
            Check(f"unconnected-{name}", functools.partial(unconnected, case, name)),
        ]
    # Last, because a strategy must not have changed by being used.
    checks.append(Check("key", functools.partial(key, strategy)))
    return with_exemptions(checks, exempt)


def check_gradient_strategy(strategy: GradientStrategy, **settings: Any) -> Report:
    """Check an exact gradient strategy on every installed backend, against finite differences.

    The loss is made of the end of a short run and of an observable recorded along it; parameters are
    those of the atoms, the box and the time step. A strategy that is exact in a limit only, or for
    averages, is exempt from "gradients".

    Args:
        strategy: an instance.
        simulator: of the run; velocity Verlet, which can be undone, if left out.
        backends, exempt: as for `check_interaction`.

    Returns:
        The report.

    Raises:
        ConformanceError: checks failed; lists each with its numbers.
    """
    return run_checks(type(strategy).__name__, gradient_strategy_checks(strategy, **settings))
