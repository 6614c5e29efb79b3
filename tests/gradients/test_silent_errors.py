"""What once gave a wrong gradient without a word: each raises now, on every backend."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_gradients import FiniteDifference
from xpmd_simulators import VelocityVerlet

COORDS = np.array([[0.1, 0.2, 0.3], [0.5, 0.1, 0.0]])
VERLET = VelocityVerlet(dt=0.05)
STRATEGIES = ["reverse", "checkpointed", "reversible", "forward"]


def end(interaction: Any, array: Any, simulator: Any = VERLET) -> Any:
    """Return the sum of squares of the coordinates after a few steps."""
    system = md.System(
        atoms=md.Atoms(mass=10.0),
        coords=array(COORDS),
        boundary=md.CubicBoundary(float("inf")),
        interactions=[interaction],
    )
    x = md.simulate(system, simulator, 5).coords
    return system.backend.xp(x).sum(x * x)


class Trap(md.GeneralInteraction):
    """k/2 sum |x|^2."""

    k: Any
    needs_neighbors = False

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        return 0.5 * self.k * xp.sum(coords * coords)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_parameter_that_is_a_field_and_captured_too(
    on: md.Backend, array: Any, strategy: str
) -> None:
    def loss(k: Any) -> Any:
        class Sticky(md.PairwiseInteraction):
            k: Any

            def energy(self, r: Any, *, xp: Any) -> Any:
                return self.k * k / r

        return end(Sticky(k), array)

    # The strict library and CuPy refuse foreign arrays before anything can be said of them.
    said = r"one of its fields|Array API arrays|Unsupported type"
    with pytest.raises((md.GradientError, TypeError), match=said):
        md.grad(loss, strategy)(array(3.0))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_parameter_that_is_captured_only(on: md.Backend, array: Any, strategy: str) -> None:
    """NumPy and PyTorch follow it through the whole run; others raise. Nobody returns zero."""

    def loss(k: Any) -> Any:
        class Hidden(md.PairwiseInteraction):
            def energy(self, r: Any, *, xp: Any) -> Any:
                return k / r

        # Connected in another way, or a loss that depends on nothing would be noticed.
        return end(Hidden(), array) + 0.0 * k

    right_or_refused(loss, array(3.0), strategy)


@pytest.mark.parametrize("as_a_field", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_parameter_that_a_simulator_captures(
    on: md.Backend, array: Any, strategy: str, as_a_field: bool
) -> None:
    def loss(k: Any) -> Any:
        class Dragging(VelocityVerlet):
            def step(self, *arguments: Any, xp: Any) -> Any:
                state, record = super().step(*arguments, xp=xp)
                return state._replace(velocities=k * state.velocities), record

        trap = Trap(k if as_a_field else array(2.0))
        return end(trap, array, Dragging(dt=0.05)) + 0.0 * k

    right_or_refused(loss, array(0.9), strategy)


def right_or_refused(loss: Any, at: Any, strategy: str) -> None:
    try:
        found = float(md.grad(loss, strategy)(at))
    except (md.GradientError, TypeError):
        return
    wanted = float(md.grad(loss, "finite_difference")(at))
    assert found == pytest.approx(wanted, rel=1e-7)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_number_taken_out_of_the_loss(on: md.Backend, array: Any, strategy: str) -> None:
    """float(x) leaves nothing to differentiate: no strategy returns zero for it."""

    def loss(k: Any) -> Any:
        return float(end(Trap(k), array)) * 2.0

    errors = (md.GradientError, TypeError, ValueError)
    if on.capabilities.jit:
        errors = (*errors, Exception)  # JAX has an error of its own for this
    with pytest.raises(errors) as caught:
        md.grad(loss, strategy)(array(3.0))
    assert not isinstance(caught.value, AssertionError)


@pytest.mark.parametrize("strategy", [*STRATEGIES, "finite_difference"])
def test_a_loss_of_none_of_its_parameters(on: md.Backend, array: Any, strategy: str) -> None:
    def loss(k: Any) -> Any:
        return end(Trap(array(2.0)), array)

    with pytest.raises(md.GradientError, match="none of"):
        md.grad(loss, strategy)({"k": array(3.0)})


@pytest.mark.parametrize("order", [2, 4, 6])
def test_differences_of_a_loss_of_none_of_its_parameters(
    on: md.Backend, array: Any, order: int
) -> None:
    """Several parameters, and arrays of them."""
    strategy = FiniteDifference(order=order)
    with pytest.raises(md.GradientError, match="none of the parameters, as far as differences"):
        md.grad(lambda p: array(2.0), strategy)({"a": array(0.0), "b": array([1.0, -2.0])})


EVEN = {
    "at zero": (lambda x, xp: x * x, 0.0),
    "cosine": (lambda x, xp: xp.cos(x), 0.0),
    "of several": (lambda x, xp: xp.sum(x * x), [0.0, 0.0]),
    "on one side": (lambda x, xp: xp.where(x > 1.2, x, 0.0 * x), 1.0),
    "only where it is defined": (lambda x, xp: _known_only_at(x, 1.0), 1.0),
}


def _known_only_at(x: Any, place: float) -> Any:
    if abs(float(md.backend_of(x).to_numpy(x)) - place) > 0.1:
        raise ValueError("too far away")
    return 0.0 * x


@pytest.mark.parametrize("name", EVEN)
def test_differences_that_vanish_where_the_derivative_does(
    on: md.Backend, array: Any, name: str
) -> None:
    """A true zero is no error, though every difference is one to the last bit."""
    function, place = EVEN[name]
    found = md.grad(lambda x: function(x, on.xp(x)), FiniteDifference())(array(place))
    assert not on.to_numpy(found).any()


def test_differences_cost_more_only_where_all_vanish(array: Any) -> None:
    calls: list[float] = []

    def loss(x: Any) -> Any:
        calls.append(float(x))
        return x * x

    md.grad(loss, FiniteDifference(order=2))(array(3.0))
    assert len(calls) == 3
    calls.clear()
    md.grad(loss, FiniteDifference(order=2))(array(0.0))
    assert len(calls) == 4


def test_a_loss_of_some_of_its_parameters(on: md.Backend, array: Any) -> None:
    """The others get zeros, of their own shape and type."""
    found = md.grad(lambda p: end(Trap(p["k"]), array))(
        {"k": array(3.0), "unused": array([1.0, 2.0])}
    )
    assert float(found["k"]) != 0.0
    assert on.to_numpy(found["unused"]).tolist() == [0.0, 0.0]


def test_an_undeclared_attribute(on: md.Backend, array: Any) -> None:
    class Secret(md.GeneralInteraction):
        k: Any
        needs_neighbors = False

        def __post_init__(self) -> None:
            object.__setattr__(self, "_doubled", 2.0 * self.k)

        def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
            return self._doubled * xp.sum(coords * coords)

    with pytest.raises(TypeError, match="_doubled"):
        md.grad(lambda k: end(Secret(k), array))(array(3.0))


class Notched(md.PairwiseInteraction):
    """sqrt(r - d)^3 beyond d, written with a single `where`: right forward, NaN in reverse."""

    d: Any

    def energy(self, r: Any, *, xp: Any) -> Any:
        beyond = r - self.d
        return xp.where(beyond > 0, xp.sqrt(beyond) ** 3, 0.0 * r)


def test_nan_of_a_single_where_is_named(on: md.Backend, array: Any) -> None:
    """Kernels that differentiate forwards are right about it; nobody returns anything else."""

    def loss(d: Any) -> Any:
        return end(Notched(d), array)

    errors = (md.GradientError, md.SimulationError)
    with (
        np.errstate(invalid="ignore"),
        md.without_kernels(),
        pytest.raises(errors, match="not finite"),
    ):
        md.grad(loss)(array(2.0))
    if on.name == "jax":
        # The atoms are closer than d, so that it is zero in truth; none is closer than 0.1.
        assert float(md.grad(loss)(array(2.0))) == 0.0
        wanted = float(md.grad(loss, "finite_difference")(array(0.1)))
        assert float(md.grad(loss)(array(0.1))) == pytest.approx(wanted, rel=1e-7)


def test_integer_parameters_get_gradients(on: md.Backend, array: Any) -> None:
    """k=100 is a number like 100.0."""
    found = md.grad(lambda k: end(Trap(k), array), backend=on.name)(3)
    wanted = md.grad(lambda k: end(Trap(k), array))(array(3.0))
    assert float(found) == pytest.approx(float(wanted), rel=1e-12)
    assert not math.isclose(float(found), 0.0)
