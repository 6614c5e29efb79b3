"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the backend."""
    return [
        Component(
            "backend",
            "cupy",
            "xpmd_cupy.backend:CupyBackend",
            backends=("cupy",),
            summary="CuPy on an NVIDIA GPU, with the differentiation of xpmd_autodiff",
            modules=("cupy",),
        ),
        *(
            Component(
                "kernel",
                f"{operation}_cupy",
                f"xpmd_cupy.pair_kernels:{operation}",
                backends=("cupy",),
                summary=f"{operation} on CuPy: closed forms of all pairs at once",
            )
            for operation in (
                "pair_energy",
                "pair_forces",
                "pair_virial",
                "pair_force_vjp",
                "pair_force_jvp",
            )
        ),
    ]
