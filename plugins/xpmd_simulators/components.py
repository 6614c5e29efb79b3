"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the simulators."""
    rows = [
        ("VelocityVerlet", "velocity_verlet", "velocity Verlet with couplings"),
        ("Langevin", "langevin", "Langevin dynamics, middle scheme"),
        ("OBABO", "obabo", "Langevin dynamics whose steps have a density"),
    ]
    return [
        Component("simulator", name, f"xpmd_simulators.{module}:{name}", summary=summary)
        for name, module, summary in rows
    ]
