"""A simulator at work on the liquid: its runs on each backend, each made once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from xpmd.backend import Backend
from xpmd.entry import Entrance
from xpmd.module import flatten
from xpmd.noise import Noise, host_noise, stream_keys
from xpmd.properties import forces
from xpmd.simulate import simulate
from xpmd.simulator import Simulator, State
from xpmd.system import System
from xpmd.testing.backends_at_hand import first_usable, moved, usable
from xpmd.testing.differences import Slopes, slopes
from xpmd.testing.liquid import liquid
from xpmd.testing.parameters import Parameters, reaches_of

Array = Any
Arrays = tuple[Any, ...]

_STREAM = 46
#: A cubic box has three sides; one of them is enough.
_WITHOUT = ("boundary.sides.1", "boundary.sides.2")
#: Larger arrays are differentiated along random directions.
_MOST_ENTRIES = 3


class Motion:
    """Runs of a simulator.

    Args:
        simulator: the one that is looked at.
        names: the backends.
        n_steps: length of the runs that are differentiated and compared.
        seed: of the noise.
        strategy: the gradient strategy; "reverse" if left out.
    """

    def __init__(
        self,
        simulator: Simulator,
        names: Sequence[str],
        *,
        n_steps: int = 8,
        seed: int = 5,
        strategy: Any = None,
    ) -> None:
        self.simulator = simulator
        self.names = tuple(names)
        self.n_steps, self.seed, self.strategy = n_steps, seed, strategy
        self._kept: dict[Any, Any] = {}

    @cached_property
    def reference(self) -> Backend:
        """The backend that others are compared with, and on which finite differences are taken."""
        return first_usable(self.names)

    @property
    def stochastic(self) -> bool:
        """Whether noise is drawn."""
        return self.simulator.stochastic or any(c.stochastic for c in self.simulator.couplings)

    def parts(self, on: Backend, dtype: str = "float64", **changes: Any) -> tuple[System, Any]:
        """Return the System and the simulator, its numbers as arrays, on a backend.

        Args:
            changes: of the liquid.
        """
        system = liquid(on, dtype, **changes)
        entrance = Entrance(on, dtype, on.device_of(system.coords), system.units, True)
        return system, entrance.component(moved(self.simulator, on, dtype))

    # -- runs -----------------------------------------------------------------------------------

    def end(self, name: str, dtype: str = "float64", **options: Any) -> System:
        """Return the System at the end of a run; `options` are those of `simulate`."""

        def run() -> System:
            system, simulator = self.parts(usable(name, dtype), dtype)
            given = {"n_steps": self.n_steps, "seed": self.seed, **options}
            end: System = simulate(system, simulator, **given).system
            return end

        return self._once(("end", name, dtype, *sorted(options.items())), run)  # type: ignore[no-any-return]

    def parameters(self, on: Backend, dtype: str = "float64") -> Parameters:
        """Return all numbers that a run depends on."""
        return self._once(  # type: ignore[no-any-return]
            ("parameters", on.name, dtype),
            lambda: Parameters(self.parts(on, dtype), on, without=_WITHOUT),
        )

    def loss(self, tree: Any, strategy: Any = None) -> Array:
        """Return a number that depends on every coordinate and velocity at the end, smoothly."""
        system, simulator = tree
        end = simulate(system, simulator, self.n_steps, seed=self.seed, gradient=strategy).system
        on, shape = end.backend, tuple(end.coords.shape)
        weights = [
            on.asarray(host_noise(0, _STREAM, k).normal(0, shape), dtype=end.dtype) for k in (0, 1)
        ]
        xp = on.xp(end.coords, end.velocities)
        axes = range(shape[1])
        places = end.boundary.fractional([end.coords[:, k] for k in axes], xp=xp)
        # An atom that leaves the box comes in on the other side, which a sine does not notice.
        waves = xp.sin(2.0 * math.pi * xp.stack(list(places), axis=-1))
        return xp.sum(weights[0] * waves) + xp.sum(weights[1] * end.velocities)

    def gradient(self, name: str, dtype: str = "float64") -> tuple[Array, dict[str, Array]]:
        """Return the loss and its gradient with respect to every parameter."""
        on = usable(name, dtype)

        def run() -> tuple[Array, dict[str, Array]]:
            parameters = self.parameters(on, dtype)
            value, found, _ = on.value_and_grad(
                lambda *values: (self.loss(parameters.tree(values), self.strategy), ()),
                parameters.values,
            )
            return value, dict(zip(parameters.names, found, strict=True))

        return self._once(("gradient", name, dtype), run)  # type: ignore[no-any-return]

    def slopes(self, parameter: str) -> Slopes:
        """Return derivatives of the loss by finite differences on the reference backend."""
        on = self.reference

        def run() -> Slopes:
            parameters = self.parameters(on)

            def at(value: Array) -> float:
                return float(on.to_numpy(self.loss(parameters.tree_with(parameter, value))))

            value = parameters.host()[parameter]
            reach = 0.3 if parameter == "coords" else reaches_of(value)
            return slopes(at, value, reach, most_entries=_MOST_ENTRIES, n_directions=2)

        return self._once(("slopes", parameter), run)  # type: ignore[no-any-return]

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    # -- single steps ---------------------------------------------------------------------------

    def first_state(self, system: System, simulator: Any) -> State:
        """Return the state in which a run begins."""
        xp = system.backend.xp(system.coords)
        coords = system.boundary.wrap(system.coords, xp=xp)
        box = tuple(flatten(system.boundary)[0])
        state = State(coords, system.velocities, forces_in(system)(coords), (), box)
        prepared: State = simulator.prepare(state, system, xp=xp)
        return prepared

    def noise(self, t: int, system: System) -> Noise | None:
        """Return the noise of a step, `None` where none is drawn, as a run has it."""
        if not self.stochastic:
            return None
        on = system.backend
        keys = stream_keys(self.seed, 1 + len(self.simulator.couplings))
        device = on.device_of(system.coords)
        xp = on.xp(system.coords)
        return Noise(keys, t, xp=xp, dtype=system.coords.dtype, device=device)

    def step(self, state: State, t: int, system: System, simulator: Any) -> tuple[State, Any]:
        """Return the state one step later and its record, outside any loop."""
        xp = system.backend.xp(state.coords)
        after: tuple[State, Any] = simulator.step(
            state, forces_in(system), system, t, self.noise(t, system), xp=xp
        )
        return after

    def step_back(self, state: State, record: Any, t: int, system: System, simulator: Any) -> State:
        """Return the state before a step."""
        xp = system.backend.xp(state.coords)
        before: State = simulator.inverse(
            state, record, forces_in(system), system, t, self.noise(t, system), xp=xp
        )
        return before


def forces_in(system: System) -> Callable[[Array], Array]:
    """Return the forces in a System as a function of coordinates."""
    return lambda coords: forces(system.with_fields(coords=coords))
