"""The contract of a coupling: what a thermostat or barostat does after each completed step."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.concrete import require_positive_fields
from xpmd.errors import GradientError
from xpmd.module import Module
from xpmd.noise import Noise
from xpmd.units import convert_fields

Array = Any


class Coupling(Module):
    """Base of the thermostats and barostats."""

    #: Names of fields that must be positive (True: or zero).
    positive_fields: ClassVar[dict[str, bool]] = {}

    #: False if no noise is drawn; `noise` may then be `None`.
    stochastic: ClassVar[bool] = True

    #: Whether it makes the ensemble canonical at its `temperature`.
    canonical: ClassVar[bool] = False

    #: Fields given as quantities, with their dimension.
    quantities: ClassVar[dict[str, str]] = {"temperature": "temperature", "tau": "time"}

    def __post_init__(self) -> None:
        convert_fields(self, self.quantities)
        require_positive_fields(self)

    def apply(
        self, state: Any, system: Any, dt: Array, t: Any, noise: Noise, stream: int, *, xp: Any
    ) -> tuple[Any, tuple[Array, ...]]:
        """Return the state after the coupling acted, and what undoing it would need.

        Args:
            state: the `State` after the completed step.
            dt: time step, ps.
            t: number of the step.
            noise: random numbers of this step; use `stream`.
        """
        raise NotImplementedError

    def undo(self, state: Any, record: Any, system: Any, *, xp: Any) -> Any:
        """Return the state before the coupling acted.

        Args:
            record: what `apply` recorded.

        Raises:
            GradientError: this coupling cannot be undone.
        """
        raise GradientError(
            f"{type(self).__name__} does not say how to undo what it did, which gradients by "
            "reconstruction need: write its `undo`, or use the strategy 'checkpointed'."
        )
