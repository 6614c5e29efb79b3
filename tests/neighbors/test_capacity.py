"""A list that is too small is enlarged, and one that nobody can enlarge is not used in silence."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest

import xpmd as md
from neighbors.lennard_jones_boxes import CUTOFF, FINDERS, LIST_CUTOFF, lennard_jones
from xpmd.neighbor_finder import EXACT
from xpmd.neighbor_upkeep import build_neighbors, plan_neighbors
from xpmd_interactions import LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_neighbors.cell_list import CellPlan
from xpmd_neighbors.distance import lists_exactly
from xpmd_simulators import VelocityVerlet

N_STEPS = 40


def gathering(array: Callable[..., Any], finder: md.NeighborFinder) -> md.System:
    """Return atoms 1 nm apart on their way to half of that."""
    axis = np.arange(3) - 1.0
    lattice = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    # A perfect lattice has pairs at the cutoff all at once.
    lattice = lattice + 0.03 * np.random.default_rng(0).standard_normal(lattice.shape)
    return md.System(
        atoms=md.Atoms(mass=1000.0, sigma=0.3, epsilon=1.0),
        coords=array(3.0 + lattice),
        velocities=array(-lattice * 0.55 / (0.002 * N_STEPS)),
        boundary=md.CubicBoundary(6.0),
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(CUTOFF))],
        neighbor_finder=finder,
    )


def path(system: md.System, simulator: md.Simulator, n_steps: int, every: int = 1) -> Any:
    """Return the coordinates at each record as one NumPy array."""
    observe = {"coords": md.Observe(lambda system: system.coords, every=every)}
    found = md.simulate(system, simulator, n_steps, observe=observe).observations["coords"]
    return system.backend.to_numpy(found)


@cache
def path_of_all_pairs() -> Any:
    """Return where NumPy has atoms gather with all pairs."""
    return path(gathering(np.asarray, AllPairs()), VelocityVerlet(dt=0.002), N_STEPS, 10)


@pytest.mark.parametrize(
    ("finder", "capacity"),
    [
        ("cells", None),
        pytest.param("host", 1, marks=pytest.mark.slow),
        pytest.param("host", None, marks=pytest.mark.slow),
        pytest.param("cells", 1, marks=pytest.mark.slow),
    ],
)
def test_atoms_that_gather(
    on: md.Backend, array: Callable[..., Any], finder: str, capacity: int | None
) -> None:
    """The list that is planned for the start, or by a user who was mistaken, grows with the run."""
    system = gathering(array, FINDERS[finder].replace(capacity=capacity))
    found = path(system, VelocityVerlet(dt=0.002), N_STEPS, 10)
    np.testing.assert_allclose(found, path_of_all_pairs(), rtol=0.0, atol=1e-11)
    apart = np.linalg.norm(found[:, :, None] - found[:, None], axis=-1)
    within = (apart < LIST_CUTOFF).sum(axis=(1, 2))
    assert within[-1] > 3 * within[0]


@pytest.mark.parametrize("finder", FINDERS)
def test_the_flag_rises_and_the_count_says_what_was_needed(
    on: md.Backend, array: Callable[..., Any], finder: str
) -> None:
    system = lennard_jones(array, FINDERS[finder])
    xp = on.xp(system.coords)
    plan = plan_neighbors(system, system.coords)
    if lists_exactly(on):
        assert plan == EXACT
        return
    enough = build_neighbors(system, system.coords, plan, xp=xp)
    needed = on.to_numpy(enough.count)
    assert not bool(enough.overflow)
    if finder == "host":
        exact, short = int(needed), [int(needed) - 1, 1]
    else:
        entries, width = (int(each) for each in needed)
        exact = plan._replace(capacity=entries)
        short = [plan._replace(capacity=entries - 1), plan._replace(width=width // 2)]
    assert not bool(build_neighbors(system, system.coords, exact, xp=xp).overflow)
    for each in short:
        found = build_neighbors(system, system.coords, each, xp=xp)
        assert bool(found.overflow), each
        larger = system.neighbor_finder.enlarge(each, found)
        if finder == "host":
            assert needed <= larger < 2 * needed
        elif each.width == plan.width:
            assert (larger.cells, larger.width) == (plan.cells, plan.width)
            assert entries <= larger.capacity < 2 * entries
        else:
            assert (larger.cells, larger.capacity) == (plan.cells, plan.capacity)
            assert width <= larger.width < 2 * width


def test_a_range_may_be_too_narrow_for_a_list_that_is_not(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    """A crowd beyond the cutoff of everyone but within the same cells."""
    random = np.random.default_rng(0)
    crowd = 0.05 * random.random((60, 3))
    # Two atoms see the crowd's cells, but nobody in them; the crowd itself is excluded from itself.
    coords = np.concatenate([crowd, [[0.0, 0.0, 0.9], [0.9, 0.9, 0.9]]]) + 1.0
    pairs = [[i, j] for i in range(60) for j in range(i)]
    system = md.System(
        atoms=md.Atoms(mass=1.0, sigma=0.3, epsilon=1.0),
        coords=array(coords),
        boundary=md.CubicBoundary(6.0),
        interactions=[LennardJones(cutoff=md.DistanceCutoff(0.5))],
        neighbor_finder=CellListNeighborFinder(cutoff=0.5),
        exclusions=md.Exclusions(pairs),
    )
    xp = on.xp(system.coords)
    if lists_exactly(on):
        assert plan_neighbors(system, system.coords) == EXACT
        assert float(md.potential_energy(system)) == 0.0
        return
    narrow = CellPlan(cells=(12, 12, 48), width=20, capacity=2000)
    found = build_neighbors(system, system.coords, narrow, xp=xp)
    assert bool(found.overflow)
    larger = system.neighbor_finder.enlarge(narrow, found)
    assert larger.capacity == narrow.capacity
    assert larger.width >= 60


@pytest.mark.parametrize("finder", FINDERS)
def test_growth_without_a_count(on: md.Backend, array: Callable[..., Any], finder: str) -> None:
    """A flag that was raised by an earlier list than the count is of still leads to more room."""
    system = lennard_jones(array, FINDERS[finder])
    plan = plan_neighbors(system, system.coords)
    if plan == EXACT:
        return
    fits = build_neighbors(system, system.coords, plan, xp=on.xp(system.coords))
    larger = system.neighbor_finder.enlarge(plan, fits)
    if finder == "host":
        assert larger > plan
    else:
        assert larger.capacity > plan.capacity
        assert larger.width > plan.width
        assert larger.cells == plan.cells


class Press(md.Simulator):
    """Shrinks the box by a factor in each step, and moves atoms along and a little by their forces."""

    factor: Any
    positive_fields: ClassVar[dict[str, bool]] = {"factor": False}
    stochastic: ClassVar[bool] = False

    def step(
        self, state: Any, forces: Any, system: Any, t: Any, noise: Any, *, xp: Any
    ) -> tuple[Any, tuple[()]]:
        """Return the next state."""
        coords = (state.coords + 1e-7 * state.forces) * self.factor
        box = tuple(side * self.factor for side in state.box)
        return state._replace(coords=coords, forces=forces(coords), box=box), ()


@pytest.mark.parametrize("finder", ["cells", pytest.param("host", marks=pytest.mark.slow)])
@pytest.mark.parametrize("boundary", ["box", pytest.param("tilted", marks=pytest.mark.slow)])
def test_a_box_that_shrinks(
    on: md.Backend, array: Callable[..., Any], boundary: str, finder: str
) -> None:
    """Cells give way, the list grows, and nobody is missed though hardly anyone moves in the cell."""
    system = lennard_jones(array, FINDERS[finder], boundary=boundary, n_atoms=80)
    press = Press(factor=0.985)
    reference = lennard_jones(np.asarray, AllPairs(), boundary=boundary, n_atoms=80)
    expected = path(reference, press, 20)
    np.testing.assert_allclose(path(system, press, 20), expected, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize(
    "finder", ["host", pytest.param("cells", marks=pytest.mark.slow), "all pairs"]
)
def test_a_box_that_collapses(on: md.Backend, array: Callable[..., Any], finder: str) -> None:
    system = lennard_jones(array, FINDERS.get(finder), n_atoms=30)
    with pytest.raises(md.NeighborOverflowError, match="half the smallest width of the box"):
        md.simulate(system, Press(factor=0.9), 12)


@pytest.mark.parametrize("finder", [AllPairs(), DistanceNeighborFinder(cutoff=3.1)])
def test_a_box_that_becomes_too_narrow_for_a_list_that_still_holds(
    on: md.Backend, array: Callable[..., Any], finder: md.NeighborFinder
) -> None:
    """3.2 nm go below twice the cutoff of 0.9 nm in the seventh step; until then all is well."""
    system = lennard_jones(array, finder, n_atoms=30)
    press = Press(factor=0.91)
    assert md.simulate(system, press, 6).boundary.side_lengths()[0] > 2 * CUTOFF
    with pytest.raises(md.NeighborOverflowError) as raised:
        md.simulate(system, press, 7)
    assert "half the smallest width of the box" in str(raised.value)
    assert "the box is 1." in str(raised.value)


def test_a_box_that_becomes_too_narrow_along_a_tangent(
    on: md.Backend, array: Callable[..., Any]
) -> None:
    system = lennard_jones(array, None, n_atoms=30)

    def loss(factor: Any) -> Any:
        end = md.simulate(system, Press(factor=factor), 7)
        return end.boundary.volume()

    with pytest.raises(md.NeighborOverflowError, match="half the smallest width of the box"):
        md.value_and_grad(loss, "forward")(array(0.91))


def test_the_base_cannot_be_enlarged(on: md.Backend, array: Callable[..., Any]) -> None:
    system = lennard_jones(array, AllPairs(), n_atoms=30)
    found = build_neighbors(system, system.coords, EXACT, xp=on.xp(system.coords))
    with pytest.raises(md.NeighborOverflowError, match="cannot be used, whatever its size"):
        AllPairs().enlarge(EXACT, found)
