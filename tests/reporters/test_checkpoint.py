"""Checkpoints: a run stopped anywhere goes on as if it had not been, and no file harms or misleads."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpmd as md
from lennard_jones_liquid import DT, TEMPERATURE, TIME, liquid
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_reporters import Checkpoint, load_checkpoint
from xpmd_simulators import OBABO, Langevin, VelocityVerlet
from xpmd_thermostats import AndersenThermostat, BerendsenThermostat, RescaleThermostat

SIMULATORS: dict[str, Callable[[Any], md.Simulator]] = {
    "VelocityVerlet": lambda coupling: VelocityVerlet(dt=DT, coupling=coupling, remove_cm_motion=3),
    "Langevin": lambda coupling: Langevin(
        dt=DT, temperature=TEMPERATURE, friction=1.0 / TIME, coupling=coupling
    ),
    "OBABO": lambda coupling: OBABO(
        dt=DT, temperature=TEMPERATURE, friction=1.0 / TIME, coupling=coupling
    ),
}
THERMOSTATS: dict[str, Callable[[], Any]] = {
    "none": tuple,
    "RescaleThermostat": lambda: RescaleThermostat(temperature=TEMPERATURE),
    "BerendsenThermostat": lambda: BerendsenThermostat(temperature=TEMPERATURE, tau=0.1 * TIME),
    "AndersenThermostat": lambda: AndersenThermostat(temperature=TEMPERATURE, tau=0.1 * TIME),
}
FINDERS: dict[str, Callable[[], md.NeighborFinder]] = {
    "AllPairs": AllPairs,
    "DistanceNeighborFinder": lambda: DistanceNeighborFinder(cutoff=0.57),
    "CellListNeighborFinder": lambda: CellListNeighborFinder(cutoff=0.57, every=7),
}


@pytest.mark.parametrize(
    ("kind", "table"),
    [("simulator", SIMULATORS), ("thermostat", THERMOSTATS), ("neighbor_finder", FINDERS)],
)
def test_every_component_is_restarted_below(kind: str, table: dict[str, Any]) -> None:
    ours = {entry.name for entry in md.plugins.list(kind) if entry.distribution == "xpmd"}
    assert ours == set(table) - {"none"}


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("thermostat", THERMOSTATS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_restart_is_identical(tmp_path: Path, simulator: str, thermostat: str, finder: str) -> None:
    """60 steps = 25, saved, loaded into a System that never ran, 35 more: the same bits, or nearly."""
    path = tmp_path / "state.npz"
    rule = SIMULATORS[simulator](THERMOSTATS[thermostat]())

    def start() -> md.System:
        return liquid(np.asarray, cells=2, finder=FINDERS[finder]())

    whole = md.simulate(start(), rule, 60, seed=3)
    md.simulate(start(), rule, 25, seed=3, reporters=[Checkpoint(path)])
    restored, step = load_checkpoint(path, start())
    assert step == 25
    rest = md.simulate(restored, rule, 35, seed=3, start_step=step)
    # What is in a list depends on where atoms were when it was made, and the last bits of sums on how
    # they are cut into blocks and runs; all pairs are always the same.
    tolerance = 0.0 if finder == "AllPairs" else 1e-12
    for found, wanted in ((rest.coords, whole.coords), (rest.velocities, whole.velocities)):
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=tolerance)


def small(array: Callable[..., Any], **changes: Any) -> md.System:
    system = md.System(
        atoms=md.Atoms(mass=1.0),
        coords=array([[0.5, 1.0, 1.5], [1.0, 2.0, 2.5]]),
        velocities=array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]),
        boundary=md.CubicBoundary(3.0, 4.0, 5.0),
    )
    return system.replace(**changes)


def written(path: Path, system: md.System, step: int = 7) -> Path:
    Checkpoint(path).report(step, system)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path: Path, on: md.Backend, array: Callable[..., Any], dtype: str) -> None:
    def typed(value: Any) -> Any:
        return array(value, dtype=dtype)

    saved = small(typed, boundary=md.CubicBoundary(3.1, 4.2, 5.3))
    other = small(typed, coords=typed(np.zeros((2, 3))), velocities=typed(np.zeros((2, 3))))
    restored, step = load_checkpoint(written(tmp_path / "state.npz", saved), other)
    assert step == 7
    assert restored.backend is on
    assert restored.dtype == dtype
    for found, wanted in zip(
        [restored.coords, restored.velocities, *restored.boundary.sides],
        [saved.coords, saved.velocities, *saved.boundary.sides],
        strict=True,
    ):
        np.testing.assert_array_equal(on.to_numpy(found), on.to_numpy(wanted))


@pytest.mark.parametrize(
    "boundary",
    [
        md.CubicBoundary(3.0, np.inf, 5.0),
        md.TriclinicBoundary([[3.0, 0.0, 0.0], [0.5, 4.0, 0.0], [0.25, -0.5, 5.0]]),
    ],
    ids=["open", "triclinic"],
)
def test_boxes_of_every_kind(tmp_path: Path, boundary: md.Boundary) -> None:
    saved = small(np.asarray, boundary=boundary)
    restored, _ = load_checkpoint(written(tmp_path / "state.npz", saved), saved)
    assert type(restored.boundary) is type(boundary)
    assert restored.boundary.periodic == boundary.periodic
    point = np.array([[1.0, 3.9, 4.9]])
    np.testing.assert_array_equal(
        restored.boundary.wrap(point, xp=np), saved.boundary.wrap(point, xp=np)
    )


def test_steps_of_the_file(tmp_path: Path, array: Callable[..., Any]) -> None:
    """The file holds the last multiple of `every`, then the end, and counts from the first run on."""
    path, seen = tmp_path / "deep" / "folder" / "state.npz", []

    class Look(md.Reporter):
        every = 1

        def report(self, step: int, system: md.System) -> None:
            seen.append(load_checkpoint(path, system)[1])

    rule = VelocityVerlet(dt=0.01)
    run = md.simulate(small(array), rule, 7, reporters=[Checkpoint(path, every=3), Look()])
    assert seen == [0, 0, 0, 3, 3, 3, 6, 6]
    assert load_checkpoint(path, run.system)[1] == 7
    md.simulate(run.system, rule, 4, start_step=7, reporters=[Checkpoint(path, every=3)])
    assert load_checkpoint(path, run.system)[1] == 11


@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero|overflow):RuntimeWarning")
def test_the_last_good_state_of_a_failure_goes_on(tmp_path: Path) -> None:
    """A time step far too long fails; from the file, the run goes on with a shorter one."""
    path = tmp_path / "state.npz"
    system = liquid(np.asarray, cells=2)
    with pytest.raises(md.SimulationError) as caught:
        md.simulate(
            system, VelocityVerlet(dt=50.0 * DT), 300, reporters=[Checkpoint(path, every=100)]
        )
    restored, step = load_checkpoint(path, system)
    assert step == caught.value.step - 1
    np.testing.assert_array_equal(restored.coords, caught.value.system.coords)
    assert np.isfinite(restored.velocities).all()
    end = md.simulate(restored, VelocityVerlet(dt=1e-4 * DT), 3, start_step=step)
    assert np.isfinite(end.coords).all()


# -- what cannot be written -------------------------------------------------------------------------


class Forbidden(md.GeneralInteraction):
    """Computing anything is an error."""

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        raise AssertionError("work was begun")


@pytest.mark.parametrize("trouble", ["a file as folder", "a folder as file", "no permission"])
def test_what_cannot_be_written_is_said_before_work_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    path = tmp_path / "state.npz"
    if trouble == "a file as folder":
        path.write_text("not a folder")
        path = path / "state.npz"
    elif trouble == "a folder as file":
        path.mkdir()
    else:
        # The superuser may write where others may not.
        def refused(*_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "touch", refused)
    system = small(np.asarray, interactions=[Forbidden()])
    with pytest.raises(ValueError, match=r"`path` = '.*state.npz' cannot be written: "):
        md.simulate(system, VelocityVerlet(dt=0.01), 10, reporters=[Checkpoint(path)])


@pytest.mark.parametrize("every", [0, 2.5, None])
def test_intervals_are_whole_numbers(every: Any) -> None:
    with pytest.raises(ValueError, match=f"`every` = {every} must be a whole number, at least 1"):
        Checkpoint("state.npz", every=every)


# -- a file is old or new, never partial ------------------------------------------------------------


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, system = tmp_path / "state.npz", small(np.asarray)
    written(path, system, step=7)

    def half(file: Any, **arrays: Any) -> None:
        file.write(b"PK\x03\x04 half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="No space left"):
        written(path, system, step=8)
    assert load_checkpoint(path, system)[1] == 7


WRITER = """
import sys
import numpy as np
import xpmd as md
from xpmd_reporters import Checkpoint

