"""PyTorch compiled: what its parts do together, interpreted; and the same through the compiler itself."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import xpmd as md
from xpmd import program

torch = pytest.importorskip("torch")

from xpmd_interactions import HarmonicAngle, HarmonicBond, LennardJones  # noqa: E402
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder  # noqa: E402
from xpmd_simulators import OBABO, Langevin, VelocityVerlet  # noqa: E402
from xpmd_thermostats import AndersenThermostat  # noqa: E402
from xpmd_torch import compiled_loops, traced_parts  # noqa: E402
from xpmd_torch.traces import Reached, Trace  # noqa: E402

SIDE, N = 4.2, 27


@pytest.fixture
def interpreted(monkeypatch):
    """Have graphs run one operation after the other, which tests all but the compiler in no time."""
    made: list[int] = []

    def as_they_are(graph, examples):
        made.append(len(graph.graph.nodes))
        return lambda values: graph(*values)

    monkeypatch.setattr(traced_parts, "_compiled", as_they_are)
    monkeypatch.setattr(program, "_programs", type(program._programs)())
    return made


def fluid(finder=None, sigma=1.0, bonded=False, boundary=None, dtype="float64"):
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), -1).reshape(-1, 3) * (SIDE / 3)
    coords = torch.as_tensor(grid + rng.normal(size=grid.shape) * 0.05, dtype=getattr(torch, dtype))
    velocities = torch.as_tensor(rng.normal(size=grid.shape), dtype=getattr(torch, dtype))
    interactions = [LennardJones(cutoff=md.ShiftedForceCutoff(1.6))]
    if bonded:
        interactions += [
            HarmonicBond(atoms=[[0, 1], [3, 4], [6, 7]], k=[50.0, 40.0, 30.0], r0=1.4),
            HarmonicAngle(atoms=[[0, 1, 2]], k=20.0, theta0=2.0),
        ]
    return md.System(
        atoms=md.Atoms(mass=1.0, sigma=sigma, epsilon=1.0),
        coords=coords,
        velocities=velocities,
        boundary=boundary or md.CubicBoundary(SIDE),
        interactions=interactions,
        neighbor_finder=finder or md.NeighborFinder(),
        units=md.units.reduced,
    )


def both(system, simulator, n_steps, **settings):
    eager = md.simulate(system, simulator, n_steps, **settings)
    with md.compiled():
        return eager, md.simulate(system, simulator, n_steps, **settings)


def assert_same(eager, compiled, tolerance=1e-10):
    for a, b in ((eager.coords, compiled.coords), (eager.velocities, compiled.velocities)):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)
    assert eager.observations.keys() == compiled.observations.keys()
    for name, rows in eager.observations.items():
        assert torch.allclose(rows, compiled.observations[name], rtol=tolerance, atol=tolerance)


FINDERS = {
    "all pairs": None,
    "cells": CellListNeighborFinder(cutoff=1.7),
    "every": DistanceNeighborFinder(cutoff=1.9, every=4),
}
SIMULATORS = {
    "verlet": VelocityVerlet(dt=0.004),
    "langevin": Langevin(dt=0.004, temperature=1.0, friction=1.0),
    "obabo": OBABO(dt=0.004, temperature=1.0, friction=1.0),
    "andersen": VelocityVerlet(dt=0.004, coupling=AndersenThermostat(temperature=1.0, tau=0.1)),
}


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_runs(interpreted, monkeypatch, finder, simulator):
    """Lists are rows here as for many atoms, not masks of all pairs."""
    monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)
    observe = {"temperature": md.Observe(md.temperature, every=5)}
    results = both(fluid(FINDERS[finder]), SIMULATORS[simulator], 33, seed=5, observe=observe)
    assert_same(*results)
    assert interpreted


def test_a_list_is_rebuilt_when_it_is_due_and_never_else(interpreted, monkeypatch):
    monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)
    built: list[object] = []
    build = DistanceNeighborFinder.build

    def counted(self, coords, *arguments, **settings):
        built.append(coords)
        return build(self, coords, *arguments, **settings)

    monkeypatch.setattr(DistanceNeighborFinder, "build", counted)
    with md.compiled():
        md.simulate(fluid(FINDERS["every"]), SIMULATORS["verlet"], 30)
    # The first, and those of steps 0, 4, ..., 28.
    assert len(built) == 1 + 8


def test_what_is_followed_is_not_cut(interpreted):
    """Native gradients go through loops that are then not compiled."""
    on = md.backend("torch").compiled()
    cubed = on.jit(lambda x: on.repeat(lambda k, carry: (carry[0] * x,), (x,), 2, 2))
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (y,) = cubed(x)
    y.backward()
    assert x.grad == 12.0
    assert not interpreted
    with torch.no_grad():
        assert cubed(x) == (torch.tensor(8.0, dtype=torch.float64),)
    assert interpreted


def test_dense_lists_bonds_and_triclinic_boxes(interpreted):
    box = md.TriclinicBoundary([[SIDE, 0.0, 0.0], [0.3, SIDE, 0.0], [0.1, 0.2, SIDE]])
    assert_same(*both(fluid(FINDERS["cells"], bonded=True), SIMULATORS["langevin"], 20, seed=1))
    assert_same(*both(fluid(boundary=box), SIMULATORS["verlet"], 20))


@pytest.mark.parametrize(
    "strategy", ["reverse", "checkpointed", "reversible", "forward", "adjoint"]
)
@pytest.mark.parametrize("finder", ["all pairs", "cells"])
def test_gradients(interpreted, monkeypatch, strategy, finder):
    monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)
    simulator = SIMULATORS["verlet" if strategy == "adjoint" else "langevin"]

    def loss(parameters):
        system = fluid(FINDERS[finder], parameters["sigma"], bonded=True)
        observe = {"temperature": md.Observe(md.temperature, every=5)}
        result = md.simulate(system, simulator, 24, seed=2, observe=observe)
        return torch.mean(result.coords**2) + torch.mean(result.observations["temperature"])

    parameters = {"sigma": torch.tensor(1.0, dtype=torch.float64)}
    call = md.value_and_grad(loss, strategy=strategy)
    value, gradient = call(parameters)
    with md.compiled():
        again, of_compiled = call(parameters)
    assert torch.allclose(value, again, rtol=1e-11)
    assert torch.allclose(gradient["sigma"], of_compiled["sigma"], rtol=1e-8)


def test_parameters_of_each_atom(interpreted):
    def loss(parameters):
        system = fluid(None, parameters["sigma"])
        return torch.mean(md.simulate(system, SIMULATORS["verlet"], 15).coords ** 2)

    parameters = {"sigma": torch.linspace(0.95, 1.05, N, dtype=torch.float64)}
    _, gradient = md.value_and_grad(loss)(parameters)
    with md.compiled():
        _, of_compiled = md.value_and_grad(loss)(parameters)
    assert torch.allclose(gradient["sigma"], of_compiled["sigma"], rtol=1e-8, atol=1e-12)


class Series(md.PairwiseInteraction):
    """V(r) = sum_k c_k r^(-2 k - 2): all pairs share several numbers."""

    coefficients: object = None
    cutoff: md.Cutoff = md.NoCutoff()

    def energy(self, r, *, xp):
        inverse = 1.0 / (r * r)
        return sum(self.coefficients[k] * inverse ** (k + 1) for k in range(3))


def test_parameters_that_are_arrays_of_their_own(interpreted):
    """What is followed entry by entry would be their sum."""

    def loss(parameters):
        series = Series(parameters["c"], cutoff=md.ShiftedForceCutoff(1.6))
        system = fluid().replace(interactions=[series])
        return torch.mean(md.simulate(system, SIMULATORS["verlet"], 10).coords ** 2)

    parameters = {"c": torch.tensor([0.1, 0.2, 0.05], dtype=torch.float64)}
    _, gradient = md.value_and_grad(loss)(parameters)
    with md.compiled():
        _, of_compiled = md.value_and_grad(loss)(parameters)
    assert torch.allclose(gradient["c"], of_compiled["c"], rtol=1e-8)


def test_backward_of_a_loss(interpreted):
    """`loss.backward()` through a compiled run."""
    found = []
    for wanted in (False, True):
        sigma = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        with md.compiled(wanted):
            loss = torch.mean(md.simulate(fluid(None, sigma), SIMULATORS["verlet"], 15).coords ** 2)
        loss.backward()
        found.append(sigma.grad)
    assert torch.allclose(*found, rtol=1e-9)
    assert interpreted


def test_no_number_of_a_run_is_kept_in_a_graph(interpreted):
    """Steps, seeds, parameters and lists are inputs: graphs of one run serve the next."""
    simulator = SIMULATORS["langevin"]
    both(fluid(FINDERS["cells"]), simulator, 12, seed=1)
    made = len(interpreted)
    assert_same(*both(fluid(FINDERS["cells"], sigma=0.97), simulator, 21, seed=9, start_step=7))
    assert len(interpreted) == made


class Breathing(md.Simulator):
    """Moves atoms by their forces, and changes the box a little more with each step."""

    rate: object
    positive_fields = {"rate": False}

    def step(self, state, forces, system, t, noise, *, xp):
        box = tuple(side + self.rate * system.boundary.sides[k] for k, side in enumerate(state.box))
        coords = state.coords + 1e-5 * state.forces
        return state._replace(coords=coords, forces=forces(coords), box=box), ()


def test_a_box_that_changes(interpreted):
    """It is part of what passes from step to step."""
    eager, compiled = both(fluid(), Breathing(rate=0.003), 12)
    assert eager.boundary.side_lengths()[0] == pytest.approx(SIDE * (1.003**12), rel=1e-6)
    assert_same(eager, compiled)
    for a, b in zip(eager.boundary.sides, compiled.boundary.sides, strict=True):
        assert torch.allclose(a, b, rtol=1e-12)


class Counting(md.GeneralInteraction):
    """A well that asks for a number on the way, which no graph can hold."""

    def energy(self, coords, system, neighbors, *, xp):
        return xp.sum(coords**2) * (2.0 if float(xp.sum(coords).detach()) > 0 else 1.0)


def test_what_cannot_be_compiled_runs_as_it_stands(interpreted, caplog):
    system = md.System(
        atoms=md.Atoms(mass=[1.0, 2.0]),
        coords=torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.7]], dtype=torch.float64),
        boundary=md.CubicBoundary(3.0),
        interactions=[Counting()],
    )
    assert_same(*both(system, VelocityVerlet(dt=0.001), 5))
    assert "cannot be compiled" in caplog.text


@pytest.mark.parametrize("interval", [None, 4])
def test_nor_what_comes_after_a_list_has_been_looked_at(interpreted, monkeypatch, caplog, interval):
    """A part further on turns out not to be compilable when those before it are compiled."""
    monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)
    system = fluid(FINDERS["cells"])
    system = system.replace(interactions=[*system.interactions, Counting()])
    observe = {"t": md.Observe(md.temperature, every=interval)} if interval else {}
    assert_same(*both(system, SIMULATORS["langevin"], 9, seed=4, observe=observe))
    assert "cannot be compiled" in caplog.text


def test_a_derivative_that_is_unknown_stays_unknown(interpreted):
    """The force jumps at this cutoff, which no gradient of a trajectory would see."""

    def loss(distance):
        system = fluid().replace(
            interactions=[LennardJones(cutoff=md.ShiftedPotentialCutoff(distance))]
        )
        return torch.mean(md.simulate(system, SIMULATORS["verlet"], 3).coords ** 2)

    with md.compiled(), pytest.raises(md.GradientError, match="jumps"):
        md.value_and_grad(loss)(torch.tensor(1.6, dtype=torch.float64))


def test_the_result_is_on_the_plain_backend(interpreted):
    with md.compiled():
        result = md.simulate(fluid(), SIMULATORS["verlet"], 3)
    assert result.system.backend is md.backend("torch")
    on = md.backend("torch").compiled()
    assert pickle.loads(pickle.dumps(on)) is on
    assert copy.deepcopy(on) is on
    assert on.compiled() is on


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_where_there_is_nothing_to_compile(name):
    try:
        on = md.backend(name)
    except md.BackendError as error:
        pytest.skip(str(error))
    assert on.compiled() is on


def test_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "nobody-has-this-compiler")
    with pytest.warns(UserWarning, match=r"runs eagerly.*Install one of them"):
        assert md.backend("torch").compiled() is md.backend("torch")


def test_through_the_compiler(monkeypatch):
    """The compiler itself, with a list that is rebuilt, and noise."""
    monkeypatch.setattr("xpmd.neighbor_finder.MOST_DENSE", 0)
    results = both(fluid(FINDERS["cells"]), SIMULATORS["langevin"], 33, seed=5)
    assert_same(*results)
    assert compiled_loops.current_run() is None


def test_what_is_used_twice_is_taken_in_once():
    """Forty doublings of what is used: taken in for each use, it would be a million million times."""

    def body(x):
        for _ in range(40):
            x = x * x + 0.1 * x
        raise Reached("end", (x.sum(1),))

    x = torch.rand(30, 20, dtype=torch.float64) * 0.5
    part = traced_parts.traced_part(body, lambda x: Trace((), (), (), (), ()), (x,), 0)
    expected = x
    for _ in range(40):
        expected = expected * expected + 0.1 * expected
    (found,) = part([x], [])
    assert torch.allclose(found, expected.sum(1), rtol=1e-12)


def test_ones_for_all_pairs_are_no_array_in_memory(interpreted):
    """What depends on constants alone is prepared, unless it is large and comes of nothing as large."""

    def body(scale, of_pairs, x):
        ones = torch.ones_like(of_pairs)
        raise Reached(
            "end", ((scale * ones * x + of_pairs * of_pairs).sum(1), scale * 2.0 + x[0, 0])
        )

    values = (torch.tensor(3.0), torch.rand(30, 20), torch.rand(30, 20))
    part = traced_parts.traced_part(body, lambda *_: Trace((), (), (), (), ()), values, 2)
    prepared = part.prepared(values)
    assert sorted(each.numel() for each in prepared) == [1, 600]
    scale, of_pairs, x = values
    rows, number = part(values, prepared)
    assert torch.allclose(rows, (scale * x + of_pairs**2).sum(1))
    assert torch.allclose(number, scale * 2.0 + x[0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["reverse", "reversible", "forward"])
def test_gradients_through_the_compiler(strategy):
    def loss(parameters):
        system = fluid(FINDERS["cells"], parameters["sigma"], bonded=True)
        return torch.mean(md.simulate(system, SIMULATORS["langevin"], 24, seed=2).coords ** 2)

    parameters = {"sigma": torch.tensor(1.0, dtype=torch.float64)}
    call = md.value_and_grad(loss, strategy=strategy)
    _, gradient = call(parameters)
    with md.compiled():
        _, of_compiled = call(parameters)
    assert torch.allclose(gradient["sigma"], of_compiled["sigma"], rtol=1e-8)
