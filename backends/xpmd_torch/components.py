"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl

_EAGER_KERNELS = (
    ("pair_forces", "forces of pairs by closed forms"),
    ("pair_virial", "the virial of pairs by closed forms"),
    ("pair_force_vjp", "the way back through forces of pairs by closed forms"),
    ("pair_force_jvp", "forces of pairs and their change by closed forms"),
)
_COMPILED_KERNELS = (
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
                f"{operation}_{backend}",
                f"xpmd_torch.{module}:{operation}",
                backends=("torch",),
                summary=summary,
            )
            for backend, module, kernels in (
                ("torch", "eager_kernels", _EAGER_KERNELS),
                ("torch_compiled", "pair_kernels", _COMPILED_KERNELS),
            )
            for operation, summary in kernels
        ),
    ]
