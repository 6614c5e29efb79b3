"""Simulators, one a file."""

from xpmd_simulators.langevin import Langevin
from xpmd_simulators.velocity_verlet import VelocityVerlet

__all__ = ["Langevin", "VelocityVerlet"]
