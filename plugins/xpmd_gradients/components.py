"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the gradient strategies."""
    rows = [
        ("reverse", "reverse:Reverse", "exact discrete adjoint, states stored by chunk"),
        ("finite_difference", "finite_difference:FiniteDifference", "central, a black box"),
    ]
    return [
        Component("gradient_strategy", name, f"xpmd_gradients.{target}", summary=summary)
        for name, target, summary in rows
    ]
