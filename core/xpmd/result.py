"""What a simulation returns."""

from __future__ import annotations

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
    """

    system: Any
    observations: dict[str, Any] = field(default_factory=dict)
    step: int = 0

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
