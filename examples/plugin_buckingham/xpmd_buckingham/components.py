"""What this package offers; it stays light, because it is imported to list the plugins."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components():
    """Describe the potential."""
    return [
        Component(
            "interaction",
            "Buckingham",
            "xpmd_buckingham.buckingham:Buckingham",
            summary="A exp(-B r) - C / r^6",
        )
    ]
