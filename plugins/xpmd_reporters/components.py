"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the reporters."""
    return [
        Component(
            "reporter",
            "Checkpoint",
            "xpmd_reporters.checkpoint:Checkpoint",
            summary="the state of a run on disk",
        ),
        Component("reporter", "Progress", "xpmd.progress:Progress", summary="a progress bar"),
    ]
