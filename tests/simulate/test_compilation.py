"""Building everything anew in every call compiles nothing after the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.lennard_jones_liquid import DT, lattice, liquid

import xpmd as md
from xpmd import remembered_plans
from xpmd_neighbors import DistanceNeighborFinder
from xpmd_simulators import VelocityVerlet

COORDS = np.array([[0.2, 0.2, 0.2], [0.6, 0.2, 0.3], [0.2, 0.7, 0.2], [0.6, 0.6, 1.7]])
Run = Callable[..., md.Result]


@pytest.fixture(params=["numpy", "torch", "jax"])
def on(request: pytest.FixtureRequest) -> md.Backend:
    """Each backend but the strict one, which takes NumPy's path, slowly."""
    pytest.importorskip(request.param)
    return md.backend(request.param)


@pytest.fixture
def spring() -> Any:
    """Return an interaction that no program has seen, and that counts how often it is called."""

    class Spring(md.PairwiseInteraction):
        """V = k (r - a)^2 within the cutoff."""

        atom_parameters: ClassVar[dict[str, Any]] = {"a": md.mixing.lorentz}

        k: Any
        cutoff: md.Cutoff

        calls = 0

        def energy(self, r: Any, a: Any, *, xp: Any) -> Any:
            type(self).calls += 1
            return self.k * (r - a) ** 2

    return Spring


@pytest.fixture
def run(array: Callable[..., Any], spring: Any) -> Run:
    """Return a simulation of four atoms, every object of which is made in the call."""

    def simulated(a: Any, n_steps: int, **options: Any) -> md.Result:
        system = md.System(
            atoms=md.Atoms(mass=[1.0, 2.0, 3.0, 4.0], a=a),
            coords=array(COORDS),
            boundary=md.CubicBoundary(2.0),
            interactions=[spring(k=30.0, cutoff=md.ShiftedForceCutoff(0.8))],
            neighbor_finder=DistanceNeighborFinder(cutoff=0.9, capacity=8),
        )
        return md.simulate(system, VelocityVerlet(dt=0.01), n_steps, **options)

    return simulated


class CompiledByJax:
    """Counts what JAX compiles; there is no public way to take a listener off again."""

    count = 0
    listening = False

    @classmethod
    def listen(cls) -> None:
        if cls.listening:
            return
        import jax.monitoring

        def heard(event: str, duration: float, **_: Any) -> None:
            cls.count += event == "/jax/core/compile/backend_compile_duration"

        jax.monitoring.register_event_duration_secs_listener(heard)
        cls.listening = True


@pytest.fixture
def compiled(on: md.Backend, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a count of functions handed over to be compiled, and of what JAX compiled of any kind."""
    handed_over: list[Any] = []
    original = type(on).jit

    def counting(
        self: md.Backend, function: Callable[..., Any], **settings: Any
    ) -> Callable[..., Any]:
        handed_over.append(function)
        return original(self, function, **settings)

    monkeypatch.setattr(type(on), "jit", counting)
    if on.name == "jax":
        CompiledByJax.listen()
    return lambda: len(handed_over) + CompiledByJax.count


def test_a_second_run_compiles_nothing(
    on: md.Backend, array: Callable[..., Any], spring: Any, run: Run, compiled: Callable[[], int]
) -> None:
    observe = {"t": md.Observe(md.temperature, every=2)}
    nothing = compiled()
    run(array(0.4), 6, observe=observe)
    first = compiled()
    assert first > nothing
    run(array(0.4), 6, observe=observe)
    run(array(0.5), 6, observe=observe, seed=5)
    assert compiled() == first

    run(array(0.4), 6)
    run(array(0.4), 6, start_step=6)  # no preparation of the start
    calls, first = spring.calls, compiled()
    for n_steps in (1, 23, 130):
        run(array(0.4), n_steps)
        run(array(0.4), n_steps, start_step=n_steps)
    if on.capabilities.jit:
        assert spring.calls == calls
        assert calls > 0
    assert compiled() == first


def test_a_second_gradient_compiles_nothing(
    on: md.Backend, array: Callable[..., Any], spring: Any, run: Run, compiled: Callable[[], int]
) -> None:
    def loss(a: Any, n_steps: int) -> Any:
        return md.kinetic_energy(run(a, n_steps).system)

    nothing = compiled()
    md.value_and_grad(loss)(array(0.4), 3)
    first = compiled()
    assert first > nothing
    md.value_and_grad(loss)(array(0.5), 3)
    md.value_and_grad(lambda a: loss(a, 8))(array(0.5))
    assert compiled() == first

    calls = spring.calls
    md.value_and_grad(loss)(array(0.4), 130)
    if on.capabilities.jit:
        assert spring.calls == calls
        assert calls > 0


def test_another_structure_is_another_program(
    array: Callable[..., Any], run: Run, compiled: Callable[[], int]
) -> None:
    """What the tests above would miss if the count never moved."""
    run(array(0.4), 6)
    first = compiled()
    run(array(np.full(4, 0.4)), 6)
    assert compiled() > first


@pytest.mark.parametrize("finder", ["CellListNeighborFinder", "DistanceNeighborFinder"])
def test_atoms_that_have_moved_on_compile_nothing(
    on: md.Backend, array: Callable[..., Any], compiled: Callable[[], int], finder: str
) -> None:
    """The most neighbors of an atom differ from run to run; the room made for them need not."""
    neighbor_finder = md.create("neighbor_finder", finder, cutoff=0.9)
    system = liquid(array, cells=4, finder=neighbor_finder)
    system = md.simulate(system, VelocityVerlet(dt=DT), 20).system
    system = md.simulate(system, VelocityVerlet(dt=DT), 20, start_step=20).system
    before = compiled()
    for k in range(2, 5):
        system = md.simulate(system, VelocityVerlet(dt=DT), 20, start_step=20 * k).system
    assert compiled() == before


@pytest.mark.parametrize("finder", ["CellListNeighborFinder", "DistanceNeighborFinder"])
def test_room_that_is_not_needed_is_given_up(
    on: md.Backend, array: Callable[..., Any], finder: str
) -> None:
    """A gas that follows a liquid is not simulated with the list of the liquid for ever."""
    neighbor_finder = md.create("neighbor_finder", finder, cutoff=0.9)
    dense = liquid(array, cells=4, finder=neighbor_finder)
    dilute = dense.replace(coords=2.0 * dense.coords, boundary=md.CubicBoundary(2.0 * side_of(4)))
    for system in (dense, dilute, dilute):
        md.simulate(system, VelocityVerlet(dt=DT), 2)
    if on.capabilities.jit:  # lists of the others have no fixed size
        plan = latest_plan()
        assert (plan if isinstance(plan, int) else plan.capacity) < 30


def side_of(cells: int) -> float:
    return lattice(cells)[1]


def latest_plan() -> Any:
    """Return the plan that was remembered last."""
    return next(reversed(remembered_plans._plans.values()), None)
