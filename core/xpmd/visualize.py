"""Animations of trajectories, drawn by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xpmd.backend import backend_of
from xpmd.boundary import Boundary

Array = Any


def animate(
    coords: Array,
    boundary: Boundary,
    path: str | Path,
    *,
    bonds: Sequence[Sequence[int]] = (),
    colors: Sequence[str] | str = "#4063d8",
    title: str = "",
    seconds_per_frame: float = 0.05,
) -> Path:
    """Write an animation of a trajectory, seen along z, and return its path.

    Args:
        coords: frames `(n_frames, n, d)`, nm, such as the records of `md.Observe`.
        boundary: the box that is drawn around the atoms.
        path: file to write; `.gif` needs Pillow, `.mp4` ffmpeg.
        bonds: pairs of atoms to join by lines.
        colors: one color, or one an atom.
        title: text above the picture.
        seconds_per_frame: how long a frame is shown.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("Animations need matplotlib: pip install 'xpmd[viz]'.") from error
    matplotlib.use("Agg", force=False)
    from matplotlib import animation, pyplot

    frames = backend_of(coords).to_numpy(coords)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(4.0, 4.0), dpi=100)
    for axis, limits in ((0, axes.set_xlim), (1, axes.set_ylim)):
        side = boundary.side_lengths()[axis]
        low, high = float(frames[..., axis].min()), float(frames[..., axis].max())
        limits(*((0.0, side) if math.isfinite(side) else (low - 0.1, high + 0.1)))
    axes.set_aspect("equal")
    axes.set(xlabel="x / nm", ylabel="y / nm", title=title)
    lines = [axes.plot([], [], color="0.5", linewidth=3, zorder=1)[0] for _ in bonds]
    dots = axes.scatter(frames[0][:, 0], frames[0][:, 1], s=180, c=colors, zorder=2)

    def draw(k: int) -> list[Any]:
        dots.set_offsets(frames[k][:, :2])
        for line, (i, j) in zip(lines, bonds, strict=True):
            first, second = frames[k][i], frames[k][j]
            # A bond across the boundary would be a line through the whole box.
            apart = float(abs(first - second).max()) < 0.5 * min(boundary.side_lengths())
            ends = [[first[a], second[a]] if apart else [] for a in (0, 1)]
            line.set_data(*ends)
        return [dots, *lines]

    film = animation.FuncAnimation(figure, draw, frames=len(frames), blit=True)
    figure.tight_layout()
    writer = "pillow" if path.suffix == ".gif" else "ffmpeg"
    film.save(path, writer=writer, fps=round(1.0 / seconds_per_frame))
    pyplot.close(figure)
    return path
