"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the gradient strategies."""
    rows = [
        ("reverse", "reverse:Reverse", "exact discrete adjoint, all states kept"),
        ("checkpointed", "checkpointed:Checkpointed", "exact discrete adjoint, few states kept"),
        ("reversible", "reversible:Reversible", "discrete adjoint, states reconstructed"),
        ("forward", "forward:Forward", "change carried along, few parameters"),
        ("adjoint", "adjoint:Adjoint", "adjoint of the equation of motion"),
        ("reweighting", "reweighting:Reweighting", "equilibrium averages, no path"),
        ("score", "score:Score", "averages over noise, no path, OBABO"),
        ("finite_difference", "finite_difference:FiniteDifference", "central, a black box"),
    ]
    return [
        Component("gradient_strategy", name, f"xpmd_gradients.{target}", summary=summary)
        for name, target, summary in rows
    ]
