"""What must not change an energy, and how forces follow."""

from __future__ import annotations

from typing import Any

from xpmd.noise import host_noise
from xpmd.properties import forces, potential_energy
from xpmd.testing.agreement import SAME, host_namespace, on_host, require_close
from xpmd.testing.sample import Sample

Array = Any

_STREAM = 44


def _evaluated(sample: Sample, **changes: Any) -> tuple[Array | None, Array]:
    """Return energy, where there is one, and forces on the host."""
    system = sample.system(sample.reference, **changes)
    energy = on_host(potential_energy(system)) if sample.has_energy else None
    return energy, on_host(forces(system))


def _require_same(
    sample: Sample, before: Any, after: Any, *, expected: Array, what: str, when: str
) -> None:
    """Raise unless the energy is the same and the forces are the expected ones."""
    xp = host_namespace()
    (energy_before, forces_before), (energy_after, forces_after) = before, after
    size = float(xp.max(xp.abs(forces_before)))
    require_close(
        f"forces{when}",
        forces_after,
        expected,
        wanted_is=what,
        relative=100.0 * SAME,
        scale=max(size, 1e-300),
    )
    if energy_before is not None:
        require_close(
            f"energy{when}",
            energy_after,
            energy_before,
            wanted_is="before",
            relative=100.0 * SAME,
            scale=max(abs(float(energy_before)), size * sample.length),
        )


def third_law(sample: Sample) -> None:
    """The forces add up to nothing, and in open space so do their torques."""
    xp = host_namespace()
    _, found = _evaluated(sample)
    total = xp.sum(found, axis=0)
    scale = float(xp.sum(xp.abs(found)))
    require_close(
        "the sum of the forces",
        total,
        xp.zeros_like(total),
        wanted_is="the third law asks for",
        relative=10.0 * SAME,
        scale=scale,
    )
    _, found = _evaluated(sample, boundary=sample.open_boundary)
    x, f = sample.coords - xp.mean(sample.coords, axis=0), found
    axes = range(sample.boundary.dimensions)
    torque = xp.stack(
        [xp.sum(x[:, a] * f[:, b] - x[:, b] * f[:, a]) for a in axes for b in axes if a < b]
    )
    require_close(
        "the total torque in open space",
        torque,
        xp.zeros_like(torque),
        wanted_is="the third law asks for",
        relative=10.0 * SAME,
        scale=float(xp.sum(xp.abs(f))) * float(xp.max(xp.abs(x))),
    )


def translation(sample: Sample) -> None:
    """Moving all atoms together changes nothing."""
    before = _evaluated(sample)
    step = sample.length * host_noise(0, _STREAM).normal(0, (sample.boundary.dimensions,))
    after = _evaluated(sample, coords=sample.coords + step)
    _require_same(
        sample,
        before,
        after,
        expected=before[1],
        what="before",
        when=" after all atoms moved together",
    )


def rotation(sample: Sample) -> None:
    """In open space turning all atoms together turns the forces and leaves the energy."""
    xp = host_namespace()
    turn = _rotation(sample.boundary.dimensions)
    center = xp.mean(sample.coords, axis=0)
    before = _evaluated(sample, boundary=sample.open_boundary)
    turned = (sample.coords - center) @ turn + center
    after = _evaluated(sample, coords=turned, boundary=sample.open_boundary)
    _require_same(
        sample,
        before,
        after,
        expected=before[1] @ turn,
        what="before, turned",
        when=" after a rotation",
    )


def permutation(sample: Sample) -> None:
    """The order in which atoms are listed does not matter."""
    xp = host_namespace()
    order = xp.argsort(host_noise(0, _STREAM, 1).uniform(0, (sample.n_atoms,)))
    before = _evaluated(sample)
    changes: dict[str, Any] = {"coords": sample.coords[order, :]}
    parameters = {
        name: value[order] if xp.asarray(value).ndim else value
        for name, value in sample.atoms.parameters.items()
    }
    mass = xp.asarray(
        on_host(sample.atoms.mass) if hasattr(sample.atoms.mass, "dtype") else sample.atoms.mass
    )
    changes["atoms"] = sample.atoms.replace(mass=mass[order] if mass.ndim else mass, **parameters)
    if sample.bonded:
        place = xp.argsort(order)
        relabelled = [[int(place[i]) for i in row] for row in sample.terms]
        changes["interactions"] = (sample.interaction.with_fields(atoms=relabelled),)
    after = _evaluated(sample, **changes)
    _require_same(
        sample,
        before,
        after,
        expected=before[1][order, :],
        what="before, reordered",
        when=" after the atoms were listed in another order",
    )


def lattice_shift(sample: Sample) -> None:
    """Any atom may be named by any of its periodic images."""
    xp = host_namespace()
    vectors = sample.boundary.cell_vectors()
    if vectors is not None:
        cell = xp.asarray(vectors)
    else:
        sides = sample.boundary.side_lengths()
        cell = xp.asarray(
            [
                [side if a == b and side != float("inf") else 0.0 for b in range(len(sides))]
                for a, side in enumerate(sides)
            ]
        )
    draws = host_noise(0, _STREAM, 2).uniform(0, (sample.n_atoms, cell.shape[0]))
    images = xp.floor(5.0 * draws) - 2.0
    before = _evaluated(sample)
    after = _evaluated(sample, coords=sample.coords + images @ cell)
    _require_same(
        sample,
        before,
        after,
        expected=before[1],
        what="before",
        when=" after atoms moved by cell vectors",
    )


def _rotation(dimensions: int) -> Array:
    """Return a rotation matrix that mixes all axes."""
    xp = host_namespace()
    turn = xp.eye(dimensions)
    for a, b, angle in ((0, 1, 0.7), (1, 2, 1.9), (0, 2, -0.4)):
        if b < dimensions:
            plane = xp.eye(dimensions)
            plane[a, a] = plane[b, b] = xp.cos(angle)
            plane[a, b], plane[b, a] = -xp.sin(angle), xp.sin(angle)
            turn = turn @ plane
    return turn
