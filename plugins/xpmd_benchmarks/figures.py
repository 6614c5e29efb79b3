"""Drawings of results: lines over a number, bars side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Colors that all readers can tell apart (M. Okabe and K. Ito, Color Universal Design, 2008).
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f")
STYLE: Any = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.dpi": 130,
    "font.size": 9.0,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
}

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """Lines over one axis, both axes logarithmic.

    Args:
        x, y: what the axes show, with units.
        lines: points by label; of a label that begins with "xpmd" solid, of others dashed.
    """

    x: str
    y: str
    lines: Mapping[str, Points]


@dataclass(frozen=True)
class LineFigure:
    """Panels of lines, side by side."""

    name: str
    title: str
    panels: Sequence[Panel]

    def draw(self, path: Path) -> None:
        with _drawing(len(self.panels)) as (figure, save):
            for panel, axes in zip(self.panels, _axes(figure, len(self.panels)), strict=True):
                for k, (label, points) in enumerate(panel.lines.items()):
                    xs, ys = zip(*sorted(points), strict=True)
                    style = "o-" if label.startswith("xpmd") else "s--"
                    axes.plot(xs, ys, style, color=COLORS[k % len(COLORS)], label=label)
                axes.set(xlabel=panel.x, ylabel=panel.y, xscale="log", yscale="log")
                if panel.lines:
                    _explain(axes)
            save(path)


@dataclass(frozen=True)
class BarFigure:
    """Groups of bars.

    Args:
        y: what the axis shows, with units.
        groups: heights by label, by the name of the group.
    """

    name: str
    title: str
    y: str
    groups: Mapping[str, Mapping[str, float]]

    def draw(self, path: Path) -> None:
        labels = list(dict.fromkeys(label for group in self.groups.values() for label in group))
        width = 0.8 / max(len(labels), 1)
        with _drawing(1) as (figure, save):
            (axes,) = _axes(figure, 1)
            for k, label in enumerate(labels):
                places = [n for n, group in enumerate(self.groups.values()) if label in group]
                heights = [group[label] for group in self.groups.values() if label in group]
                shifted = [n + (k + 0.5 - len(labels) / 2) * width for n in places]
                axes.bar(shifted, heights, width, color=COLORS[k % len(COLORS)], label=label)
            axes.set(ylabel=self.y, ylim=(0, None))
            axes.set_xticks(range(len(self.groups)), list(self.groups))
            if labels:
                _explain(axes)
            save(path)


def _explain(axes: Any) -> None:
    """Say what is what, above the drawing: many programs would cover some of it."""
    n_columns = 1 if len(axes.get_legend_handles_labels()[1]) < 5 else 2
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=n_columns)


@contextmanager
def _drawing(panels: int) -> Iterator[tuple[Any, Callable[[Path], None]]]:
    """Give a figure in our style and a function that writes it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(5.0 if panels == 1 else 3.4 * panels, 3.2))
        yield figure, figure.savefig


def _axes(figure: Any, count: int) -> list[Any]:
    return list(figure.subplots(1, count, squeeze=False)[0])
