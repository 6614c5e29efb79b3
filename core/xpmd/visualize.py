"""Animations of trajectories, drawn by matplotlib."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xpmd.backend import backend_of
from xpmd.boundary import Boundary
from xpmd.concrete import require_positive

Array = Any
Limits = tuple[tuple[float, float], tuple[float, float]]

#: Space left around the atoms in a direction that is open, as a part of their extent.
_MARGIN = 0.1


def animate(
    coords: Array,
    boundary: Boundary,
    path: str | Path,
    *,
    bonds: Sequence[Sequence[int]] = (),
    colors: Any = "#4063d8",
    diameter: float | None = None,
    title: str = "",
    seconds_per_frame: float = 0.05,
) -> Path:
    """Write an animation of a trajectory, seen along z, and return its path.

    Each record is a frame. Atoms are drawn to scale, nearer ones over farther ones, and bonds along
    their shortest image. A `.gif` shows a record that repeats the one before it as one longer frame.

    Args:
        coords: frames `(n_frames, n, d)`, nm, d = 2 or 3, such as the records of `md.Observe`.
        boundary: the cell that is drawn around the atoms; open directions show what the atoms need.
        path: file to write; `.gif` needs Pillow, a film such as `.mp4` ffmpeg.
        bonds: pairs of atoms to join by lines.
        colors: a color of matplotlib, or one an atom.
        diameter: of the atoms, nm; a fifteenth of the picture if left out.
        title: text above the picture.
        seconds_per_frame: how long a frame is shown.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: shapes do not fit, or nothing here writes files of this kind.
    """
    try:
        from matplotlib import animation
        from matplotlib.collections import EllipseCollection, LineCollection
        from matplotlib.colors import to_rgba_array
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Animations need matplotlib: pip install 'xpmd[viz]'.") from error

    n_atoms = _checked(coords, boundary, bonds)
    require_positive("seconds_per_frame", seconds_per_frame)
    palette: Any = to_rgba_array(colors)
    if len(palette) not in (1, n_atoms):
        raise ValueError(
            f"`colors` holds {len(palette)} for {n_atoms} atoms; give one, or one each."
        )
    path = Path(path)
    writer = _writer(path, animation.writers)
    frames, arms = _on_host(coords, boundary, bonds)

    figure = Figure(figsize=(4.0, 4.0), dpi=100, layout="constrained")
    axes = figure.add_subplot(xlabel="x / nm", ylabel="y / nm", title=title, aspect="equal")
    outline = list(_outline(boundary))
    horizontal, vertical = _limits(frames, boundary, outline)
    axes.set(xlim=horizontal, ylim=vertical)
    for ends, side in zip(
        (["left", "right"], ["bottom", "top"]), boundary.side_lengths(), strict=False
    ):
        axes.spines[ends].set_linestyle("--" if math.isinf(side) else "-")
    axes.add_collection(LineCollection(outline, colors="0.6", linewidths=1.0, zorder=1))
    if diameter is None:
        diameter = min(high - low for low, high in (horizontal, vertical)) / 15.0
    require_positive("diameter", diameter)
    atoms = EllipseCollection(
        *([diameter], [diameter], [0.0]),
        units="xy",
        offsets=frames[0][:, :2],
        offset_transform=axes.transData,
        edgecolors="0.15",
        linewidths=0.4,
        zorder=3,
    )
    lines = LineCollection([], colors="0.5", linewidths=3.0, zorder=2)
    axes.add_collection(lines)
    axes.add_collection(atoms)

    def draw(k: int) -> tuple[Any, ...]:
        frame = frames[k]
        # What is drawn last lies on top.
        order = frame[:, 2].argsort(kind="stable") if frame.shape[1] == 3 else slice(None)
        atoms.set_offsets(frame[order, :2])
        atoms.set_facecolor(palette[order] if len(palette) > 1 else palette)
        lines.set_segments(list(_segments(frame, bonds, [arm[k] for arm in arms])))
        return atoms, lines

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # or the layout would move between frames
    film = animation.FuncAnimation(figure, draw, frames=len(frames), init_func=lambda: ())
    path.parent.mkdir(parents=True, exist_ok=True)
    rate: Any = 1.0 / seconds_per_frame  # fractions are fine, whatever the annotation says
    film.save(path, writer=writer, fps=rate)
    return path


def _checked(coords: Array, boundary: Boundary, bonds: Sequence[Sequence[int]]) -> int:
    """Return the number of atoms, or raise what is wrong with the arguments."""
    shape, d = tuple(coords.shape), boundary.dimensions
    if d not in (2, 3) or len(shape) != 3 or shape[2] != d or 0 in shape:
        raise ValueError(
            f"`coords` has shape {shape}; {type(boundary).__name__} needs (n_frames, n_atoms, {d}), "
            "at least one frame of one atom."
        )
    for bond in bonds:
        if len(bond) != 2 or not all(0 <= i < shape[1] for i in bond):
            raise ValueError(f"`bonds`: {bond} must be two of the atoms 0 to {shape[1] - 1}.")
    return int(shape[1])


def _writer(path: Path, available: Any) -> str:
    """Return the name of matplotlib's writer for a kind of file."""
    name = "pillow" if path.suffix == ".gif" else "ffmpeg"
    if not path.suffix:
        raise ValueError(f"`path` = {path} must end in .gif, or in .mp4 where ffmpeg is installed.")
    if not available.is_available(name):
        raise ValueError(
            f"`path` = {path}: {path.suffix} files are written by {name}, which is not installed. "
            "Install it (pip install pillow; ffmpeg comes with the system or conda), or name a "
            + ("film such as .mp4." if name == "pillow" else ".gif.")
        )
    return name


