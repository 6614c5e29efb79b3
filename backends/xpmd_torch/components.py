"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the backend."""
    return [
        Component(
            "backend",
            "torch",
            "xpmd_torch.backend:TorchBackend",
            backends=("torch",),
            summary="PyTorch on CPU and GPU",
            modules=("torch",),
        )
    ]
