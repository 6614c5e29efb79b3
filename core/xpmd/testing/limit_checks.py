"""Nothing turns into NaN at the edges: padding, the cutoff, atoms on top of each other or in a row.

Everything is looked at in reverse mode: one masked `where` gives the right energy, and the right
derivative in forward mode, where its derivative in reverse is 0 times infinity.
"""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

from xpmd.backend import Backend
from xpmd.noise import host_noise
from xpmd.properties import forces, potential_energy
from xpmd.specific import takes_positions
from xpmd.system import System
from xpmd.testing import shapes
from xpmd.testing.agreement import SAME, host_namespace, on_host, require_close, require_finite
from xpmd.testing.backends_at_hand import usable
from xpmd.testing.listed_pairs import ListedPairs
from xpmd.testing.parameters import Parameters
from xpmd.testing.sample import WITHOUT, Sample

Array = Any

_STREAM = 45
_N_NEARBY = 4
#: What to do about a derivative that is not a number.
_REMEDY = (
    "; where only the result of a `where` is masked its derivative in reverse is 0 times infinity: mask "
    "the argument of the function inside, too"
)


def padding(sample: Sample, name: str) -> None:
    """Entries of a neighbor list that are no pairs change nothing."""
    on, n_atoms = usable(name), sample.n_atoms
    every = [[i, j] for i in range(n_atoms) for j in range(i + 1, n_atoms)]
    padded = sample.system(on, neighbor_finder=ListedPairs(every))
    require_close(
        f"forces from a padded list on {name}",
        on_host(forces(padded)),
        on_host(sample.measured("forces", name)),
        wanted_is="from an exact list",
        relative=10.0 * SAME,
    )
    _require_finite(padded, on, f"with a padded list on {name}", has_energy=sample.has_energy)


def sweep(sample: Sample, name: str) -> None:
    """V(r), its derivatives and those of the parameters are finite from 0.3 to 1.2 of the cutoff."""
    xp, on = host_namespace(), usable(name)
    swept, distances = shapes.pairs(sample)
    system = shapes.system_of_pairs(sample, swept, on)
    gradients = _require_finite(system, on, f"on {name}", labels=swept)
    if sample.reach is None:
        return
    beyond = xp.asarray([r > sample.reach * (1.0 + 1e-9) for r in distances for _ in range(2)])
    outside = xp.where(beyond[:, None], gradients["coords"], 0.0)
    require_close(
        f"dE/dx beyond the cutoff on {name}", outside, xp.zeros_like(outside), wanted_is="must be"
    )


def coordinate(sample: Sample, name: str) -> None:
    """A bonded energy and its derivatives are finite over all distances, angles or dihedrals."""
    size = int(sample.terms.shape[1])
    if takes_positions(type(sample.interaction)) or size not in (2, 3, 4):
        raise SkipTest("the energy is one of positions, not of a distance, angle or dihedral.")
    on, swept = usable(name), shapes.bonded(size, sample.length)
    system = shapes.system_of_terms(sample, swept, on)
    _require_finite(system, on, f"on {name}", labels=swept)


def nearby(sample: Sample, name: str) -> None:
    """Energy, forces and gradients are finite around the configuration, not at it alone."""
    on = usable(name)
    for k in range(_N_NEARBY):
        noise = host_noise(0, _STREAM, k).normal(0, tuple(sample.coords.shape))
        moved = sample.coords + 0.02 * (k + 1) * sample.length * noise
        where = f"on {name}, atoms {2 * (k + 1)}% of the length away"
        system = sample.system(on, coords=moved)
        _require_finite(system, on, where, has_energy=sample.has_energy)


def _require_finite(
    system: System,
    on: Backend,
    where: str,
    *,
    has_energy: bool = True,
    labels: shapes.Shapes | None = None,
) -> dict[str, Array]:
    """Raise unless energy, forces and all their gradients are finite; return the first gradients.

    Args:
        labels: the shapes that atoms and terms of the System make.
    """
    parameters = Parameters(system, on, without=WITHOUT)
    words = {} if labels is None else labels.by_rows()
    weights = on.asarray(
        host_noise(0, _STREAM).normal(0, tuple(system.coords.shape)), dtype=system.dtype
    )

    def energy(*values: Array) -> tuple[Array, tuple[Array, ...]]:
        return potential_energy(parameters.tree(values)), ()

    def weighted_forces(*values: Array) -> tuple[Array, tuple[Array, ...]]:
        products = forces(parameters.tree(values)) * weights
        return on.xp(products).sum(products), ()

    losses = {"E": energy} if has_energy else {}
    losses["sum w F"] = weighted_forces
    first: dict[str, Array] = {}
    for word, loss in losses.items():
        value, gradients, _ = on.value_and_grad(loss, parameters.values)
        found = dict(zip(parameters.names, map(on_host, gradients), strict=True))
        for parameter, gradient in found.items():
            rows = gradient.shape[0] if gradient.ndim else 0
            require_finite(
                f"d({word})/d({parameter}) {where}",
                gradient,
                labels=words.get(rows),
                remedy=_REMEDY,
            )
        require_finite(f"{word} {where}", on_host(value))
        first = first or found
    return first
