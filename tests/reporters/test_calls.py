"""When reporters are called, with what, and that they change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet


class Diary(md.Reporter):
    """Write down every call: its name, its step, and the first coordinate."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.calls: list[tuple[Any, ...]] = []
        self.places: dict[int, float] = {}

    def start(self, n_steps: int, start_step: int) -> None:
        self.calls.append(("start", n_steps, start_step))

    def report(self, step: int, system: md.System) -> None:
        self.calls.append(("report", step))
        self.places[step] = float(system.coords[0, 0])

    def finish(self, step: int, system: md.System) -> None:
        self.calls.append(("finish", step, float(system.coords[0, 0])))

    def failed(self, step: int, system: md.System) -> None:
        self.calls.append(("failed", step))

    def close(self) -> None:
        self.calls.append(("close",))

    @property
    def steps(self) -> list[int]:
        return [call[1] for call in self.calls if call[0] == "report"]


def bond(array: Callable[..., Any], r0: Any = 0.6) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=1.0),
        coords=array([[1.0, 1.0, 1.0], [1.5, 1.0, 1.0]]),
        boundary=md.CubicBoundary(3.0),
        interactions=[HarmonicBond(atoms=[[0, 1]], k=10.0, r0=r0)],
    )


RULE = VelocityVerlet(dt=0.01)


def test_calls_in_order(array: Callable[..., Any]) -> None:
    diary = Diary(every=10)
    end = md.simulate(bond(array), RULE, 25, reporters=[diary], start_step=103)
    last = float(end.coords[0, 0])
    assert diary.calls == [
        ("start", 25, 103),
        ("report", 103),
        ("report", 113),
        ("report", 123),
        ("finish", 128, last),
        ("close",),
    ]


@pytest.mark.parametrize("every", [1, 7, 100, 130, 1000])
def test_each_reporter_keeps_its_interval(every: int) -> None:
    """Also beside others, and beside records, below and above the sizes of what is run at once."""
    diaries = [Diary(every), Diary(9)]
    observe = {"t": md.Observe(md.temperature, every=25)}
    md.simulate(bond(np.asarray), RULE, 270, reporters=diaries, observe=observe)
    assert diaries[0].steps == list(range(0, 271, every))
    assert diaries[1].steps == list(range(0, 271, 9))


def test_what_is_reported_is_the_run(array: Callable[..., Any]) -> None:
    diary = Diary(every=10)
    observe = {"x": md.Observe(lambda system: system.coords[0, 0], every=10)}
    result = md.simulate(bond(array), RULE, 30, reporters=[diary], observe=observe)
    records = [float(result.observations["x"][k]) for k in range(4)]
    np.testing.assert_allclose(
        [diary.places[step] for step in (0, 10, 20, 30)], records, rtol=0.0, atol=1e-15
    )


def test_reporters_do_not_change_the_run() -> None:
    alone = md.simulate(bond(np.asarray), RULE, 50)
    watched = md.simulate(bond(np.asarray), RULE, 50, reporters=[Diary(3), Diary(7)])
    np.testing.assert_array_equal(watched.coords, alone.coords)
    assert watched.observations == {}


def test_no_step(array: Callable[..., Any]) -> None:
    diary = Diary(every=10)
    md.simulate(bond(array), RULE, 0, reporters=[diary])
    assert [call[0] for call in diary.calls] == ["start", "report", "finish", "close"]


def test_one_run_one_set_of_calls_under_a_gradient(array: Callable[..., Any]) -> None:
    """The way back calls nobody, and what is shown are plain numbers."""
    diary = Diary(every=10)

    def loss(r0: Any) -> Any:
        end = md.simulate(bond(array, r0), RULE, 25, reporters=[diary])
        return md.kinetic_energy(end.system)

    md.value_and_grad(loss)(array(0.6))
    assert diary.steps == [0, 10, 20]
    assert [call[0] for call in diary.calls].count("finish") == 1


def test_an_error_of_a_reporter_reaches_the_user() -> None:
    class Broken(md.Reporter):
        every = 5

        def report(self, step: int, system: md.System) -> None:
            if step == 10:
                raise OSError("the disk is full")

    diary = Diary(every=5)
    with pytest.raises(OSError, match="the disk is full"):
        md.simulate(bond(np.asarray), RULE, 20, reporters=[diary, Broken()])
    assert diary.steps == [0, 5, 10]
    assert diary.calls[-1] == ("close",)


def test_a_reporter_that_cannot_start_closes_those_before_it() -> None:
    class Refuses(md.Reporter):
        def start(self, n_steps: int, start_step: int) -> None:
            raise ValueError("not today")

    first, last = Diary(every=5), Diary(every=5)
    with pytest.raises(ValueError, match="not today"):
        md.simulate(bond(np.asarray), RULE, 20, reporters=[first, Refuses(), last])
    assert first.calls == [("start", 20, 0), ("close",)]
    assert last.calls == []


@pytest.mark.parametrize("reporters", [md.Reporter, [print], ["progress"]])
def test_only_reporters_are_reporters(reporters: Any) -> None:
    with pytest.raises(TypeError, match=r"`reporters`: .* must be an instance of a md.Reporter"):
        md.simulate(bond(np.asarray), RULE, 20, reporters=reporters)
