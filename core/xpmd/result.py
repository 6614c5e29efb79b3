"""What a simulation returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Array = Any


@dataclass(frozen=True)
class Result:
    """The end of a simulation and what was observed on the way.

    Attributes:
        system: the System at the end; simulate it again to go on.
        observations: records by name, shape `(n_records, ...)`, step 0 included.
        step: number of the last step, the `start_step` of a continuation.
        sampled_average: how records are averaged where no trajectory is differentiated.
    """

    system: Any
    observations: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    sampled_average: Callable[[str], Any] | None = None

    def average(self, name: str) -> Array:
        """Return the mean over the records of an observation, differentiable by every strategy.

        Strategies that do not follow trajectories, such as "reweighting" and "score", differentiate a
        loss only through what this returns.

        Raises:
            ValueError: nothing of that name was observed.
        """
        if name not in self.observations:
            raise ValueError(
                f"`name` = {name!r} was not observed; observed were {sorted(self.observations)}."
            )
        if self.sampled_average is not None:
            return self.sampled_average(name)
        rows = self.observations[name]
        return self.system.backend.xp(rows).mean(rows, axis=0)

    @property
    def coords(self) -> Array:
        """Positions at the end, `(n, d)`, nm."""
        return self.system.coords

    @property
    def velocities(self) -> Array:
        """Velocities at the end, `(n, d)`, nm/ps."""
        return self.system.velocities

    @property
    def boundary(self) -> Any:
        """The boundary at the end."""
        return self.system.boundary
