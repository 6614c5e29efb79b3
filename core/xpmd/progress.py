"""A progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from xpmd.concrete import concrete
from xpmd.properties import temperature
from xpmd.reporter import Reporter


class Progress(Reporter):
    """Show step, temperature and speed while a simulation runs.

    Args:
        every: steps between updates.
        stream: where to write; standard error if left out.
    """

    def __init__(self, every: int = 100, stream: TextIO | None = None) -> None:
        self.every = every
        self.stream = stream
        self._bar: Any = None
        self._task: Any = None

    def start(self, n_steps: int, start_step: int) -> None:
        """Open the bar, or nothing where lines are written."""
        self._n_steps, self._first, self._began = n_steps, start_step, time.perf_counter()
        self._last_line, self._last_step = -1.0, -1
        stream = self.stream or sys.stderr
        if not stream.isatty():
            return
        try:
            from rich.console import Console
            from rich.progress import Progress as Bar
        except ImportError:
            return
        self._bar = Bar(console=Console(file=stream), transient=False)
        self._bar.start()
        self._task = self._bar.add_task("simulate", total=n_steps)

    def report(self, step: int, system: Any) -> None:
        """Update the bar, or write a line at most once a second."""
        done, self._last_step = step - self._first, step
        spent = time.perf_counter() - self._began
        kelvin = concrete(temperature(system))
        words = f"step {step}  T {kelvin:.4g}  {done / spent if spent else 0:.0f} steps/s"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=words)
        elif spent - self._last_line >= 1.0 or done in (0, self._n_steps):
            self._last_line = spent
            print(f"{words}  ({done}/{self._n_steps})", file=self.stream or sys.stderr, flush=True)

    def finish(self, step: int, system: Any) -> None:
        """Show the last step, also where it is not a multiple of `every`."""
        if step != self._last_step:
            self._last_line = -1.0
            self.report(step, system)

    def close(self) -> None:
        """Close the bar where it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
