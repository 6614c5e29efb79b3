"""Gradient strategies, one a file."""

from xpmd_gradients.finite_difference import FiniteDifference
from xpmd_gradients.reverse import Reverse

__all__ = ["FiniteDifference", "Reverse"]
