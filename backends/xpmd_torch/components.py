"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl

_PAIR_KERNELS = (
    ("pair_forces", "forces of pairs in one compiled loop"),
    ("pair_force_vjp", "the way back through forces of pairs in one compiled loop"),
    ("pair_force_jvp", "forces of pairs and their change in one compiled loop"),
)


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
        ),
        *(
            Component(
                "kernel",
                f"{operation}_torch_compiled",
                f"xpmd_torch.pair_kernels:{operation}",
                backends=("torch",),
                summary=summary,
            )
            for operation, summary in _PAIR_KERNELS
        ),
    ]
