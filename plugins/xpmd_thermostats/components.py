"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the thermostats."""
    rows = [
        ("RescaleThermostat", "rescale", "temperature set after every step"),
        ("BerendsenThermostat", "berendsen", "temperature relaxes"),
        ("AndersenThermostat", "andersen", "random fresh velocities, canonical"),
    ]
    return [
        Component("thermostat", name, f"xpmd_thermostats.{module}:{name}", summary=summary)
        for name, module, summary in rows
    ]
