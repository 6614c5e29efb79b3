"""What is recorded along a simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xpmd.concrete import require_whole


@dataclass(frozen=True)
class Observe:
    """Record `function(system)` at step 0 and then every so many steps; differentiable.

    Args:
        function: any function of a System that returns an array or a number.
        every: steps between records.
    """

    function: Callable[[Any], Any]
    every: int = 1

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"`function` = {self.function!r} must be callable with a System.")
        require_whole("every", self.every, at_least=1)