def _on_host(
    coords: Array, boundary: Boundary, bonds: Sequence[Sequence[int]]
) -> tuple[Any, list[Any]]:
    """Return the frames, and of each bond the vector from its first atom to the second."""
    backend = backend_of(coords)
    xp = backend.xp(coords)
    arms = [
        boundary.displacement(coords[:, int(i), :], coords[:, int(j), :], xp=xp) for i, j in bonds
    ]
    return backend.to_numpy(coords), [backend.to_numpy(arm) for arm in arms]


def _segments(frame: Any, bonds: Sequence[Sequence[int]], arms: Sequence[Any]) -> Iterator[Any]:
    """Yield each bond from both of its ends: one line, or two where it crosses the boundary."""
    for (i, j), arm in zip(bonds, arms, strict=True):
        first, second = frame[i][:2], frame[j][:2]
        yield (first, first + arm[:2])
        yield (second, second - arm[:2])


def _outline(boundary: Boundary) -> Iterator[list[list[float]]]:
    """Yield the edges of the cell as they are seen along z."""
    vectors = boundary.cell_vectors()
    if vectors is None:
        return
    axes = range(len(vectors))
    for along in axes:
        for corner in itertools.product((0, 1), repeat=len(vectors)):
            if corner[along] == 0:
                start = [sum(corner[k] * vectors[k][a] for k in axes) for a in (0, 1)]
                yield [start, [start[a] + vectors[along][a] for a in (0, 1)]]


def _limits(frames: Any, boundary: Boundary, outline: Sequence[Any]) -> Limits:
    """Return what the picture shows along x and y: the cell, or what the atoms need where open."""
    extents = []
    for axis, side in enumerate(boundary.side_lengths()[:2]):
        low, high = float(frames[..., axis].min()), float(frames[..., axis].max())
        if outline:
            ends = [point[axis] for edge in outline for point in edge]
            low, high = min(ends), max(ends)
        elif math.isfinite(side):
            low, high = 0.0, side
        extents.append((low, high, math.isinf(side)))
    widest = max(high - low for low, high, _ in extents) or 1.0
    x, y = (
        (low - _MARGIN * widest, high + _MARGIN * widest) if opened else (low, high)
        for low, high, opened in extents
    )
    return x, y
