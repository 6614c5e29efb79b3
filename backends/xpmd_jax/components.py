"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the backend."""
    return [
        Component(
            "backend",
            "jax",
            "xpmd_jax.backend:JaxBackend",
            backends=("jax",),
            summary="JAX, compiled, on CPU, GPU and TPU",
            modules=("jax", "jaxlib"),
        ),
        *(
            Component(
                "kernel",
                f"{operation}_jax",
                f"xpmd_jax.pair_kernels:{operation}",
                backends=("jax",),
                summary=f"{operation} on JAX: gathers and sums in one loop",
            )
            for operation in ("pair_forces", "pair_force_vjp", "pair_force_jvp")
        ),
        Component(
            "kernel",
            "listed_rows_jax",
            "xpmd_jax.row_kernels:listed_rows",
            backends=("jax",),
            summary="listed_rows on JAX: candidates in slices, neighbors by counts of bits",
        ),
    ]
