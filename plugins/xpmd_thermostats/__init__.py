"""Thermostats, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_thermostats.andersen import AndersenThermostat
    from xpmd_thermostats.berendsen import BerendsenThermostat
    from xpmd_thermostats.rescale import RescaleThermostat

__all__ = ["AndersenThermostat", "BerendsenThermostat", "RescaleThermostat"]

__getattr__ = lazy_exports("xpmd_thermostats.components")
