"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the backend."""
    return [
        Component(
            "backend",
            "array_api_strict",
            "xpmd_array_api_strict.backend:StrictBackend",
            backends=("array_api_strict",),
            summary="array-api-strict, for tests",
            modules=("array_api_strict",),
        )
    ]
