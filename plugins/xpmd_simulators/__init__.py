"""Simulators, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_simulators.langevin import Langevin
    from xpmd_simulators.obabo import OBABO
    from xpmd_simulators.velocity_verlet import VelocityVerlet

__all__ = ["OBABO", "Langevin", "VelocityVerlet"]

__getattr__ = lazy_exports("xpmd_simulators.components")
