"""jax-md: neighbor lists inside compiled loops, derivatives by `jax.grad` through them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Any

NAME = "jax-md"
INSTALL = (
    "pip install jax-md 'jax<0.10.2' in an environment of its own, --peer-python jax-md=PYTHON"
)
#: The first is that of the package's own Lennard-Jones.
SKINS = (0.5, 0.8)
#: Releases of jax that jax-md refuses on its main branch: the first miscompiles some code for CPUs.
EXCLUDED = ("0.10.2", "0.11.1")
#: Steps between looks at whether the list was too short.
CHUNK = 100


def missing() -> str | None:
    if importlib.util.find_spec("jax_md") is None:
        return "not installed"
    version = importlib.metadata.version("jax")
    return f"jax {version} is excluded by jax-md" if version in EXCLUDED else None


def versions() -> dict[str, str]:
    return {
        "jax-md": importlib.metadata.version("jax-md"),
        "its jax": importlib.metadata.version("jax"),
    }


def variants(threads: int) -> list[dict[str, Any]]:
    return [
        {
            "tasks": ["fluid", "gradient"] if dtype == "float32" else ["gradient"],
            "variant": "jax",
            "precision": dtype,
            "options": {},
            "skins": SKINS,
            "strategy": "jax.grad",
            "environment": {"JAX_ENABLE_X64": "1"} if dtype == "float64" else {},
        }
        for dtype in ("float32", "float64")
    ]


def prepare(task: dict[str, Any]) -> Any:
    return Gradient(task) if task["name"] == "gradient" else Fluid(task)


class Case:
    """A system, with a list or with all pairs if the task has no skin.

    The pair energies are our own, so that all programs compute the same; those of the package end in
    another way, and give NaN in reverse, where a list is padded.
    """

    def __init__(self, task: dict[str, Any], *, shifted_force: bool) -> None:
        import jax.numpy as jnp
        from jax_md import partition, simulate, smap, space

        self.task, self.side = task, float(task["side"])
        self.coords = jnp.asarray(task["coords"], task["precision"])
        self.velocities = jnp.asarray(task["velocities"], task["precision"])
        self.displacement, shift = space.periodic(self.side)
        metric = space.canonicalize_displacement_or_metric(self.displacement)
        pair = _pair_energy(task["cutoff"], shifted_force)
        if task["skin"] is None:
            energy = smap.pair(pair, metric, sigma=1.0, ignore_unused_parameters=True)
            self.lists: dict[str, Any] = {}
        else:
            energy = smap.pair_neighbor_list(pair, metric, sigma=1.0, ignore_unused_parameters=True)
            self.finder = partition.neighbor_list(
                self.displacement,
                self.side,
                task["cutoff"],
                dr_threshold=task["skin"],
                format=partition.NeighborListFormat.OrderedSparse,
            )
            self.lists = {"neighbor": self.finder.allocate(self.coords)}
        self.energy = energy
        self.begin, self.step = simulate.nve(energy, shift, task["dt"])

    def first(self, lists: dict[str, Any], **parameters: Any) -> Any:
        import jax

        return self.begin(
            jax.random.PRNGKey(0),
            self.coords,
            0.0,
            momenta=self.velocities,
            **lists,
            **parameters,
        )

    def moved(self, carry: Any, **parameters: Any) -> Any:
        """Return state and lists after a step."""
        state, lists = carry
        if lists:
            lists = {"neighbor": lists["neighbor"].update(state.position)}
        return self.step(state, **lists, **parameters), lists


def _pair_energy(cutoff: float, shifted_force: bool) -> Any:
    import jax.numpy as jnp

    def energy(dr: Any, sigma: Any, **unused: Any) -> Any:
        inside = (dr > 0.0) & (dr < cutoff)
        # Where a list is padded, distances are zero: derivatives must not see that.
        r = jnp.where(inside, dr, 0.9 * cutoff)
        inverse = (sigma / r) ** 6
        found = 4.0 * (inverse**2 - inverse)
        if shifted_force:
            far = (sigma / cutoff) ** 6
            ends = 24.0 * (far - 2.0 * far**2) / cutoff
            found = found - 4.0 * (far**2 - far) - (r - cutoff) * ends
        return jnp.where(inside, found, 0.0)

    return energy


class Fluid(Case):
    """The fluid, run on from where the run before ended."""

    def __init__(self, task: dict[str, Any]) -> None:
        import jax

        super().__init__(task, shifted_force=False)
        self.state = self.first(self.lists)

        @jax.jit
        def advance(state: Any, lists: Any, steps: Any) -> Any:
            return jax.lax.fori_loop(0, steps, lambda _, carry: self.moved(carry), (state, lists))

        self.advance = advance

    def run(self, steps: int) -> None:
        done = 0
        while done < steps:
            some = min(CHUNK, steps - done)
            state, lists = self.advance(self.state, self.lists, some)
            if bool(lists["neighbor"].did_buffer_overflow):
                self.lists = {"neighbor": self.finder.allocate(self.state.position)}
                continue
            self.state, self.lists, done = state, lists, done + some
        self.state.position.block_until_ready()

    def arrays(self) -> dict[str, Any]:
        return {
            "energy": self.energy(self.state.position, **self.lists) / len(self.coords),
            "forces": self.state.force,
        }


class Gradient(Case):
    """The loss, or the loss and its derivative by reverse mode through a scan over the steps."""

    def __init__(self, task: dict[str, Any]) -> None:
        import jax
        import jax.numpy as jnp

        super().__init__(task, shifted_force=True)
        apart = jax.vmap(self.displacement)

        def loss(sigma: Any, lists: Any) -> Any:
            def body(carry: Any, _: Any) -> Any:
                return self.moved(carry, sigma=sigma), None

            start = (self.first(lists, sigma=sigma), lists)
            (state, lists), _ = jax.lax.scan(body, start, None, length=task["n_steps"])
            full = lists["neighbor"].did_buffer_overflow if lists else jnp.asarray(False)
            return jnp.sum(apart(state.position, self.coords) ** 2) / len(self.coords), full

        whole = jax.value_and_grad(loss, has_aux=True) if task["derivative"] else loss
        self.call = jax.jit(whole)
        self.sigma = jnp.asarray(1.0, task["precision"])

    def run(self, times: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for _ in range(times):
            result = self.call(self.sigma, self.lists)
            (value, full), slope = result if self.task["derivative"] else (result, None)
            if bool(full):
                raise RuntimeError("the neighbor list was too short")
            found = {"value": float(value)}
            if slope is not None:
                found["gradient"] = float(slope)
        return found
