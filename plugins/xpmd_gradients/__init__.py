"""Gradient strategies, one a file."""

from xpmd_gradients.checkpointed import Checkpointed
from xpmd_gradients.finite_difference import FiniteDifference
from xpmd_gradients.reverse import Reverse
from xpmd_gradients.reversible import Reversible

__all__ = ["Checkpointed", "FiniteDifference", "Reverse", "Reversible"]
