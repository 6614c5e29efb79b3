"""Animations: what is seen in the pictures of the file."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpmd as md

matplotlib = pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
UNIT_BOX = md.CubicBoundary(1.0)


class Film:
    """The frames of a file as arrays of colors, `(height, width, 3)`."""

    def __init__(self, path: Path) -> None:
        with Image.open(path) as image:
            self.frames, self.milliseconds = [], []
            for k in range(image.n_frames):
                image.seek(k)
                self.frames.append(np.asarray(image.convert("RGB"), dtype=int))
                self.milliseconds.append(image.info["duration"])

    def place(self, color: Sequence[int], frame: int = 0) -> Any:
        """Return the center of what has a color, in pixels from the lower left; `None` if nothing."""
        near = np.abs(self.frames[frame] - color).max(axis=-1) < 60
        rows, columns = np.nonzero(near)
        if len(rows) == 0:
            return None
        return np.array([columns.mean(), self.frames[frame].shape[0] - 1 - rows.mean()])

    def color(self, place: Any, frame: int = 0) -> Any:
        """Return the color at a place in pixels."""
        column, height = np.rint(place).astype(int)
        return self.frames[frame][self.frames[frame].shape[0] - 1 - height, column]


def animated(frames: Any, path: Path, boundary: Any = UNIT_BOX, **options: Any) -> Film:
    return Film(md.animate(frames, boundary, path / "film.gif", **options))


def test_every_record_is_a_frame_and_atoms_are_where_they_are(
    on: md.Backend, array: Any, tmp_path: Path
) -> None:
    moving = np.zeros((5, 3, 3))
    moving[:, 0] = [0.25, 0.25, 0.5]
    moving[:, 1] = [0.75, 0.25, 0.5]
    moving[:, 2] = [0.75, 0.75, 0.5]
    moving[:, 2, 1] -= 0.05 * np.arange(5)
    film = animated(array(moving), tmp_path, colors=["red", "lime", "blue"], seconds_per_frame=0.1)
    assert film.milliseconds == [100] * 5
    red, green, blue = (film.place(color) for color in (RED, GREEN, BLUE))
    np.testing.assert_allclose(green - red, [(green - red)[0], 0.0], atol=1.0)
    np.testing.assert_allclose(blue - green, [0.0, (green - red)[0]], atol=1.0)
    fallen = blue - film.place(BLUE, 4)
    np.testing.assert_allclose(fallen, [0.0, 0.4 * (green - red)[0]], atol=1.0)


def test_an_animated_simulation_has_a_frame_for_step_0_and_each_record(tmp_path: Path) -> None:
    from xpmd_simulators import VelocityVerlet

    system = md.System(
        atoms=md.Atoms(), coords=[[0.1, 0.5, 0.5]], velocities=[[1.0, 0, 0]], boundary=UNIT_BOX
    )
    simulator = VelocityVerlet(dt=0.1, remove_cm_motion=0)
    records = {"coords": md.Observe(lambda system: system.coords, every=2)}
    result = md.simulate(system, simulator, 6, observe=records)
    film = animated(result.observations["coords"], tmp_path, result.boundary, colors="red")
    assert len(film.frames) == 6 // 2 + 1
    steps = np.diff([film.place(RED, k)[0] for k in range(4)])
    np.testing.assert_allclose(steps, steps.mean(), atol=1.0)


def test_a_nearer_atom_hides_a_farther_one(tmp_path: Path) -> None:
    behind, before = [0.5, 0.5, 0.1], [0.5, 0.5, 0.9]
    film = animated(np.array([[behind, before], [before, behind]]), tmp_path, colors=["r", "b"])
    assert film.place(RED, 0) is None
    assert film.place(BLUE, 1) is None
    assert film.place(BLUE, 0) is not None
    assert film.place(RED, 1) is not None


@pytest.mark.parametrize(
    "colors", ["red", ["red"], [(1.0, 0.0, 0.0)], np.array([[1.0, 0.0, 0.0, 1.0]])]
)
def test_one_color_does_for_all_atoms(colors: Any, tmp_path: Path) -> None:
    film = animated(
        np.array([[[0.2, 0.5], [0.8, 0.5]]]), tmp_path, md.RectangularBoundary(1.0), colors=colors
    )
    reddish = film.frames[0][..., 0] - film.frames[0][..., 1] > 200
    left, right = np.array_split(reddish, 2, axis=1)
    assert abs(int(left.sum()) - int(right.sum())) < 0.2 * left.sum()


@pytest.mark.parametrize(("diameter", "shown"), [(0.3, 0.3), (None, 1.0 / 15.0)])
def test_atoms_are_drawn_to_scale(diameter: float | None, shown: float, tmp_path: Path) -> None:
    frames = np.array([[[0.2, 0.5], [0.8, 0.5]]])
    plane = md.RectangularBoundary(1.0)
    film = animated(frames, tmp_path, plane, colors=["red", "blue"], diameter=diameter)
    pixels_per_nm = (film.place(BLUE) - film.place(RED))[0] / 0.6
    area = (np.abs(film.frames[0] - RED).max(axis=-1) < 60).sum()
    # The dark rim, a pixel wide, is not counted, so the area lies a little below that of the circle.
    radius = 0.5 * shown * pixels_per_nm
    assert math.pi * (radius - 1.0) ** 2 < area < math.pi * radius**2


@pytest.mark.parametrize("inside", [True, False])
def test_a_bond_takes_the_shortest_image(inside: bool, tmp_path: Path) -> None:
    x = (0.35, 0.65) if inside else (0.1, 0.9)
    frames = np.array([[[x[0], 0.5, 0.5], [x[1], 0.5, 0.5]]])
    film = animated(frames, tmp_path, bonds=[[0, 1]], colors=["red", "blue"], diameter=0.05)
    red, blue = film.place(RED), film.place(BLUE)
    middle = film.color(0.5 * (red + blue))
    beyond = film.color(red + (blue - red) * (-0.06) / (x[1] - x[0]))
    grey, white = [127.0] * 3, [255.0] * 3
    np.testing.assert_allclose(middle, grey if inside else white, atol=20)
    np.testing.assert_allclose(beyond, white if inside else grey, atol=20)


@pytest.mark.parametrize(
    "boundary",
    [
        md.CubicBoundary(math.inf),
        md.CubicBoundary(math.inf, 8.0, 8.0),
        md.CubicBoundary(8.0, 8.0, math.inf),
        md.RectangularBoundary(math.inf),
        md.TriclinicBoundary([[8.0, 0.0, 0.0], [-3.0, 8.0, 0.0], [1.0, 1.0, 8.0]]),
    ],
    ids=["open", "slab in x", "slab in z", "open plane", "triclinic"],
)
def test_all_atoms_are_in_the_picture(boundary: md.Boundary, tmp_path: Path) -> None:
    frames = np.array([[[-2.5, 7.0, 3.0], [4.0, 4.0, 4.0], [7.0, 1.0, 5.0]]])
    if boundary.periodic[0] and not isinstance(boundary, md.TriclinicBoundary):
        frames[0, 0, 0] = 0.5  # as wrapping would have it
    film = animated(
        frames[..., : boundary.dimensions], tmp_path, boundary, colors=["red", "lime", "blue"]
    )
    red, green, blue = (film.place(color) for color in (RED, GREEN, BLUE))
    per_nm = (blue - green)[0] / 3.0
    np.testing.assert_allclose(blue - green, [3.0 * per_nm, -3.0 * per_nm], atol=1.5)
    np.testing.assert_allclose(
        green - red, per_nm * np.array([4.0 - frames[0, 0, 0], -3.0]), atol=1.5
    )


def test_a_triclinic_cell_is_drawn_as_it_is_seen(tmp_path: Path) -> None:
    cell = md.TriclinicBoundary([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    frames = np.array([[[0.2, 0.2, 0.0], [1.2, 0.8, 0.0]]])
    film = animated(frames, tmp_path, cell, colors=["red", "blue"], diameter=0.05)
    red, blue = film.place(RED), film.place(BLUE)

    def at(x: float, y: float) -> Any:
        return film.color(red + (blue - red) * [(x - 0.2) / 1.0, (y - 0.2) / 0.6])

    # The edge from (0, 0) to (0.5, 1), and its neighborhood.
    assert at(0.25, 0.5).max() < 220
    assert at(0.15, 0.5).min() > 240
    assert at(0.35, 0.5).min() > 240


@pytest.mark.parametrize("side", [1.0, math.inf])
def test_one_atom_at_rest_is_one_long_frame(side: float, tmp_path: Path) -> None:
    film = animated(np.zeros((4, 1, 3)) + 0.5, tmp_path, md.CubicBoundary(side), colors="red")
    assert film.place(RED) is not None
    assert sum(film.milliseconds) == 4 * 50


def test_parameters_in_the_box_and_a_new_folder_are_fine(array: Any, tmp_path: Path) -> None:
    boundary = md.CubicBoundary(array(1.0))
    frames = array([[[0.1, 0.5, 0.5], [0.9, 0.5, 0.5]]])
    path = md.animate(frames, boundary, str(tmp_path / "a" / "b" / "film.gif"), bonds=[[0, 1]])
    assert path == tmp_path / "a" / "b" / "film.gif"
    assert len(Film(path).frames) == 1


def test_the_state_of_matplotlib_is_left_alone(tmp_path: Path) -> None:
    from matplotlib import pyplot

    before = pyplot.get_backend(), pyplot.get_fignums()
    animated(np.array([[[0.5, 0.5, 0.5]]]), tmp_path)
    assert (pyplot.get_backend(), pyplot.get_fignums()) == before


def test_films_are_written_by_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import animation

    saved = {}

    def save(film: Any, path: Path, **options: Any) -> None:
        film._draw_was_started = True  # or collecting it would warn that nothing was drawn
        saved.update(options, path=path)

    monkeypatch.setattr(animation.writers, "is_available", lambda name: True)
    monkeypatch.setattr(animation.Animation, "save", save)
    md.animate(np.full((2, 1, 3), 0.5), UNIT_BOX, tmp_path / "film.mp4", seconds_per_frame=0.4)
    assert saved == {"path": tmp_path / "film.mp4", "writer": "ffmpeg", "fps": 2.5}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "film.mp4",
            r"`path` = .*film.mp4: .mp4 files are written by ffmpeg, which is not installed",
        ),
        (
            "film.gif",
            r"`path` = .*film.gif: .gif files are written by pillow, which is not installed",
        ),
    ],
)
def test_a_missing_writer_is_named(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib import animation

    monkeypatch.setattr(animation.writers, "is_available", lambda name: False)
    with pytest.raises(ValueError, match=message):
        md.animate(np.full((2, 1, 3), 0.5), UNIT_BOX, tmp_path / "new" / name)
    assert not (tmp_path / "new").exists()


def test_a_missing_matplotlib_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"Animations need matplotlib: pip install 'xpmd\[viz\]'"):
        md.animate(np.full((2, 1, 3), 0.5), UNIT_BOX, tmp_path / "film.gif")


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (
            np.zeros((4, 3)),
            {},
            r"`coords` has shape \(4, 3\); CubicBoundary needs \(n_frames, n_atoms, 3\)",
        ),
        (np.zeros((4, 2, 2)), {}, r"`coords` has shape \(4, 2, 2\)"),
        (np.zeros((0, 2, 3)), {}, r"`coords` has shape \(0, 2, 3\).*at least one frame"),
        (
            np.zeros((4, 2, 3)),
            {"bonds": [[0, 2]]},
            r"`bonds`: \[0, 2\] must be two of the atoms 0 to 1",
        ),
        (np.zeros((4, 2, 3)), {"bonds": [[0, 1, 1]]}, r"`bonds`: \[0, 1, 1\] must be two"),
        (np.zeros((4, 2, 3)), {"colors": ["r"] * 3}, r"`colors` holds 3 for 2 atoms"),
        (np.zeros((4, 2, 3)), {"diameter": 0.0}, r"`diameter` = 0.0 must be finite and positive"),
        (np.zeros((4, 2, 3)), {"seconds_per_frame": -1.0}, r"`seconds_per_frame` = -1.0 must be"),
        (np.zeros((4, 2, 3)), {"path": "film"}, r"`path` = film must end in .gif"),
    ],
)
def test_what_cannot_be_drawn_says_why(
    frames: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = options.pop("path", tmp_path / "film.gif")
    with pytest.raises(ValueError, match=message):
        md.animate(frames, UNIT_BOX, path, **options)