system = md.System(
    atoms=md.Atoms(mass=1.0), coords=np.zeros((200_000, 3)), boundary=md.CubicBoundary(np.inf)
)
checkpoint = Checkpoint(sys.argv[1])
for step in range(100_000):
    checkpoint.report(step, system.with_fields(coords=system.coords + step))
    print(step, flush=True)
"""


def killed(path: Path, delay: float) -> int:
    """Kill a process that writes, some time after its third file; return the steps it finished."""
    arguments = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline()
        time.sleep(delay)
        process.kill()
        rest = process.stdout.read().split()
    return int(rest[-1]) if rest else 2


def assert_whole(path: Path, finished: int) -> None:
    like = md.System(
        atoms=md.Atoms(mass=1.0), coords=np.zeros((200_000, 3)), boundary=md.CubicBoundary(np.inf)
    )
    restored, step = load_checkpoint(path, like)
    assert step in (finished, finished + 1)
    assert (restored.coords == step).all()


@pytest.mark.parametrize("delay", [0.011, 0.027, 0.043])
def test_a_killed_process_leaves_a_whole_file(tmp_path: Path, delay: float) -> None:
    path = tmp_path / "state.npz"
    assert_whole(path, killed(path, delay))


@pytest.mark.slow
def test_fifty_killed_processes_leave_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    partial = 0
    for delay in np.random.default_rng(3).uniform(0.0, 0.06, size=50):
        finished = killed(path, float(delay))
        partial += path.with_name("state.npz.part").exists()
        assert_whole(path, finished)
    # Some were killed while they wrote, or nothing was tested.
    assert partial > 5


# -- what cannot be read ----------------------------------------------------------------------------


def forged(path: Path, header: Any = None, **arrays: Any) -> Path:
    """Write a file like ours, with any part changed; `None` leaves a part out."""
    parts = {"format": 1, "step": 7, "dtype": "float64", "box": 3, **(header or {})}
    entries: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(parts).encode(), dtype=np.uint8),
        "coords": np.zeros((2, 3)),
        "velocities": np.zeros((2, 3)),
        **{f"box_{k}": np.asarray(3.0) for k in range(3)},
        **arrays,
    }
    np.savez(path, **{k: v for k, v in entries.items() if v is not None})
    return path


def test_a_forged_file_is_fine_if_nothing_is_wrong(tmp_path: Path) -> None:
    assert load_checkpoint(forged(tmp_path / "state.npz"), small(np.asarray))[1] == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"header": {"format": 2}}, "it has format 2, and this version reads format 1"),
        ({"header": {"box": 9}}, "it has a box of 9 values, and CubicBoundary has 3"),
        ({"header": {"step": -1}}, "`step` = -1 must be a whole number"),
        ({"header": {"step": 1.5}}, "`step` = 1.5 must be a whole number"),
        (
            {"coords": np.zeros((3, 3))},
            r"holds `coords` of shape \(3, 3\); the System has \(2, 3\)",
        ),
        ({"velocities": np.zeros(6)}, r"holds `velocities` of shape \(6,\)"),
        ({"box_1": np.ones(3)}, r"holds `box_1` of shape \(3,\); the System has \(\)"),
        ({"velocities": None}, "velocities"),
        ({"coords": np.full((2, 3), np.nan)}, "`coords` has a value that is not finite"),
        ({"coords": np.array([[object()] * 3] * 2)}, "allow_pickle=False"),
        ({"coords": np.zeros((100_000, 3))}, "it has an entry of 2400128 bytes, for 2 atoms"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = forged(tmp_path / "state.npz", **changes)
    with pytest.raises(ValueError, match=message):
        load_checkpoint(path, small(np.asarray))


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    path.write_bytes(b"cbuiltins\nexec\n(S'raise SystemExit(9)'\ntR.")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        load_checkpoint(path, small(np.asarray))


@pytest.mark.parametrize("kind", ["nothing", "half a file", "one array", "another archive"])
def test_no_checkpoint_at_all(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.npz"
    if kind == "nothing":
        path.write_bytes(b"")
    elif kind == "half a file":
        whole = forged(tmp_path / "whole.npz").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("letter.txt", "nothing of interest")
    with pytest.raises(ValueError, match=r"state.npz cannot be read as a checkpoint: "):
        load_checkpoint(path, small(np.asarray))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"state\.npz"):
        load_checkpoint(tmp_path / "state.npz", small(np.asarray))
