"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl

_PAIRWISE, _SPECIFIC, _GENERAL = (
    f"xpmd_interactions.{kind}" for kind in ("pairwise", "specific", "general")
)


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the interactions."""
    rows = [
        ("LennardJones", f"{_PAIRWISE}.lennard_jones", "4 eps [(s/r)^12 - (s/r)^6]"),
        ("Coulomb", f"{_PAIRWISE}.coulomb", "k_e q_i q_j / r"),
        ("HarmonicBond", f"{_SPECIFIC}.harmonic_bond", "k/2 (r - r0)^2"),
        ("HarmonicAngle", f"{_SPECIFIC}.harmonic_angle", "k/2 (theta - theta0)^2"),
        ("PeriodicTorsion", f"{_SPECIFIC}.periodic_torsion", "sum k (1 + cos(n phi - phase))"),
        ("MullerBrown", f"{_GENERAL}.muller_brown", "four Gaussians in the plane"),
    ]
    return [
        Component("interaction", name, f"{module}:{name}", summary=summary)
        for name, module, summary in rows
    ]
