"""Forces, virial and gradients of an interaction against finite differences."""

from __future__ import annotations

from xpmd.testing.agreement import host_namespace, on_host, require_finite
from xpmd.testing.differences import of_rows, require_slopes
from xpmd.testing.places import deformations
from xpmd.testing.sample import Sample


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
    xp = host_namespace()
    found = on_host(sample.measured("virial", name))
    require_finite("virial", found)
    places = deformations(sample.boundary)
    rows = [sample.strain_slope(a, b) for a, b in places]
    labels = [f"[{a}, {b}]" for a, b in places]
    wanted = of_rows(rows, xp.eye(len(places)), labels)
    require_slopes("-virial", -xp.asarray([found[a, b] for a, b in places]), wanted)
