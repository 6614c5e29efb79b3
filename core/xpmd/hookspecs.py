"""The plugin contract, on one screen.

A plugin is an entry point of the group `xpmd` that names a light module with one hook:

    @hookimpl
    def xpmd_components(api):
        return [Component("interaction", "Buckingham", "xpmd_buckingham:Buckingham")]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pluggy

#: Name of the entry point group and of the pluggy project.
GROUP = "xpmd"

#: Version of this contract: another major number is refused, a higher minor number warned about.
API = (1, 0)

#: What a component can be, and the base class, or classes, that its target derives from one of.
#: Observables and kernels are functions or classes of any kind.
KINDS: dict[str, tuple[str, ...]] = {
    "interaction": (
        "xpmd.pairwise:PairwiseInteraction",
        "xpmd.specific:SpecificInteraction",
        "xpmd.general:GeneralInteraction",
    ),
    "simulator": ("xpmd.simulator:Simulator",),
    "thermostat": ("xpmd.coupling:Coupling",),
    "barostat": ("xpmd.coupling:Coupling",),
    "neighbor_finder": ("xpmd.neighbor_finder:NeighborFinder",),
    "gradient_strategy": ("xpmd.gradient_strategy:GradientStrategy",),
    "backend": ("xpmd.backend:Backend",),
    "observable": (),
    "reporter": ("xpmd.reporter:Reporter",),
    "kernel": (),
    "benchmark": ("xpmd.benchmark:Benchmark",),
}

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@dataclass(frozen=True)
class Component:
    """What a plugin says of one of its classes; the class itself loads when it is named.

    Args:
        kind: one of `KINDS`.
        name: what users write.
        target: "package.module:Class".
        api: the version of the contract it was written for.
        backends: names of the backends it runs on; "*" for all.
        summary: one line for listings.
        modules: for a backend, the top-level modules whose arrays are its own.
    """

    kind: str
    name: str
    target: str
    api: tuple[int, int] = (1, 0)  # not `API`: what the plugin was written for, not what runs it
    backends: tuple[str, ...] = ("*",)
    summary: str = ""
    modules: tuple[str, ...] = ()


@hookspec
def xpmd_components(api: tuple[int, int]) -> Iterable[Component]:
    """Return the components a plugin offers; `api`, which it may leave out, is the one in force."""
    raise NotImplementedError
