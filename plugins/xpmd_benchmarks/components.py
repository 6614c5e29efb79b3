"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the benchmarks."""
    rows = [
        ("fluid", "fluid:Fluid", "a Lennard-Jones fluid, beside other engines"),
        ("gradient", "gradient:Gradient", "value and gradient, by each strategy"),
        (
            "pairs",
            "pairs:Pairs",
            "a stranger's potential beside the shipped one, and sums over pairs",
        ),
        ("growth", "growth:Growth", "with atoms, and of gradients with steps"),
        ("molecule", "molecule:Molecule", "the examples from their start, and 50 atoms"),
        ("import", "imports:Imports", "what an import costs"),
    ]
    return [
        Component("benchmark", name, f"xpmd_benchmarks.suites.{target}", summary=summary)
        for name, target, summary in rows
    ]
