"""Gradient strategies, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_gradients.adjoint import Adjoint
    from xpmd_gradients.checkpointed import Checkpointed
    from xpmd_gradients.finite_difference import FiniteDifference
    from xpmd_gradients.forward import Forward
    from xpmd_gradients.reverse import Reverse
    from xpmd_gradients.reversible import Reversible
    from xpmd_gradients.reweighting import Reweighting
    from xpmd_gradients.score import Score

__all__ = [
    "Adjoint",
    "Checkpointed",
    "FiniteDifference",
    "Forward",
    "Reverse",
    "Reversible",
    "Reweighting",
    "Score",
]

__getattr__ = lazy_exports("xpmd_gradients.components")
