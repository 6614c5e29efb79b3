"""Forces, virial and gradients of an interaction against finite differences."""

from __future__ import annotations

from typing import Any

from xpmd.orthorhombic_boundary import CubicBoundary
from xpmd.properties import potential_energy
from xpmd.testing.agreement import (
    DIFFERENTIATED,
    host_namespace,
    on_host,
    require_close,
    require_finite,
)
from xpmd.testing.differences import require_slopes, slope
from xpmd.testing.sample import Sample
from xpmd.triclinic_boundary import TriclinicBoundary

Array = Any

#: Largest strain of the finite differences.
_STRAIN = 1e-3


def forces(sample: Sample, name: str) -> None:
    """F = -dE/dx, by differences of fourth order."""
    xp = host_namespace()
    found = on_host(sample.measured("forces", name))
    require_finite("forces", found)
    require_slopes("-forces", -xp.asarray(found), sample.slopes("energy", "coords"))


def energy_gradients(sample: Sample, name: str) -> None:
    """dE/dp in reverse mode, for every parameter of atoms, interaction and box."""
    for parameter, gradient in sample.gradient("energy", name).items():
        require_slopes(f"dE/d({parameter})", on_host(gradient), sample.slopes("energy", parameter))


def force_gradients(sample: Sample, name: str) -> None:
    """d(sum w F)/dp in reverse mode: what the gradient of every simulation is made of."""
    for parameter, gradient in sample.gradient("forces", name).items():
        require_slopes(
            f"d(sum w F)/d({parameter})", on_host(gradient), sample.slopes("forces", parameter)
        )


def virial(sample: Sample, name: str) -> None:
    """W = -dE/d(strain), x -> x (1 + strain), by differences of fourth order."""
    found = on_host(sample.measured("virial", name))
    require_finite("virial", found)
    xp, on = host_namespace(), sample.reference
    axes = range(sample.boundary.dimensions)
    vectors = sample.boundary.cell_vectors()
    scale = max(float(xp.max(xp.abs(found))), 1e-300)
    for a in axes:
        for b in axes:
            # A cell stays lower triangular under a strain that is. In a box with some sides open no
            # strain but a stretch along an open one leaves a box.
            if vectors is not None and b > a:
                continue
            if vectors is None and any(sample.boundary.periodic):
                continue

            def strained(t: float, a: int = a, b: int = b) -> float:
                strain = xp.zeros((len(axes), len(axes)))
                strain[a, b] = t
                deformation = xp.eye(len(axes)) + strain
                box = sample.boundary
                if vectors is not None:
                    box = _cell(xp.asarray(vectors) @ deformation, len(axes))
                coords = sample.coords @ deformation
                return float(
                    on.to_numpy(potential_energy(sample.system(on, coords=coords, boundary=box)))
                )

            value, uncertainty = slope(strained, _STRAIN)
            require_close(
                f"virial[{a}, {b}]",
                found[a, b],
                xp.asarray(-value),
                wanted_is="-dE/d(strain) by finite differences",
                relative=DIFFERENTIATED,
                scale=scale,
                absolute=10.0 * uncertainty,
            )


def _cell(vectors: Array, dimensions: int) -> Any:
    """Return a box of these vectors; a stretched one of right angles stays so."""
    rows = [[float(x) for x in row] for row in vectors]
    off = max(abs(rows[a][b]) for a in range(dimensions) for b in range(dimensions) if a != b)
    if off == 0.0 and dimensions == 3:
        return CubicBoundary(*(rows[k][k] for k in range(3)))
    return TriclinicBoundary(rows)
