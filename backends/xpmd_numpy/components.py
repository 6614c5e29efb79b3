"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the backend."""
    return [
        Component(
            "backend",
            "numpy",
            "xpmd_numpy.backend:NumpyBackend",
            backends=("numpy",),
            summary="NumPy, with the differentiation of xpmd_autodiff",
            modules=("numpy",),
        ),
        *(
            Component(
                "kernel",
                f"{operation}_numpy",
                f"xpmd_numpy.pair_kernels:{operation}",
                backends=("numpy",),
                summary=f"{operation} on NumPy, in blocks of pairs",
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
