"""Derivatives, forward and backward, of code written for the Python array API standard."""

from __future__ import annotations

from xpmd_autodiff.differentiation import Differentiation
from xpmd_autodiff.standalone import grad, jvp, vjp

__all__ = ["Differentiation", "grad", "jvp", "vjp"]
