"""The contract of a reporter: a side effect along a simulation, such as a file or a progress bar."""

from __future__ import annotations

from typing import Any


class Reporter:
    """Base of the reporters; not part of the physics and not differentiated.

    Attributes:
        every: steps between calls of `report`.
    """

    every: int = 100

    def start(self, n_steps: int, start_step: int) -> None:
        """Called once, before the first step."""

    def report(self, step: int, system: Any) -> None:
        """Called with the System at the start and then every `every` steps."""

    def finish(self, step: int, system: Any) -> None:
        """Called with the System after the last step."""

    def failed(self, step: int, system: Any) -> None:
        """Called with the last good System if the simulation fails."""

    def close(self) -> None:
        """Called last of all, also after an error or Ctrl-C: let go of screens and files."""
