"""Progress: a bar on a terminal, plain lines elsewhere, and nothing left behind."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def system() -> md.System:
    """Return two bonded atoms that turn about each other."""
    return md.System(
        atoms=md.Atoms(mass=1.0),
        coords=np.array([[1.0, 1.0, 1.0], [1.5, 1.0, 1.0]]),
        velocities=np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]),
        boundary=md.CubicBoundary(3.0),
        interactions=[HarmonicBond(atoms=[[0, 1]], k=10.0, r0=0.5)],
    )


def run(system: md.System, progress: md.Progress, n_steps: int = 25, **options: Any) -> md.Result:
    return md.simulate(system, VelocityVerlet(dt=0.01), n_steps, reporters=[progress], **options)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let every look at the clock be two seconds after the last, and return where it stands."""
    now = [0.0]

    def tick() -> float:
        now[0] += 2.0
        return now[0]

    monkeypatch.setattr("xpmd.progress.time.perf_counter", tick)
    return now


def test_lines_where_there_is_no_terminal(system: md.System, seconds: list[float]) -> None:
    stream = io.StringIO()
    run(system, md.Progress(every=10, stream=stream))
    lines = stream.getvalue().splitlines()
    pattern = re.compile(r"step (\d+)  T ([\d.e+]+)  ([\d]+) steps/s  \((\d+)/25\)")
    matches = [pattern.fullmatch(line) for line in lines]
    assert [(m[1], m[4]) for m in matches if m] == [
        ("0", "0"),
        ("10", "10"),
        ("20", "20"),
        ("25",) * 2,
    ]
    assert len(lines) == 4
    kelvin = float(matches[0][2])  # type: ignore[index]
    assert kelvin == pytest.approx(float(md.temperature(system)), rel=1e-3)
    # 25 steps in the four reports since the start, two seconds each.
    assert matches[-1][3] == f"{25 / 8:.0f}"  # type: ignore[index]


def test_at_most_a_line_a_second(system: md.System, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(np.arange(0.0, 100.0, 0.3))
    monkeypatch.setattr("xpmd.progress.time.perf_counter", lambda: float(next(ticks)))
    stream = io.StringIO()
    run(system, md.Progress(every=1, stream=stream), n_steps=20)
    steps = [int(line.split()[1]) for line in stream.getvalue().splitlines()]
    assert steps == [0, 4, 8, 12, 16, 20]


def test_a_continuation_counts_its_own_steps(system: md.System, seconds: list[float]) -> None:
    stream = io.StringIO()
    run(system, md.Progress(every=10, stream=stream), start_step=100)
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("step 125 ")
    assert last.endswith("(25/25)")


def test_a_bar_on_a_terminal(system: md.System) -> None:
    pytest.importorskip("rich")
    stream, output = Terminal(), sys.stdout
    run(system, md.Progress(every=10, stream=stream))
    text = stream.getvalue()
    assert "step 25" in text
    assert "100%" in text
    assert "\x1b[" in text
    # rich takes the standard streams while a bar is shown.
    assert sys.stdout is output


def test_lines_on_a_terminal_without_rich(
    system: md.System, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rich", "rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, module, None)
    stream = Terminal()
    run(system, md.Progress(every=10, stream=stream))
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["0", "10", "20", "25"]
    assert "\x1b" not in stream.getvalue()


def test_progress_by_argument(system: md.System, capsys: pytest.CaptureFixture[str]) -> None:
    md.simulate(system, VelocityVerlet(dt=0.01), 5, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "(0/5)" in shown.err
    assert "(5/5)" in shown.err


class Interrupt(md.Reporter):
    """Press Ctrl-C at a step."""

    every = 10

    def report(self, step: int, system: md.System) -> None:
        if step == 10:
            raise KeyboardInterrupt


class Repulsion(md.PairwiseInteraction):
    """V = 1/r."""

    def energy(self, r: Any, *, xp: Any) -> Any:
        return 1.0 / r


@pytest.mark.parametrize("error", [KeyboardInterrupt, md.SimulationError])
@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero) encountered:RuntimeWarning")
def test_the_bar_is_closed_whatever_happens(
    system: md.System, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    rich_progress = pytest.importorskip("rich.progress")
    stopped: list[Any] = []
    original = rich_progress.Progress.stop

    def stop(bar: Any) -> None:
        stopped.append(bar)
        original(bar)

    monkeypatch.setattr(rich_progress.Progress, "stop", stop)
    reporters: list[md.Reporter] = [md.Progress(every=10, stream=Terminal())]
    if error is KeyboardInterrupt:
        reporters.append(Interrupt())
    else:
        # Atoms on top of each other: there is not one good state.
        system = system.replace(coords=np.ones((2, 3)), interactions=[Repulsion()])
    output = sys.stdout
    with pytest.raises(error):
        md.simulate(system, VelocityVerlet(dt=0.01), 100, reporters=reporters)
    assert len(stopped) == 1
    assert sys.stdout is output


def test_a_gradient_with_progress(system: md.System) -> None:
    """Numbers under differentiation are shown like any others, once."""
    stream = io.StringIO()

    def loss(r0: Any) -> Any:
        bond = HarmonicBond(atoms=[[0, 1]], k=10.0, r0=r0)
        end = run(system.replace(interactions=[bond]), md.Progress(every=10, stream=stream))
        return md.kinetic_energy(end.system)

    md.value_and_grad(loss)(np.asarray(0.6))
    assert "(0/25)" in stream.getvalue()
    assert stream.getvalue().count("(25/25)") == 1


@pytest.mark.parametrize("every", [0, 1.5, "often"])
def test_intervals_are_whole_numbers(system: md.System, every: Any) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=f"`every` = {every!r} must be a whole number"
    ):
        run(system, md.Progress(every=every))
