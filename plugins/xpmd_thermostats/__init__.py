"""Thermostats, one a file."""

from xpmd_thermostats.andersen import AndersenThermostat
from xpmd_thermostats.berendsen import BerendsenThermostat
from xpmd_thermostats.rescale import RescaleThermostat

__all__ = ["AndersenThermostat", "BerendsenThermostat", "RescaleThermostat"]
