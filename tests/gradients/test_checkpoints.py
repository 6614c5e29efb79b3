"""How many states checkpoints hold, and how often they make steps be taken again."""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

import xpmd as md
from allocator_peak import allocator_peak
from xpmd.walk import Walk
from xpmd_gradients import Checkpointed, Reverse
from xpmd_simulators import VelocityVerlet

#: So many that what a chunk costs beside its states is nothing to a state.
N_ATOMS = 500
SIMULATOR = VelocityVerlet(0.001)
START = np.random.default_rng(1).uniform(-0.1, 0.1, (N_ATOMS, 3))


class Trap(md.GeneralInteraction):
    """k/2 sum |x|^2."""

    k: Any
    needs_neighbors = False

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        return 0.5 * self.k * xp.sum(coords * coords)


class Silent(md.Reporter):
    """Look at every so many steps, which cuts the run into other chunks, and keep nothing."""

    def __init__(self, every: int) -> None:
        self.every = every


def loss(k: Any, n_steps: int, look: int | None = None, start: Any = START) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=40.0),
        coords=start,
        boundary=md.CubicBoundary(math.inf),
        interactions=[Trap(k)],
    )
    reporters = [Silent(look)] if look else []
    return np.sum(md.simulate(system, SIMULATOR, n_steps, reporters=reporters).coords ** 2)


def peak(strategy: Any, n_steps: int, look: int | None = None) -> int:
    gradient = md.grad(loss, strategy)
    gradient(3.0, 20, look)
    return allocator_peak(lambda: gradient(3.0, n_steps, look))


@functools.cache
def state() -> float:
    """Return the bytes of a state, from what keeping all of them takes."""
    return (peak(Reverse(), 120) - peak(Reverse(), 20)) / 100


def test_a_state() -> None:
    """Coordinates, velocities and forces."""
    assert state() == pytest.approx(3 * N_ATOMS * 3 * 8, rel=0.05)


LONG = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("look", [None, 31])
@pytest.mark.parametrize(
    ("slots", "n_steps"),
    [
        (None, 100),
        (4, 100),
        (1, 36),
        pytest.param(None, 10_000, marks=LONG),
        pytest.param(10, 10_000, marks=LONG),
    ],
)
def test_the_memory_of_two_square_roots(slots: int | None, n_steps: int, look: int | None) -> None:
    """At most 2 ceil(sqrt n) + 2 states more than one step needs; less with few slots."""
    one, many = (peak(Checkpointed(slots=slots), n, look) for n in (1, n_steps))
    root = math.ceil(math.sqrt(n_steps))
    # What is less than a state is the bookkeeping of chunks.
    assert (many - one) // state() <= root + min(root, slots or root) + 2


@pytest.mark.parametrize(("slots", "times"), [(1, 4), (2, 3), (3, 2), (4, 2)])
def test_chunks_are_taken_no_more_often_than_they_must(
    slots: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(s + r)! / (s! r!) chunks are gone back over with each taken again r times to get to others."""
    n_chunks = math.comb(slots + times, slots)
    taken: Counter[int] = Counter()
    again = Walk.again

    def counted(walk: Walk, chunk: Any, floats: Any, keep: str | None = None) -> Any:
        taken[chunk.number] += keep is None
        return again(walk, chunk, floats, keep)

    monkeypatch.setattr(Walk, "again", counted)
    few = START[:2]
    slope = md.grad(loss, Checkpointed(slots=slots))(3.0, n_chunks**2, None, few)
    assert sorted(taken) == list(range(n_chunks))
    assert max(taken.values()) == times
    assert float(slope) == float(md.grad(loss)(3.0, n_chunks**2, None, few))


def test_reverse_takes_checkpoints_where_states_do_not_fit() -> None:
    """The same numbers to the last digit, in the memory that was granted."""
    n_steps, granted = 100, 24
    budget = granted * state()
    one, kept, few = (
        peak(strategy, n)
        for strategy, n in ((Reverse(), 1), (Reverse(), n_steps), (Reverse(budget=budget), n_steps))
    )
    assert (kept - one) / state() > n_steps - 1
    assert (few - one) // state() <= granted
    wanted, found = (
        md.value_and_grad(loss, strategy)(3.0, n_steps)
        for strategy in ("reverse", Reverse(budget=budget))
    )
    assert [float(x) for x in found] == [float(x) for x in wanted]


def test_checkpoints_keep_to_the_budget() -> None:
    """Of 225 steps, two levels would take 32 states."""
    granted = 26
    strategy = Checkpointed(budget=granted * state())
    one, many = (peak(strategy, n) for n in (1, 225))
    assert (many - one) // state() <= granted
    found, wanted = (md.grad(loss, each)(3.0, 225) for each in (strategy, "reverse"))
    assert float(found) == float(wanted)


def test_what_a_budget_makes_of_a_run() -> None:
    """By default states may take two gibibytes; settings are passed on."""
    some, mega = Reverse(truncate=7, damping=0.1), 2**20
    assert some.for_run(2048, mega) is some
    few = some.for_run(2049, mega)
    assert isinstance(few, Checkpointed)
    assert few.tempering == some.tempering
    assert few.slots is None
    fewer = some.for_run(10**7, mega)
    assert isinstance(fewer, Checkpointed)
    assert fewer.slots is not None
    assert fewer.slots + fewer.longest_chunk(10**7) <= 2048
    assert Reverse(budget=None).for_run(10**7, mega).key() == Reverse(budget=None).key()
    least = Checkpointed(budget=1.0).for_run(10**4, mega)
    assert (least.slots, least.longest_chunk(10**4)) == (10, 10)


@pytest.mark.parametrize("strategy", [Reverse, Checkpointed])
def test_a_budget_is_positive(strategy: Any) -> None:
    with pytest.raises(ValueError, match=r"`budget` = -1.0 must be finite and positive"):
        strategy(budget=-1.0)
